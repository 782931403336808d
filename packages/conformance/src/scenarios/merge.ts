/**
 * VMAs that are merged while a flush is on record in one of them.
 */
import type { Body, Run } from '@mmu-gather/checker';
import { type Cpu, type Mm, type Profile, type Steps, VM_READ } from '@mmu-gather/core/stepped';
import { changeProtNuma, mprotect, vmaLookup, vmaMerge } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { COMPLETED, GENERATIONS } from './generations.ts';
import { pendingReader } from './pending-reader.ts';
import { PAGE, RW_MEMORY, setStage, type Stage } from './stage.ts';

const PROFILE: Partial<Profile> = { ...GENERATIONS, deferral: 'vma-gen', vmaMerge: true };

/** Two VMAs of a page each, the first one read-only: mprotect makes them alike. The second page is in use on CPU 2. */
function twoVmas(run: Run): Stage {
  const stage = setStage(run, { touched: [1], running: [0, 1, 2], inKernel: [1] });
  run(0, (cpu) => mprotect(cpu, stage.mm, 0, PAGE, VM_READ));
  return stage;
}

/** CPU 0 defers in the second VMA; CPU 1 merges the two, and asks about the page of the second. */
function deferAndMerge(mm: Mm, merge: (cpu: Cpu) => Steps<unknown>): readonly Body[] {
  return [
    thread((cpu) => changeProtNuma(cpu, mm, PAGE, 2 * PAGE)),
    thread(function* (cpu) {
      yield* merge(cpu);
      yield* pendingReader(cpu, mm, PAGE);
    }),
  ];
}

/** Merges under mmap_lock for read. */
function* mergeAsReader(cpu: Cpu, mm: Mm): Steps<void> {
  yield* cpu.downRead(mm.mmapLock);
  yield* vmaMerge(cpu, mm, vmaLookup(cpu, mm, 0)!, vmaLookup(cpu, mm, PAGE)!);
  yield* cpu.upRead(mm.mmapLock);
}

const merge = defineScenario<Stage>({
  id: 'generations/merge',
  title:
    'mprotect makes two VMAs one while NUMA hinting defers a flush in the second: its record is dropped, and its flush is done by then',
  source: 'RFC 2021, N. Amit, patch 15',
  cpus: 3,
  profile: PROFILE,
  backend: COMPLETED,
  setup: twoVmas,
  threads: ({ mm }) => deferAndMerge(mm, (cpu) => mprotect(cpu, mm, 0, PAGE, RW_MEMORY)),
  twins: [
    {
      id: 'generations/merge/not-excluded',
      why: 'mmap_lock is held for read only, which keeps nobody out who defers',
      oracle: ['O9', 'race'],
      property: 'SAC',
      profile: { vmaWriters: 'none' },
      threads: ({ mm }) => deferAndMerge(mm, (cpu) => mergeAsReader(cpu, mm)),
    },
    {
      id: 'generations/merge/record-late',
      why: 'nothing is on record until a gather flushes: who asks between a change and its flush is told that all is settled',
      oracle: ['O9', 'O10', 'O1'],
      property: 'SAC',
      profile: { recordDeferral: 'flush' },
    },
  ],
});

/** All of them. */
export const MERGES: readonly AnyScenario[] = [merge];
