/**
 * Footprints of the steps that oracles, RCU and the kernel's own table are about: what a search takes for independent commutes.
 */
import { type Cpu, Mm, mkEntry, type OracleId, type Steps } from '@mmu-gather/core/stepped';
import { expect, test } from 'vitest';
import { flushAll, flushOthers, onTree, RO, type Tree } from './page-tables.ts';
import { bare } from './programs.ts';
import { contractBreach } from './search-contract.ts';

type Thread = (cpu: Cpu, tree: Tree) => Steps<unknown>;

function* underRcu(cpu: Cpu, tree: Tree): Steps<void> {
  yield* cpu.rcuReadLock();
  if ((yield* cpu.readOnce(tree.pmd)) !== 0) yield* cpu.readOnce(tree.pte);
  yield* cpu.rcuReadUnlock();
}

function* irqsOff(cpu: Cpu, tree: Tree): Steps<void> {
  yield* cpu.localIrqDisable();
  if ((yield* cpu.readOnce(tree.pmd)) !== 0) yield* cpu.writeOnce(tree.pte, 0);
  yield* cpu.localIrqEnable();
}

function* freesByRcu(cpu: Cpu, tree: Tree): Steps<void> {
  yield* cpu.xchg(tree.pmd, 0);
  yield* cpu.freeRcu('table', tree.table);
}

function* synchronizes(cpu: Cpu, tree: Tree): Steps<void> {
  yield* cpu.xchg(tree.pmd, 0);
  yield* cpu.synchronizeRcu();
  yield* cpu.free('table', tree.table);
}

function* protects(cpu: Cpu, tree: Tree): Steps<void> {
  yield* cpu.writeOnce(tree.pte, mkEntry(tree.pages[0]!, RO));
  yield* flushOthers(cpu, 1);
  cpu.claim.stable(tree.pages[0]!, true);
}

function* kernelReads(cpu: Cpu, tree: Tree): Steps<void> {
  yield* cpu.writeOnce(tree.pages[2]!, yield* cpu.kernelRead(0));
}

function* kernelUnmaps(cpu: Cpu, tree: Tree): Steps<void> {
  yield* cpu.writeOnce(Mm.at(cpu.kernel.initMm).pgd, tree.root);
  yield* cpu.xchg(tree.pte, 0);
  yield* flushAll(cpu);
}

function* userWrites(cpu: Cpu): Steps<void> {
  yield* cpu.userWrite(0, 3);
  yield* cpu.enterKernel();
  yield* cpu.enterUser();
}

const programs: readonly (readonly [name: string, ...threads: Thread[]])[] = [
  ['a reader and a free by RCU', freesByRcu, underRcu],
  ['interrupts off and a free by RCU', freesByRcu, irqsOff],
  ['a reader and synchronize_rcu', synchronizes, underRcu],
  ['interrupts off and synchronize_rcu', synchronizes, irqsOff],
  ['two that free by RCU, and a reader', freesByRcu, underRcu, (cpu, tree) => cpu.freeRcu('page', tree.pages[3]!)],
  ['a handler, a reader, and a stable page', protects, userWrites, underRcu],
  ['the kernel reads what another CPU unmaps', kernelUnmaps, kernelReads],
];

/** Violations end executions: without oracles they go on. With them the order of an access and a free matters. */
const sets: readonly (readonly OracleId[])[] = [['O12'], ['O1', 'O4', 'O5', 'O12', 'O13', 'O16']];

test.for(
  programs.flatMap((program) =>
    (['sc', 'tso'] as const).flatMap((model) => sets.map((off) => [model, program[0], off, program] as const)),
  ),
)('%s: %s, without %s', ([model, , oraclesOff, [, ...threads]]) => {
  const machine = onTree((tree) => threads.map((thread) => (cpu) => thread(cpu, tree)), {
    cpus: threads.length,
    tso: model === 'tso',
    oraclesOff,
  });
  expect(contractBreach(machine, 3000)).toBeUndefined();
});

test('readers without anything else that a kernel has', () => {
  const machine = bare(2, {
    setup: () => undefined,
    threads: () => [
      (cpu) => cpu.synchronizeRcu(),
      function* (cpu): Steps<void> {
        yield* cpu.rcuReadLock();
        yield* cpu.rcuReadUnlock();
        yield* cpu.localIrqDisable();
        yield* cpu.localIrqEnable();
      },
    ],
  });
  expect(contractBreach(machine, 3000)).toBeUndefined();
});
