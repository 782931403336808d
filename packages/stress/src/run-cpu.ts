/**
 * One CPU of a stress run, from its first mm to its last.
 *
 *     begin    CPU 0 fills the slots; all meet
 *     work     random operations until the time is over
 *     end      all meet; CPU 0 empties the slots; every CPU moves to an empty mm of its own; all meet: nothing may be left
 */
import { type Address, entryTarget, FILE_PAGES, Mm, putPage, tableEntries, VM_READ, VM_WRITE } from '@mmu-gather/core';
import {
  allocMapping,
  contextSwitch,
  filemapAdd,
  leadsToTable,
  mmAlloc,
  mmap,
  mmput,
  vmallocInit,
  vunmap,
} from '@mmu-gather/mm';
import { Chance, type Machine, meet, type ThreadCpu } from '@mmu-gather/threads';
import type { StressConfig } from './config.ts';
import { type Operation, OPERATIONS } from './operations.ts';
import { getSlot, putSlot } from './slots.ts';
import { AREAS, PAGE, type Shared, sharedWords, SLOTS } from './space.ts';
import { Task } from './task.ts';

/** Pages that a fresh mm maps. */
const FIRST_PAGES = 10;

/** Runs a CPU to its end. @throws Stopped if the run ended before; and whatever kernel code throws that cannot go on */
export function runCpu(machine: Machine, { seed }: StressConfig, cpu: ThreadCpu): void {
  const shared = sharedWords(machine.memory.own);
  if (cpu.id === 0) begin(cpu, shared);
  meet(machine.memory, cpu);
  const mm = getSlot(cpu, shared, 0);
  contextSwitch(cpu, mm);
  const task = new Task(cpu, shared, new Chance(seed * 64 + 32 + cpu.id), mm);
  const operations = OPERATIONS.filter(({ notOn }) => notOn !== cpu.kernel.backend.id);
  while (cpu.readOnce(shared.over) === 0) step(task, operations);
  end(machine, task);
}

function begin(cpu: ThreadCpu, shared: Shared): void {
  vmallocInit(cpu);
  const file = allocMapping(cpu);
  for (let index = 0; index < FILE_PAGES; index++) filemapAdd(cpu, file, index, 100 + index);
  cpu.write(shared.file, file.address);
  for (let slot = 0; slot < SLOTS; slot++) {
    const mm = mmAlloc(cpu);
    mmap(cpu, mm, 0, FIRST_PAGES * PAGE, VM_READ | VM_WRITE);
    putSlot(cpu, shared, slot, mm);
  }
}

function step(task: Task, operations: readonly Operation[]): void {
  const { cpu, chance, shared } = task;
  const operation = choose(operations, chance);
  cpu.enterKernel();
  cpu.events.note(cpu.id, 'op', OPERATIONS.indexOf(operation));
  operation.run(task);
  const count = shared.count(cpu.id, 'operations');
  cpu.write(count, cpu.read(count) + 1);
}

function choose(operations: readonly Operation[], chance: Chance): Operation {
  let left = chance.below(operations.reduce((sum, { weight }) => sum + weight, 0));
  return operations.find(({ weight }) => (left -= weight) < 0)!;
}

function end({ memory }: Machine, { cpu, shared, mm }: Task): void {
  contextSwitch(cpu, null);
  mmput(cpu, mm);
  meet(memory, cpu);
  if (cpu.id === 0) empty(cpu, shared);
  meet(memory, cpu);
  // Leaves what it borrowed.
  contextSwitch(cpu, mmAlloc(cpu));
  meet(memory, cpu);
  for (let turn = 0; cpu.deferred > 0; turn++) cpu.idle(turn);
  meet(memory, cpu);
  if (cpu.id === 0) checkNothingLeft(cpu);
  meet(memory, cpu);
}

/** Slots and areas. */
function empty(cpu: ThreadCpu, shared: Shared): void {
  for (let slot = 0; slot < SLOTS; slot++) putSlot(cpu, shared, slot, null);
  for (let n = 0; n < AREAS; n++) {
    const { page, address } = shared.area(n);
    if (cpu.read(page) === 0) continue;
    vunmap(cpu, cpu.read(address));
    putPage(cpu, cpu.read(page));
  }
}

/** The pages of the file are left, of each CPU an mm with its top-level table, and the kernel's own tables. */
function checkNothingLeft(cpu: ThreadCpu): void {
  const { cpus, geometry, initMm } = cpu.kernel;
  const kernelTables = tablesUnder(cpu, cpu.read(Mm.at(initMm).pgd), geometry.bits.length - 1);
  const expected = { page: FILE_PAGES, mm: cpus, table: cpus + kernelTables, vma: 0 } as const;
  const wrong = (Object.entries(expected) as [keyof typeof expected, number][])
    .map(([cache, count]) => ({ cache, count, live: cpu.objects.live(cache) }))
    .filter(({ count, live }) => live !== count)
    .map(({ cache, count, live }) => `${live} of '${cache}' instead of ${count}`);
  cpu.claim.that(wrong.length === 0, 'O16', `all address spaces are gone, and there are ${wrong.join(', ')}`);
}

/** A table, and all that it leads to. */
function tablesUnder(cpu: ThreadCpu, table: Address, level: number): number {
  if (level === 0) return 1;
  let tables = 1;
  for (let i = 0; i < tableEntries(cpu.kernel.geometry, level); i++) {
    const entry = cpu.readOnce(table + i);
    if (leadsToTable(entry)) tables += tablesUnder(cpu, entryTarget(entry), level - 1);
  }
  return tables;
}
