/**
 * Port calls: the places where code takes a step of the machine, found in its syntax tree. What a run may exercise is measured by them.
 *
 *     yield* cpu.smpMb()                     a step
 *     return cpu.readOnce(mm.tlbGen)         one that a plain function hands on: `readOnce` is yielded elsewhere
 *     cpu.write(mm.owner, 0)                 none: nobody yields `write`
 */
import { child, nameOf, type Node, parse, walk } from './ast.ts';
import { modulesOf, type Sources } from './modules.ts';

interface PortCall {
  readonly method: string;
  readonly yielded: boolean;
  /** `mm/munmap.ts:12` */
  readonly place: string;
}

/**
 * All of them, in the order of packages and files.
 * @throws Error if a source cannot be parsed
 */
export function portCalls(packages: readonly Sources[]): string[] {
  const calls = modulesOf(packages).flatMap(({ file, text }) => callsIn(file, text));
  const steps = new Set(calls.filter(({ yielded }) => yielded).map(({ method }) => method));
  return [...new Set(calls.filter(({ method }) => steps.has(method)).map(({ place }) => place))];
}

function callsIn(file: string, text: string): PortCall[] {
  const calls: PortCall[] = [];
  const yielded = new Set<Node>();
  walk(parse(file, text), (node) => {
    const argument = child(node, 'argument');
    if (node.type === 'YieldExpression' && argument !== undefined) yielded.add(argument);
    if (node.type !== 'CallExpression') return;
    const callee = child(node, 'callee')!;
    const property = child(callee, 'property');
    const method = nameOf(property);
    if (callee.type !== 'MemberExpression' || nameOf(child(callee, 'object')) !== 'cpu' || method === undefined) return;
    const line = text.slice(0, property!.start).split('\n').length;
    calls.push({ method, yielded: yielded.has(node), place: `${file}:${line}` });
  });
  return calls;
}
