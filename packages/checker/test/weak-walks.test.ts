/**
 * Page walks under weak: they may read an entry that was overwritten, as long as their CPU does not know of it.
 */
import { ALL, ALL_ASIDS, type Cpu, mkEntry, type Scope, type Steps } from '@mmu-gather/core/stepped';
import { describe, expect, test } from 'vitest';
import { type Body, search } from '../src/index.ts';
import { flushAll, flushOthers, onTree, type Stage, type Tree, verdict, WRITTEN } from './page-tables.ts';

const EVERYTHING: Scope = { asid: ALL_ASIDS, leaves: ALL, walks: ALL, globals: false, broadcast: true };

describe.for([true, false])('multi-copy atomic: %s', (multiCopyAtomic) => {
  const under = (threads: (tree: Tree) => readonly (Body | undefined)[], stage: Stage = {}): string =>
    verdict(onTree(threads, { weak: true, isa: { broadcasts: true, cleanWalks: false, multiCopyAtomic }, ...stage }));

  /** Clears the entry of page 0, flushes, and frees the page; CPU 1 stands in user mode. */
  const unmap = (clear: (cpu: Cpu, pte: number) => Steps<unknown>, ...barriers: ('before' | 'after')[]): string =>
    under((tree) => [
      function* (cpu): Steps<void> {
        yield* clear(cpu, tree.pte);
        if (barriers.includes('before')) yield* cpu.smpMb();
        yield* cpu.invalidate(EVERYTHING);
        if (barriers.includes('after')) yield* cpu.invalidationBarrier();
        yield* cpu.free('page', tree.pages[0]!);
      },
    ]);
  const store = (cpu: Cpu, pte: number): Steps<unknown> => cpu.writeOnce(pte, 0);

  test('a store must be ordered before the broadcast, and the broadcast waited for', () => {
    expect(unmap(store, 'before', 'after')).toBe('holds');
    expect(unmap(store, 'after')).toBe('O1');
    expect(unmap(store, 'before')).toBe('O1');
  });

  test('an atomic with a result is, one without is not', () => {
    expect(unmap((cpu, pte) => cpu.xchg(pte, 0), 'after')).toBe('holds');
    expect(unmap((cpu, pte) => cpu.xchg(pte, 0, 'relaxed'), 'after')).toBe('O1');
    expect(unmap((cpu, pte) => cpu.atomicAndNot(pte, -1), 'after')).toBe('O1');
    const swap = (...order: 'relaxed'[]): string =>
      unmap(function* (cpu, pte): Steps<void> {
        yield* cpu.cmpxchg(pte, yield* cpu.readOnce(pte), 0, ...order);
      }, 'after');
    expect([swap(), swap('relaxed')]).toEqual(['holds', 'O1']);
  });

  /** CPU 2 finds an entry that CPU 0 has cleared, flushes, and frees the page; CPU 1 stands in user mode. */
  const onBehalf = (...barrier: 'stores'[]): string =>
    under(
      (tree) => [
        (cpu): Steps<void> => cpu.writeOnce(tree.pte, 0),
        undefined,
        function* (cpu): Steps<void> {
          if ((yield* cpu.readOnce(tree.pte)) !== 0) return;
          yield* cpu.smpMb(...barrier);
          yield* cpu.invalidate(EVERYTHING);
          yield* cpu.invalidationBarrier();
          yield* cpu.free('page', tree.pages[0]!);
        },
      ],
      // Where CPU 2 comes too early nobody flushes.
      { cpus: 3, oraclesOff: ['O12'] },
    );

  test("a barrier of stores orders own stores, and not what was read of another CPU's (V2I-R-DSB.ST)", () => {
    const own = under((tree) => [
      function* (cpu): Steps<void> {
        yield* cpu.writeOnce(tree.pte, 0);
        yield* cpu.smpMb('stores');
        yield* cpu.invalidate(EVERYTHING);
        yield* cpu.invalidationBarrier();
        yield* cpu.free('page', tree.pages[0]!);
      },
    ]);
    expect([own, onBehalf(), onBehalf('stores')]).toEqual(['holds', 'holds', 'O1']);
  });

  test('an interrupt tells its CPU, too', () => {
    const shootdown = (tree: Tree): readonly Body[] => [
      function* (cpu): Steps<void> {
        yield* cpu.writeOnce(tree.pte, 0);
        yield* flushOthers(cpu, 1);
        yield* cpu.free('page', tree.pages[0]!);
      },
    ];
    expect(under(shootdown, { handlers: [flushAll] })).toBe('holds');
  });

  /** CPU 1 loads the context when it has seen a store that comes after the entry was cleared. */
  const arrives = (how: 'acquire' | 'barriers' | 'neither'): string =>
    under(
      (tree) => [
        function* (cpu): Steps<void> {
          yield* cpu.writeOnce(tree.pte, 0);
          if (how === 'barriers') yield* cpu.smpMb();
          const other = mkEntry(tree.pages[2]!, WRITTEN);
          yield* how === 'acquire' ? cpu.storeRelease(tree.pte + 1, other) : cpu.writeOnce(tree.pte + 1, other);
          yield* cpu.free('page', tree.pages[0]!);
        },
        function* (cpu): Steps<void> {
          const seen = yield* how === 'acquire' ? cpu.loadAcquire(tree.pte + 1) : cpu.readOnce(tree.pte + 1);
          if (seen === 0) return;
          if (how === 'barriers') yield* cpu.smpMb();
          yield* cpu.loadContext(tree.root, 0, false);
          yield* cpu.enterUser();
        },
      ],
      { loaded: [] },
    );

  test('a context that is loaded late sees what its CPU knows', () => {
    expect((['acquire', 'barriers', 'neither'] as const).map(arrives)).toEqual(['holds', 'holds', 'O1']);
  });

  test('and may see an older entry if it knows nothing', () => {
    const late = (known: boolean): string =>
      under(
        (tree) => [
          function* (cpu): Steps<void> {
            yield* cpu.writeOnce(tree.pte, 0);
            if (known) yield* cpu.smpMb();
            yield* cpu.free('page', tree.pages[0]!);
          },
          function* (cpu): Steps<void> {
            yield* cpu.awaitIpis();
            if (known) yield* cpu.waitFor(tree.pte, 'equal', 0);
            yield* cpu.loadContext(tree.root, 0, false);
            yield* cpu.enterUser();
          },
        ],
        { loaded: [] },
      );
    expect([late(true), late(false)]).toEqual(['holds', 'O1']);
  });
});

test('a fence that tells others of an entry is taken in every order, though nobody looks at the entry any more', () => {
  const machine = onTree(
    (tree) => [
      function* (cpu): Steps<void> {
        yield* cpu.writeOnce(tree.pte, 0);
        yield* cpu.writeOnce(tree.pte + 1, mkEntry(tree.pages[2]!, WRITTEN));
        yield* cpu.smpMb();
      },
      undefined,
      function* (cpu): Steps<void> {
        // What it has read says nothing of the entry: only the other CPU's fence does, if it comes first.
        if ((yield* cpu.readOnce(tree.pte + 1)) === 0) return;
        yield* cpu.smpMb();
        yield* cpu.invalidate(EVERYTHING);
        yield* cpu.invalidationBarrier();
        yield* cpu.free('page', tree.pages[0]!);
      },
    ],
    { weak: true, cpus: 3, isa: { broadcasts: true, multiCopyAtomic: true }, oraclesOff: ['O12'] },
  );
  const found = (reduce: boolean): string | undefined => search(machine, { reduce }).violation?.oracle;
  expect([found(true), found(false)]).toEqual(['O1', 'O1']);
});
