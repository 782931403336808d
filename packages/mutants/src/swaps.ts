/**
 * Swaps: neighbours that can stand in the other order, as far as the code itself is concerned. What the order is good for is what the
 * mutant asks.
 */
import { child, list, nameOf, type Node, some, walk } from './ast.ts';
import { bound } from './scope.ts';

/** Positions of the statements that can change places with the next one. */
export function swapsOf(statements: readonly Node[], textOf: (node: Node) => string): number[] {
  return [...statements.keys()].filter((i) => {
    const [a, b] = [statements[i]!, statements[i + 1]];
    if (b === undefined || !isStep(a, textOf) || !isStep(b, textOf)) return false;
    // Two plain stores in a row: nobody can look between them.
    return (pauses(a) || pauses(b)) && isIndependent(a, b);
  });
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
