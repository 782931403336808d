/**
 * A task that changes entries of the kernel, without a lock, and may be moved to another CPU amid it.
 */
import type { Layout, Run } from '@mmu-gather/checker';
import { type Cell, type Cpu, type Kernel, Mm, preemptible, type Steps, thisRq } from '@mmu-gather/core/stepped';
import { contextSwitch, vmallocInit, vmap } from '@mmu-gather/mm/stepped';
import { mappingOf, PAGE } from './stage.ts';

/** Where a task that began on CPU 0 goes on: still undecided. */
export const NOT_YET: number = 0;

/** On another CPU. */
export const MOVED: number = 1;

/** On the same. */
export const STAYED = 2;

/** Two pages of the kernel, and a task that may be moved. */
export interface KernelPage {
  /** init_mm. */
  readonly initMm: Mm;
  /** Two addresses of the kernel that are mapped, and their entries. */
  readonly first: number;
  /** See {@link first}. */
  readonly firstPte: Cell;
  /** The other one. */
  readonly second: number;
  /** See {@link second}. */
  readonly secondPte: Cell;
  /** Where the task goes on. */
  readonly where: Cell;
}

let whereCell = 0;

/** Where a task goes on. */
export function reserveWhere(layout: Layout): void {
  whereCell = layout.reserve('where', ['']);
}

/** Maps the two pages. */
export function mapKernelPages(run: Run, kernel: Kernel): KernelPage {
  run(0, vmallocInit);
  const initMm = Mm.at(kernel.initMm);
  const map = (): number => {
    const frame = run(0, (cpu) => cpu.alloc('page'));
    return run(0, (cpu) => vmap(cpu, [frame]));
  };
  const first = map();
  const second = map();
  const pte = (at: number): Cell => mappingOf(run, initMm, at).pte;
  return { initMm, first, firstPte: pte(first), second, secondPte: pte(second), where: whereCell };
}

/** No CPU may use the address any more. */
export function claimGone(cpu: Cpu, at: number): void {
  cpu.claim.reassigned({ start: at, end: at + PAGE });
}

/** The scheduler moves the task, if it may be preempted: what it knows of its sections goes along. */
export function* mayMove(cpu: Cpu, where: Cell): Steps<boolean> {
  const moves = preemptible(cpu);
  if (moves) {
    yield* contextSwitch(cpu, null);
    cpu.write(thisRq(cpu).lazyMmu, 0);
  }
  yield* cpu.storeRelease(where, moves ? MOVED : STAYED);
  return moves;
}
