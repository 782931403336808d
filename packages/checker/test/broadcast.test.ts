/**
 * Broadcast invalidation: it reaches every CPU, and it is done when the CPU that issued it has waited. It covers what was cached when it
 * was issued, and what is walked from that later; not what memory holds anew.
 */
import { ALL, ALL_ASIDS, type Cpu, mkEntry, NOTHING, type Scope, type Steps } from '@mmu-gather/core/stepped';
import { expect, test } from 'vitest';
import type { Body } from '../src/index.ts';
import { CLEAN, onTree, RO, type Stage, type Tree, verdict, WRITTEN } from './page-tables.ts';

const EVERYTHING: Scope = { asid: ALL_ASIDS, leaves: ALL, walks: ALL, globals: false, broadcast: true };
/** As a TLBI of the last level: cached pointers to tables stay. */
const LEAVES: Scope = { ...EVERYTHING, walks: NOTHING };
const FIRST = { start: 0, end: 4096 };

/** CPU 1 stands in user mode and may hold what it likes. */
function onBroadcast(threads: (tree: Tree) => readonly (Body | undefined)[], stage: Stage = {}): string {
  return verdict(onTree(threads, { isa: { broadcasts: true, cleanWalks: false }, ...stage }));
}

/** Clears the entry of page 0, does what is given, and frees the page. */
function unmap(between: (cpu: Cpu, tree: Tree) => Steps<unknown>): (tree: Tree) => readonly Body[] {
  return (tree) => [
    function* (cpu): Steps<void> {
      yield* cpu.xchg(tree.pte, 0);
      yield* between(cpu, tree);
      yield* cpu.free('page', tree.pages[0]!);
    },
  ];
}

function* flush(cpu: Cpu, scope: Scope = EVERYTHING): Steps<void> {
  yield* cpu.invalidate(scope);
  yield* cpu.invalidationBarrier();
}

test('a page is free of users after a broadcast that was waited for', () => {
  expect(onBroadcast(unmap((cpu) => flush(cpu)))).toBe('holds');
  expect(onBroadcast(unmap((cpu) => cpu.invalidate(EVERYTHING)))).toBe('O1');
  expect(onBroadcast(unmap((cpu) => cpu.invalidationBarrier()))).toBe('O1');
});

test('on a machine without it there is none', () => {
  const search = (): string =>
    onBroadcast(
      unmap((cpu) => flush(cpu)),
      { isa: { broadcasts: false } },
    );
  expect(search).toThrow('the isa says that there is no such thing');
});

test('it must be waited for on the CPU that issued it', () => {
  const waits = (waiter: number): string =>
    onBroadcast(
      (tree) => [
        function* (cpu): Steps<void> {
          yield* cpu.xchg(tree.pte, 0);
          yield* cpu.invalidate(EVERYTHING);
          if (waiter === 0) yield* cpu.invalidationBarrier();
          yield* cpu.writeOnce(tree.pte + 1, 2);
        },
        undefined,
        function* (cpu): Steps<void> {
          yield* cpu.waitFor(tree.pte + 1, 'notEqual', 0);
          if (waiter === 2) yield* cpu.invalidationBarrier();
          yield* cpu.free('page', tree.pages[0]!);
        },
      ],
      { cpus: 3 },
    );
  expect(waits(0)).toBe('holds');
  expect(waits(2)).toBe('O1');
});

test('an entry that is changed after the broadcast was issued is not covered', () => {
  expect(
    onBroadcast((tree) => [
      function* (cpu): Steps<void> {
        yield* cpu.invalidate(EVERYTHING);
        yield* cpu.xchg(tree.pte, 0);
        yield* cpu.invalidationBarrier();
        yield* cpu.free('page', tree.pages[0]!);
      },
    ]),
  ).toBe('O1');
});

test('an entry that came back meanwhile is not covered when it goes again', () => {
  const again = (second: boolean): string =>
    onBroadcast(
      (tree) => [
        function* (cpu): Steps<void> {
          yield* cpu.xchg(tree.pte, mkEntry(tree.pages[0]!, RO));
          yield* cpu.invalidate(EVERYTHING);
          yield* cpu.xchg(tree.pte, mkEntry(tree.pages[0]!, CLEAN));
          yield* cpu.xchg(tree.pte, mkEntry(tree.pages[0]!, RO));
          yield* cpu.invalidationBarrier();
          if (second) yield* flush(cpu);
          cpu.claim.limit(tree.root, FIRST, 'read');
        },
      ],
      { flags: CLEAN },
    );
  expect(again(true)).toBe('holds');
  expect(again(false)).toBe('O2');
});

test('what is found by a way that the broadcast covers goes with it', () => {
  const unlink = (scope: Scope) => (tree: Tree) => [
    function* (cpu: Cpu): Steps<void> {
      yield* cpu.xchg(tree.pmd, 0);
      yield* flush(cpu, scope);
      yield* cpu.free('page', tree.pages[0]!);
    },
  ];
  expect(onBroadcast(unlink(EVERYTHING), { flags: WRITTEN })).toBe('holds');
  // The pointer to the table stays, and page 0 is found through it again.
  expect(onBroadcast(unlink(LEAVES), { flags: WRITTEN })).toBe('O1');
});
