/**
 * Ast: the syntax tree of a TypeScript module, as far as sites need it.
 */
import { parseSync } from 'oxc-parser';

/** A node of the tree. The parser's own types are a large union; what is read of them is named where it is read. */
export interface Node {
  /** Kind, in ESTree's words. */
  readonly type: string;
  /** Where it begins in the text. */
  readonly start: number;
  /** Where it ends. */
  readonly end: number;
  readonly [key: string]: unknown;
}

/**
 * Parses a module.
 * @throws Error with the first syntax error
 */
export function parse(file: string, text: string): Node {
  const parsed = parseSync(file, text);
  const fault = parsed.errors[0];
  if (fault !== undefined) throw new Error(`${file}: ${fault.message}`);
  return parsed.program as unknown as Node;
}

/** The node's children, in the order of the text. */
export function children(node: Node): Node[] {
  const found: Node[] = [];
  for (const value of Object.values(node)) {
    for (const item of Array.isArray(value) ? (value as unknown[]) : [value]) if (isNode(item)) found.push(item);
  }
  return found.toSorted((a, b) => a.start - b.start);
}

/** Every node below this one and itself; below those for which `enter` says false, none. */
export function walk(node: Node, enter: (node: Node) => boolean | void): void {
  if (enter(node) === false) return;
  for (const each of children(node)) walk(each, enter);
}

/** Is there such a node below this one, or is it one itself? */
export function some(node: Node, test: (node: Node) => boolean): boolean {
  return test(node) || children(node).some((each) => some(each, test));
}

/** A child by its name. */
export function child(node: Node, key: string): Node | undefined {
  const value = node[key];
  return isNode(value) ? value : undefined;
}

/** Children by their name. */
export function list(node: Node, key: string): readonly Node[] {
  const value = node[key];
  return Array.isArray(value) ? (value as unknown[]).filter(isNode) : [];
}

/** The name of an identifier. */
export function nameOf(node: Node | undefined): string | undefined {
  return node?.type === 'Identifier' ? (node['name'] as string) : undefined;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value;
}
