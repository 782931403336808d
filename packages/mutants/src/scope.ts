/**
 * Scope: the function around a piece of code, as far as sites need to know it.
 */
import { child, list, nameOf, type Node, some, walk } from './ast.ts';

/** A function of the module. */
export interface FunctionScope {
  /** Its name, or that of what it is given to. */
  readonly name: string;
  /** Does `yield*` stand in it? */
  readonly generator: boolean;
  /** Does it return steps? */
  readonly stepped: boolean;
  /** Does it return `Steps<boolean>`? */
  readonly answers: boolean;
  /** Names of switches that it has taken out of a profile or of a backend's switches. */
  readonly switches: ReadonlySet<string>;
}

/** Words that lead to switches. */
const SWITCHES = /\b(switches|profile)\b/;

/** `geometry.pageShift === PAGE_SHIFT`: what pages and tables look like is the machine's configuration. */
const ASKS_THE_SHAPE = /^geometry\.\w+ === \w+$/;

/** `hasRing(cpu)`: of one CPU as of another, so it is the kernel's configuration. */
const ASKS_THE_KERNEL = /^!?\w+\(cpu\)$/;

/** A function's scope. @param outer the name of what holds it */
export function scopeOf(node: Node, outer: string, textOf: (node: Node) => string): FunctionScope {
  const result = child(node, 'returnType');
  const type = result === undefined ? '' : textOf(result).replaceAll(/\s/g, '');
  const switches = new Set<string>();
  const body = child(node, 'body');
  if (body !== undefined) {
    walk(body, (each) => {
      if (each.type !== 'VariableDeclarator') return;
      const [left, init] = [child(each, 'id'), child(each, 'init')];
      if (left === undefined || init === undefined || !SWITCHES.test(textOf(init))) return;
      if (some(init, ({ type: inner }) => inner === 'YieldExpression')) return;
      for (const name of bound(left)) if (name !== 'switches' && name !== 'profile') switches.add(name);
    });
  }
  return {
    name: nameOf(child(node, 'id')) ?? outer,
    generator: node['generator'] === true,
    stepped: type.startsWith(':Steps<'),
    answers: type === ':Steps<boolean>' || type === ':boolean',
    switches,
  };
}

/** Does it depend on how the kernel is configured, and on nothing else that is a step's? */
export function isConfiguration(node: Node, scope: FunctionScope, textOf: (node: Node) => string): boolean {
  return (
    ASKS_THE_KERNEL.test(textOf(node)) ||
    ASKS_THE_SHAPE.test(textOf(node)) ||
    SWITCHES.test(textOf(node)) ||
    some(node, (each) => scope.switches.has(nameOf(each) ?? ''))
  );
}

/** Names that a pattern binds. */
export function bound(pattern: Node): string[] {
  const name = nameOf(pattern);
  if (name !== undefined) return [name];
  if (pattern.type === 'ObjectPattern') {
    return list(pattern, 'properties').flatMap((property) => bound(child(property, 'value') ?? property));
  }
  if (pattern.type === 'ArrayPattern') return list(pattern, 'elements').flatMap(bound);
  return [];
}
