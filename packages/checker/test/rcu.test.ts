/**
 * RCU: what a reader found stays until it leaves; what waits goes on when the last reader of its start has left.
 */
import { type Cpu, entryTarget, type Steps } from '@mmu-gather/core/stepped';
import { expect, test } from 'vitest';
import { search } from '../src/index.ts';
import { onTree, type Tree, verdict } from './page-tables.ts';

/** Reads an entry of the table that the root points to, if there is one. */
function* walk(cpu: Cpu, tree: Tree): Steps<void> {
  if ((yield* cpu.readOnce(tree.pmd)) !== 0) yield* cpu.readOnce(tree.pte);
}

function* walkUnderRcu(cpu: Cpu, tree: Tree): Steps<void> {
  yield* cpu.rcuReadLock();
  yield* walk(cpu, tree);
  yield* cpu.rcuReadUnlock();
}

function* walkWithIrqsOff(cpu: Cpu, tree: Tree): Steps<void> {
  yield* cpu.localIrqDisable();
  yield* walk(cpu, tree);
  yield* cpu.localIrqEnable();
}

const readers = [
  ['rcu_read_lock', walkUnderRcu],
  ['interrupts off', walkWithIrqsOff],
] as const;

test.for(readers.flatMap(([name, reader]) => ['sc', 'tso'].map((model) => [name, model, reader] as const)))(
  '%s, %s: a table freed at once is read after it; one that is freed by RCU is not',
  ([, model, reader]) => {
    const program = (free: (cpu: Cpu, tree: Tree) => Steps<void>) =>
      onTree(
        (tree) => [
          function* (cpu): Steps<void> {
            yield* cpu.xchg(tree.pmd, 0);
            yield* free(cpu, tree);
          },
          (cpu) => reader(cpu, tree),
        ],
        { loaded: [], tso: model === 'tso' },
      );
    for (const strategy of ['states', 'dpor'] as const) {
      expect(
        search(
          program((cpu, tree) => cpu.free('table', tree.table)),
          { strategy },
        ).violation?.oracle,
      ).toBe('O5');
      expect(
        search(
          program((cpu, tree) => cpu.freeRcu('table', tree.table)),
          { strategy },
        ).verdict,
      ).toBe('holds');
      const synchronized = program(function* (cpu, tree): Steps<void> {
        yield* cpu.synchronizeRcu();
        yield* cpu.free('table', tree.table);
      });
      expect(search(synchronized, { strategy }).verdict).toBe('holds');
    }
  },
);

test('a reader that begins after the entry was cleared is not waited for, and its section may go on', () => {
  // CPU 1 never leaves: only a reader of the beginning would keep the table.
  const machine = onTree(
    (tree) => [
      function* (cpu): Steps<void> {
        yield* cpu.xchg(tree.pmd, 0);
        yield* cpu.synchronizeRcu();
        yield* cpu.free('table', tree.table);
        yield* cpu.xchg(tree.pages[0]!, 1);
      },
      function* (cpu): Steps<void> {
        yield* cpu.waitFor(tree.pages[0]!, 'equal', 1);
        yield* cpu.rcuReadLock();
        yield* walk(cpu, tree);
      },
    ],
    { loaded: [] },
  );
  expect(search(machine).verdict).toBe('holds');
});

test('synchronize_rcu in a reader never ends', () => {
  const machine = onTree(
    () => [
      function* (cpu): Steps<void> {
        yield* cpu.rcuReadLock();
        yield* cpu.synchronizeRcu();
      },
    ],
    { loaded: [] },
  );
  expect(search(machine).violation?.oracle).toBe('deadlock');
});

test('a reader may use the object until it leaves, and not a step longer', () => {
  const late = onTree(
    (tree) => [
      function* (cpu): Steps<void> {
        yield* cpu.xchg(tree.pmd, 0);
        yield* cpu.freeRcu('table', tree.table);
      },
      function* (cpu): Steps<void> {
        yield* walkUnderRcu(cpu, tree);
        yield* cpu.readOnce(tree.pte);
      },
    ],
    { loaded: [] },
  );
  expect(search(late).violation?.oracle).toBe('O5');
});

/**
 * CPUs 1 and on are inside a section when CPU 0 frees the table by RCU; `then` goes on from there, the table's entry still at hand.
 */
function insideWhenFreed(...then: ((cpu: Cpu, tree: Tree) => Steps<unknown>)[]): string {
  const machine = onTree(
    (tree) => [
      function* (cpu): Steps<void> {
        yield* cpu.waitFor(tree.pages[2]!, 'equal', then.length);
        yield* cpu.freeRcu('table', tree.table);
        yield* cpu.xchg(tree.pages[3]!, 1);
      },
      ...then.map(
        (next) =>
          function* (cpu: Cpu): Steps<void> {
            yield* cpu.rcuReadLock();
            yield* cpu.atomicAdd(tree.pages[2]!, 1);
            yield* cpu.waitFor(tree.pages[3]!, 'equal', 1);
            yield* next(cpu, tree);
          },
      ),
    ],
    { cpus: 1 + then.length, loaded: [], oraclesOff: ['O4'] },
  );
  return verdict(machine);
}

test('a table that waited is free when the last of its readers has left', () => {
  const read = (cpu: Cpu, tree: Tree): Steps<number> => cpu.readOnce(tree.pte);
  const leave = (cpu: Cpu): Steps<void> => cpu.rcuReadUnlock();
  const stay = function* (cpu: Cpu, tree: Tree): Steps<void> {
    yield* read(cpu, tree);
  };
  const leaveAndRead = function* (cpu: Cpu, tree: Tree): Steps<void> {
    yield* leave(cpu);
    yield* read(cpu, tree);
  };
  const nestAndRead = function* (cpu: Cpu, tree: Tree): Steps<void> {
    yield* cpu.rcuReadLock();
    yield* leave(cpu);
    yield* cpu.localIrqDisable();
    yield* cpu.localIrqEnable();
    yield* read(cpu, tree);
    yield* leave(cpu);
  };
  expect(insideWhenFreed(stay)).toBe('holds');
  expect(insideWhenFreed(leaveAndRead)).toBe('O5');
  expect(insideWhenFreed(nestAndRead)).toBe('holds');
  // As long as one of them stays, the others may use it, in a section or not.
  expect(insideWhenFreed(leaveAndRead, stay)).toBe('holds');
  expect(insideWhenFreed(leaveAndRead, leave)).toBe('O5');
});

test('the end of a handler is the end of a reader', () => {
  const machine = (reads: boolean) =>
    onTree(
      (tree) => [
        function* (cpu): Steps<void> {
          yield* cpu.sendIpi(1, 0, tree.pages[2]!);
          yield* cpu.waitFor(tree.pages[2]!, 'equal', 1);
          yield* cpu.freeRcu('table', tree.table);
          yield* cpu.xchg(tree.pages[2]!, 2);
          yield* cpu.awaitIpis();
          if (reads) yield* cpu.readOnce(tree.pte);
        },
      ],
      {
        loaded: [],
        oraclesOff: ['O4'],
        handlers: [
          function* (cpu, flag): Steps<void> {
            yield* cpu.xchg(flag, 1);
            yield* cpu.waitFor(flag, 'equal', 2);
          },
        ],
      },
    );
  expect(verdict(machine(false))).toBe('holds');
  expect(verdict(machine(true))).toBe('O5');
});

test('what is freed by RCU twice, and an unlock without a lock, are found', () => {
  const twice = onTree(
    (tree) => [
      function* (cpu): Steps<void> {
        yield* cpu.rcuReadLock();
        yield* cpu.freeRcu('page', tree.pages[1]!);
        yield* cpu.freeRcu('page', tree.pages[1]!);
        yield* cpu.rcuReadUnlock();
      },
    ],
    { loaded: [] },
  );
  expect(search(twice).violation?.oracle).toBe('O16');
  const unpaired = onTree(() => [(cpu) => cpu.rcuReadUnlock()], { loaded: [] });
  expect(search(unpaired).violation?.oracle).toBe('O16');
});

test('nested sections, and interrupts on inside one, end with the outermost', () => {
  const machine = onTree(
    (tree) => [
      function* (cpu): Steps<void> {
        yield* cpu.xchg(tree.pmd, 0);
        yield* cpu.freeRcu('table', tree.table);
      },
      function* (cpu): Steps<void> {
        yield* cpu.rcuReadLock();
        yield* walkWithIrqsOff(cpu, tree);
        yield* walkUnderRcu(cpu, tree);
        yield* walk(cpu, tree);
        yield* cpu.rcuReadUnlock();
      },
    ],
    { loaded: [] },
  );
  // The walks that began before the entry was cleared keep the table; the first of them alone may see it cleared.
  expect(search(machine).verdict).toBe('holds');
});

test('a handler is a reader while it runs', () => {
  const machine = (free: 'freeRcu' | 'free') =>
    onTree(
      (tree) => [
        function* (cpu): Steps<void> {
          yield* cpu.sendIpi(1, 0, tree.root);
          yield* cpu.xchg(tree.pmd, 0);
          yield* cpu[free]('table', tree.table);
          yield* cpu.awaitIpis();
        },
      ],
      {
        loaded: [],
        handlers: [
          function* (cpu, root): Steps<void> {
            const pmd = yield* cpu.readOnce(root);
            if (pmd !== 0) yield* cpu.readOnce(entryTarget(pmd));
          },
        ],
      },
    );
  for (const strategy of ['states', 'dpor'] as const) {
    expect(search(machine('free'), { strategy }).violation?.oracle).toBe('O5');
    expect(search(machine('freeRcu'), { strategy }).verdict).toBe('holds');
  }
});
