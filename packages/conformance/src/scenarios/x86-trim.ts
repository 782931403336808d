/**
 * x86: CPUs that run another mm leave mm_cpumask when they are interrupted, once in a while (since 6.13).
 */
import type { Body, Layout, Run } from '@mmu-gather/checker';
import { type Cell, type Cpu, type Mm, type Steps } from '@mmu-gather/core/stepped';
import { contextSwitch, mmAlloc } from '@mmu-gather/mm/stepped';
import { mmNextTrimCpumask } from '@mmu-gather/x86/stepped';
import { type AnyScenario, defineScenario, type Only, thread, type Where } from '../scenario.ts';
import { setStage, type Stage } from './stage.ts';

const X86_ONLY: Only = { archs: ['x86'], why: 'it is about CPUs of x86' };
const TRIMS: Where = { backend: { x86: { trimCpumask: true } } };
const SOURCE = 'arch/x86/mm/tlb.c should_trim_cpumask, flush_tlb_func (6.13)';

const atOnce = defineScenario<Stage>({
  id: 'trim/two-at-once',
  title: 'two CPUs that run other mms leave the mask at once: both are gone',
  source: SOURCE,
  cpus: 3,
  only: X86_ONLY,
  where: TRIMS,
  // Time stands still here: it is always due.
  backend: { x86: { hz: -1 } },
  pools: { mm: 4, page: 8, table: 12 },
  setup(run) {
    const stage = setStage(run, { touched: [0], running: [0, 1, 2], inKernel: [1, 2] });
    for (const n of [1, 2]) {
      const other = run(n, mmAlloc);
      run(n, (cpu) => contextSwitch(cpu, other));
    }
    return stage;
  },
  threads: ({ mm }, kernel) => [thread((cpu) => kernel.backend.flushTlbPage(cpu, mm, 0))],
  final: (peek, { mm }) => (peek(mm.cpumask) === 1 ? undefined : 'a CPU that does not run the mm is in its mask'),
  twins: [
    {
      id: 'trim/two-at-once/never-due',
      why: 'nobody looks',
      oracle: 'assert',
      backend: { x86: { trimCpumask: false } },
    },
  ],
});

interface Going extends Stage {
  readonly other: Mm;
  readonly turn: Cell;
}

/** Reserved before any kernel exists, so where it is is the same in all runs. */
let turnCell: Cell = 0;

function* onTurn(cpu: Cpu, turn: Cell, n: number, work: (cpu: Cpu) => Steps<unknown>): Steps<void> {
  yield* cpu.waitFor(turn, 'equal', n);
  yield* work(cpu);
  yield* cpu.storeRelease(turn, n + 1);
}

/** CPU 0 flushes; CPU 1 goes to another mm; CPU 0 flushes again. */
function inTurns({ mm, other, turn }: Going): readonly Body[] {
  const flush = (cpu: Cpu): Steps<void> => cpu.kernel.backend.flushTlbPage(cpu, mm, 0);
  return [
    thread(function* (cpu) {
      yield* onTurn(cpu, turn, 0, flush);
      yield* onTurn(cpu, turn, 2, flush);
    }),
    thread((cpu) => onTurn(cpu, turn, 1, (c) => contextSwitch(c, other))),
  ];
}

const seldom = defineScenario<Going>({
  id: 'trim/once-in-a-while',
  title:
    'a flush looks for CPUs that run other mms, and the next one does not: a CPU that went away in between is left in peace',
  source: SOURCE,
  cpus: 2,
  only: X86_ONLY,
  where: TRIMS,
  sequential: 'the two take turns',
  reserve(layout: Layout) {
    turnCell = layout.reserve('turn', ['']);
  },
  setup(run: Run) {
    const stage = setStage(run, { touched: [0], inKernel: [1] });
    const other = run(1, mmAlloc);
    // Time stands still here: it is due once.
    run(0, function* (cpu) {
      cpu.write(mmNextTrimCpumask(stage.mm), -1);
    });
    return { ...stage, other, turn: turnCell };
  },
  threads: inTurns,
  final: (peek, { mm }) => (peek(mm.cpumask) === 3 ? undefined : 'a CPU was interrupted that runs another mm'),
  twins: [
    {
      id: 'trim/once-in-a-while/always',
      why: 'it is always due',
      oracle: 'assert',
      backend: { x86: { hz: -1 } },
    },
  ],
});

/** All of them. */
export const X86_TRIM: readonly AnyScenario[] = [atOnce, seldom];
