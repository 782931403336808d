/**
 * One CPU of a stress run, from its first mm to its last.
 *
 *     begin    CPU 0 fills the slots; all meet
 *     work     random operations until the time is over
 *     end      all meet; CPU 0 empties the slots; every CPU moves to an empty mm of its own; all meet: nothing may be left
 */
import { FILE_PAGES, VM_READ, VM_WRITE } from '@mmu-gather/core';
import { allocMapping, contextSwitch, filemapAdd, mmAlloc, mmap, mmput } from '@mmu-gather/mm';
import { Chance, type Machine, meet, type ThreadCpu } from '@mmu-gather/threads';
import type { StressConfig } from './config.ts';
import { type Operation, OPERATIONS } from './operations.ts';
import { getSlot, putSlot } from './slots.ts';
import { PAGE, type Shared, sharedWords, SLOTS } from './space.ts';
import { Task } from './task.ts';

const TOTAL = OPERATIONS.reduce((sum, { weight }) => sum + weight, 0);
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
  while (cpu.readOnce(shared.over) === 0) step(task);
  end(machine, task);
}

function begin(cpu: ThreadCpu, shared: Shared): void {
  const file = allocMapping(cpu);
  for (let index = 0; index < FILE_PAGES; index++) filemapAdd(cpu, file, index, 100 + index);
  cpu.write(shared.file, file.address);
  for (let slot = 0; slot < SLOTS; slot++) {
    const mm = mmAlloc(cpu);
    mmap(cpu, mm, 0, FIRST_PAGES * PAGE, VM_READ | VM_WRITE);
    putSlot(cpu, shared, slot, mm);
  }
}

function step(task: Task): void {
  const { cpu, chance, shared } = task;
  const operation = choose(chance.below(TOTAL));
  cpu.enterKernel();
  cpu.events.note(cpu.id, 'op', OPERATIONS.indexOf(operation));
  operation.run(task);
  const count = shared.count(cpu.id, 'operations');
  cpu.write(count, cpu.read(count) + 1);
}

function choose(at: number): Operation {
  let left = at;
  return OPERATIONS.find(({ weight }) => (left -= weight) < 0)!;
}

function end({ memory }: Machine, { cpu, shared, mm }: Task): void {
  contextSwitch(cpu, null);
  mmput(cpu, mm);
  meet(memory, cpu);
  if (cpu.id === 0) for (let slot = 0; slot < SLOTS; slot++) putSlot(cpu, shared, slot, null);
  meet(memory, cpu);
  // Leaves what it borrowed.
  contextSwitch(cpu, mmAlloc(cpu));
  meet(memory, cpu);
  for (let turn = 0; cpu.deferred > 0; turn++) cpu.idle(turn);
  meet(memory, cpu);
  if (cpu.id === 0) checkNothingLeft(cpu);
  meet(memory, cpu);
}

/** The pages of the file are left, and of each CPU an mm with its top-level table. */
function checkNothingLeft(cpu: ThreadCpu): void {
  const { cpus } = cpu.kernel;
  const expected = { page: FILE_PAGES, mm: cpus, table: cpus, vma: 0 } as const;
  const wrong = (Object.entries(expected) as [keyof typeof expected, number][])
    .map(([cache, count]) => ({ cache, count, live: cpu.objects.live(cache) }))
    .filter(({ count, live }) => live !== count)
    .map(({ cache, count, live }) => `${live} of '${cache}' instead of ${count}`);
  cpu.claim.that(wrong.length === 0, 'O16', `all address spaces are gone, and there are ${wrong.join(', ')}`);
}
