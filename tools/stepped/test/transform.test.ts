import { parseSync } from 'oxc-parser';
import { describe, expect, test } from 'vitest';
import { SteppedError, toDirect } from '../src/transform.ts';

const squeeze = (s: string): string => s.replace(/\s+/g, ' ').trim();
const same: readonly (readonly [name: string, from: string, to: string])[] = [
  [
    'declaration',
    'function* f(a: number): Steps<number> { return yield* g(a); }',
    'function f(a: number): number { return g(a); }',
  ],
  [
    'star in a default',
    'function* f(a = 2 * 3): Steps<number> { return a * 2; }',
    'function f(a = 2 * 3): number { return a * 2; }',
  ],
  ['no name', 'export default function*(): Steps<void> {}', 'export default function (): void {}'],
  ['expression', 'const f = function* n(): Steps<void> { yield* g(); };', 'const f = function n(): void { g(); };'],
  [
    'methods',
    'class A { static *a(): Steps<void> {} private *b<T>(t: T): Steps<T> { return t; } override *#c(): Steps<1> { return 1; } }',
    'class A { static a(): void {} private b<T>(t: T): T { return t; } override #c(): 1 { return 1; } }',
  ],
  ['abstract', 'abstract class A { abstract a(): Steps<void>; }', 'abstract class A { abstract a(): void ; }'],
  [
    'overloads',
    'function f(a: 1): Steps<1>; function f(a: 2): Steps<2>; function* f(a: 1 | 2): Steps<1 | 2> { return a; }',
    'function f(a: 1): 1 ; function f(a: 2): 2 ; function f(a: 1 | 2): (1 | 2) { return a; }',
  ],
  [
    'object',
    'const o = { *a(): Steps<void> {}, b: function*(): Steps<void> {} };',
    'const o = { a(): void {}, b: function (): void {} };',
  ],
  [
    'types',
    'type A = Steps<number>[]; type B = (x: Steps<A | 1>) => Steps<readonly number[]>; type C<T> = T extends Steps<infer R> ? R : T;',
    'type A = number []; type B = (x: (A | 1)) => (readonly number[]); type C<T> = T extends (infer R) ? R : T;',
  ],
  ['nested types', 'type A = Steps<Steps<number> | 1>;', 'type A = ( number | 1);'],
  [
    'expressions',
    'function* f(): Steps<number> { const a = [yield* g(), ...yield* h()]; if (yield* g()) throw yield* h(); return ((yield* g()) as number) + (yield* h())! ** 2; }',
    'function f(): number { const a = [ g(), ... h()]; if ( g()) throw h(); return (( g()) as number) + ( h())! ** 2; }',
  ],
  [
    'ternary',
    'function* f(): Steps<number> { return a ? yield* g() : yield* b ? c() : d(); }',
    'function f(): number { return a ? g() : b ? c() : d(); }',
  ],
  ['twice', 'function* f(): Steps<number> { return yield* yield* g(); }', 'function f(): number { return g(); }'],
  [
    'template',
    'function* f(): Steps<string> { return `a${yield* g()}b`; }',
    'function f(): string { return `a${ g()}b`; }',
  ],
  [
    'a statement that starts with a bracket',
    'function* f(): Steps<void> { const a = b\nyield* (g)() }',
    'function f(): void { const a = b void (g)() }',
  ],
  [
    'a statement that would be a declaration',
    'function* f(): Steps<void> { yield* function*(): Steps<void> {}(); }',
    'function f(): void { void function (): void {}(); }',
  ],
  [
    'pause',
    'function* f(): Steps<void> { yield PAUSE; if (a) yield { at: 1,\n b: 2 }; else yield* g(); }',
    'function f(): void { ; if (a) ; else g(); }',
  ],
  [
    'true generator inside',
    'function* f(): Steps<void> { const it = function* (): Generator<number> { yield 1; yield* [2]; }; yield* g(it); }',
    'function f(): void { const it = function* (): Generator<number> { yield 1; yield* [2]; }; g(it); }',
  ],
  ['plain forwarder', 'function f(): Steps<number> { return g(); }', 'function f(): number { return g(); }'],
  [
    'specifiers',
    "import { a } from '@x/core/stepped'; export * from \"@x/y/stepped\"; type T = import('@x/z/stepped').T; import './a/stepped'; let s: Steps<1>;",
    "import { a } from '@x/core' ; export * from \"@x/y\" ; type T = import('@x/z' ).T; import './a/stepped'; let s: 1 ;",
  ],
];

test.each(same)('%s', (_, from, to) => {
  const out = toDirect('a.ts', from);
  expect(squeeze(out)).toBe(squeeze(to));
  expect(out).toHaveLength(from.length);
  expect([...out.matchAll(/\n/g)].map((m) => m.index)).toEqual([...from.matchAll(/\n/g)].map((m) => m.index));
  expect(parseSync('a.ts', out).errors).toEqual([]);
});

describe('says no', () => {
  test.each([
    ['value of a plain yield', 'function* f(): Steps<void> { const a = yield 1; }', '1:40'],
    ['line break', 'function* f(): Steps<number> { return yield*\n  g(); }', '1:39'],
    ['comment', 'function* f(): Steps<number> { return yield* /* c */ g(); }', '1:39'],
    ['async', 'async function* f(): Steps<number> {}', '1:1'],
    ['arguments', 'let a: Steps<1, 2>;', '1:8'],
    ['qualified', 'let a: core.Steps<1>;', '1:8'],
    ['renamed', "import { type Steps as S } from 'x/stepped';", '1:10'],
    ['syntax', 'let a: Steps<1', '1:'],
  ])('%s', (_, code, at) => {
    expect(() => toDirect('a.ts', code)).toThrow(SteppedError);
    expect(() => toDirect('a.ts', code)).toThrow(`a.ts:${at}`);
  });
});
