/**
 * A page that the kernel has mapped at an address of its own, and one to map there next.
 */
import type { Run } from '@mmu-gather/checker';
import type { Address, Cpu, Steps } from '@mmu-gather/core/stepped';
import { vmallocInit, vmap, vunmap } from '@mmu-gather/mm/stepped';

/** What is mapped. */
export interface Mapped {
  /** The page, and the next one. */
  readonly frames: readonly Address[];
  /** Where. */
  readonly at: number;
}

/** Maps a page, on CPU 0. */
export function kernelMapping(run: Run): Mapped {
  run(0, vmallocInit);
  const frames = [0, 1].map(() => run(0, (cpu) => cpu.alloc('page')));
  return { frames, at: run(0, (cpu) => vmap(cpu, [frames[0]!])) };
}

/** It is unmapped and freed, and its address handed out again. */
export function* mapNext(cpu: Cpu, { frames, at }: Mapped): Steps<void> {
  yield* vunmap(cpu, at);
  yield* cpu.free('page', frames[0]!);
  yield* vmap(cpu, [frames[1]!]);
}
