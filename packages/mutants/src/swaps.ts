/**
 * Swaps: neighbours that can stand in the other order, as far as the code itself is concerned. What the order is good for is what the
 * mutant asks. No mutants are made of two neighbours whose order nobody can tell:
 *
 *     two plain stores               nobody can look between them: that would be a data race
 *     two invalidations              of one CPU, and no code of it runs in between that uses what they drop
 */
import { child, list, nameOf, type Node, some, walk } from './ast.ts';
import { bound } from './scope.ts';

/** Positions of the statements that can change places with the next one. */
export function swapsOf(statements: readonly Node[], textOf: (node: Node) => string): number[] {
  return [...statements.keys()].filter((i) => {
    const [a, b] = [statements[i]!, statements[i + 1]];
    if (b === undefined || !isStep(a, textOf) || !isStep(b, textOf)) return false;
    if (!pauses(a) && !pauses(b)) return false;
    return !(invalidates(a) && invalidates(b)) && isIndependent(a, b);
  });
}

/** Does a step only order stores or loads, which are ordered under TSO anyway? */
export function ordersOnly(statement: Node, textOf: (node: Node) => string): boolean {
  return /^yield\* cpu\.(smpWmb|smpRmb|smpMbAfterAtomic)\(\);?$/.test(textOf(statement));
}

/** Are all its steps invalidations on this CPU? */
function invalidates(node: Node): boolean {
  const calls: (string | undefined)[] = [];
  walk(node, (each) => {
    if (each.type !== 'YieldExpression') return;
    const callee = child(child(each, 'argument') ?? each, 'callee');
    calls.push(nameOf(callee) ?? nameOf(child(callee ?? each, 'property')));
  });
  return calls.length > 0 && calls.every((name) => /^invalidate([A-Z]|$)/.test(name ?? ''));
}

function pauses(node: Node): boolean {
  return some(node, ({ type }) => type === 'YieldExpression');
}

/** A step or a plain store; one whose value gets a name; a condition around such. */
function isStep(node: Node, textOf: (node: Node) => string): boolean {
  const steps = pauses(node) || textOf(node).startsWith('cpu.write(');
  if (/\bcpu\.(claim|trace)\b/.test(textOf(node))) return false;
  if (some(node, ({ type }) => /^(Return|Break|Continue|Throw)Statement$/.test(type))) return false;
  switch (node.type) {
    case 'ExpressionStatement':
      return steps;
    case 'VariableDeclaration': {
      const [only, ...others] = list(node, 'declarations');
      return steps && others.length === 0 && nameOf(child(only!, 'id')) !== undefined;
    }
    case 'IfStatement':
      return steps;
    default:
      return false;
  }
}

/** Does neither use what the other one makes? */
function isIndependent(a: Node, b: Node): boolean {
  const made = (node: Node): Set<string> => {
    const names = new Set<string>();
    walk(node, (each) => {
      if (each.type === 'VariableDeclarator') for (const name of bound(child(each, 'id')!)) names.add(name);
      if (each.type === 'AssignmentExpression') {
        let left = child(each, 'left');
        while (left?.type === 'MemberExpression') left = child(left, 'object');
        const name = nameOf(left);
        if (name !== undefined) names.add(name);
      }
    });
    return names;
  };
  const uses = (node: Node, names: Set<string>): boolean => some(node, (each) => names.has(nameOf(each) ?? ''));
  return !uses(b, made(a)) && !uses(a, made(b));
}
