/**
 * RCU: what a reader found stays until it leaves; what waits goes on when the last reader of its start has left.
 */
import type { Cpu, Steps } from '@mmu-gather/core/stepped';
import { expect, test } from 'vitest';
import { search } from '../src/index.ts';
import { onTree, type Tree } from './page-tables.ts';

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
            if (pmd !== 0) yield* cpu.readOnce(Math.floor(pmd / 4096));
          },
        ],
      },
    );
  for (const strategy of ['states', 'dpor'] as const) {
    expect(search(machine('free'), { strategy }).violation?.oracle).toBe('O5');
    expect(search(machine('freeRcu'), { strategy }).verdict).toBe('holds');
  }
});
