/**
 * The default tlb_flush of asm-generic/tlb.h (core's generic-tlb-flush.ts). Each architecture here has its own; x86 stands for those that have none.
 */
import { exitMm, munmap } from '@mmu-gather/mm/stepped';
import { type AnyScenario, type BackendOverrides, defineScenario, type Only, thread } from '../scenario.ts';
import { lazySkipped, PAGE, setStage, type Stage } from './stage.ts';

const STANDS_FOR: Only = { archs: ['x86'], why: 'it stands for architectures that have none' };
const GENERIC: BackendOverrides = { x86: { gatherFlush: 'generic' } };

const defaultFlush = defineScenario<Stage>({
  id: 'rfc/default-tlb-flush',
  title: "munmap on an architecture without a tlb_flush of its own: asm-generic's default flushes a range of a VMA",
  source: 'RFC 2021, N. Amit, patch 12; P. Zijlstra, 2021-02-01',
  cpus: 2,
  only: STANDS_FOR,
  profile: { deferral: 'counter' },
  backend: GENERIC,
  setup: (run) => setStage(run, { touched: [0] }),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE))],
  twins: [
    {
      id: 'rfc/D13',
      why: 'the real VMA is passed, and the tables that are freed after it ended have none',
      oracle: 'O16',
      profile: { defaultFlushVma: 'real' },
    },
  ],
});

const defaultExit = defineScenario<Stage>({
  id: 'default-flush/exit',
  title:
    'the last thread exits, another CPU is lazy: the default tlb_flush of a gather of the whole mm is flush_tlb_mm',
  source: 'include/asm-generic/tlb.h tlb_flush',
  cpus: 2,
  only: STANDS_FOR,
  backend: GENERIC,
  setup: (run) => setStage(run, { touched: [0], lazy: [1] }),
  threads: () => [thread((cpu) => exitMm(cpu))],
  twins: [lazySkipped('default-flush/exit')],
});

/** All of them. */
export const DEFAULT_FLUSHES: readonly AnyScenario[] = [defaultFlush, defaultExit];
