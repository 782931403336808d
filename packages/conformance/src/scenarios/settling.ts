/**
 * Who needs an entry settled sees to it himself: under its PTL, whatever the scheme says is pending is flushed (deferralOf(cpu).settle).
 */
import type { Run } from '@mmu-gather/checker';
import {
  type Cpu,
  decTlbFlushPending,
  deferralOf,
  entryCell,
  type Profile,
  type PteAt,
  type Steps,
  tlbEndPtes,
  tlbFlushLevelRange,
  tlbGatherMmu,
  tlbStartPtes,
  tlbStartVma,
  tlbUpdateGeneration,
} from '@mmu-gather/core/stepped';
import { mmAlloc, ptepGet, ptepSetWrprotect, vmaLookup } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { COMPLETED } from './generations.ts';
import { mappingOf, PAGE, setStage, type Page0 } from './stage.ts';

/** A gather of CPU 0 has write-protected page 0 and has not flushed. */
function setDeferred(run: Run): Page0 {
  const stage = setStage(run);
  const { mm } = stage;
  const p0 = mappingOf(run, mm, 0);
  run(0, function* (cpu) {
    const tlb = yield* tlbGatherMmu(cpu, mm);
    tlbStartVma(cpu, tlb, vmaLookup(cpu, mm, 0)!);
    yield* cpu.spinLock(p0.ptl);
    yield* tlbStartPtes(cpu, tlb);
    yield* ptepSetWrprotect(cpu, mm, 0, p0.pte, yield* ptepGet(cpu, p0.pte));
    tlbFlushLevelRange(tlb, 0, PAGE, 0);
    yield* tlbEndPtes(cpu, tlb, p0.table);
    yield* cpu.spinUnlock(p0.ptl);
  });
  return { ...stage, p0 };
}

function at(cpu: Cpu, { mm, p0 }: Page0, address: number): PteAt {
  const pte = entryCell(cpu.kernel.geometry, p0.table, 0, address);
  return { mm, vma: vmaLookup(cpu, mm, 0)!, table: p0.table, pte, address };
}

/** Under the PTL, and then the gather ends: its flush is not needed any more. */
function* relyOn(cpu: Cpu, env: Page0, settles: boolean): Steps<void> {
  const { mm, p0 } = env;
  yield* cpu.spinLock(p0.ptl);
  // What the counter says is of the whole mm: there is no page of which nothing is pending.
  const { deferral } = cpu.kernel.profile;
  const addresses = deferral === 'counter' ? [0] : [PAGE, 0];
  for (const address of settles ? addresses : []) yield* deferralOf(cpu).settle(cpu, at(cpu, env, address));
  cpu.claim.settled(cpu.read(mm.pgd), 0);
  yield* cpu.spinUnlock(p0.ptl);
  yield* decTlbFlushPending(cpu, mm);
}

function settled(deferral: Profile['deferral'], more: Partial<Profile> = {}): AnyScenario {
  return defineScenario<Page0>({
    id: `settle/${deferral}`,
    title: `an entry that another thread may still write through is settled by who finds it (${deferral})`,
    source: 'mm/memory.c do_wp_page; RFC 2021, N. Amit, patch 9',
    cpus: 2,
    profile: { deferral, nestedFinish: 'whole-mm', changeProtection: 'gather', finishSync: 'none', ...more },
    backend: COMPLETED,
    sequential: 'what races is user code, which may write at any time',
    setup: setDeferred,
    threads: (env) => [thread((cpu) => relyOn(cpu, env, true))],
    twins: [
      {
        id: `settle/${deferral}/relied-on`,
        why: 'it is relied on without that',
        oracle: 'O9',
        property: 'LOSTW',
        threads: (env) => [thread((cpu) => relyOn(cpu, env, false))],
      },
    ],
  });
}

const raised = defineScenario<{ readonly cell: number }>({
  id: 'generations/raised-at-once',
  title: 'two CPUs raise a generation: it ends at the higher one, whoever comes last',
  source: 'RFC 2021, N. Amit, patch 8',
  cpus: 2,
  setup: (run) => ({ cell: run(0, mmAlloc).tlbGenDeferred }),
  threads: ({ cell }) => [2, 3].map((gen) => thread((cpu) => tlbUpdateGeneration(cpu, cell, gen))),
  final: (peek, { cell }) => (peek(cell) === 3 ? undefined : `it ends at ${peek(cell)}, and not at 3`),
  twins: [
    {
      id: 'generations/raised-at-once/stored',
      why: 'each looks first and stores then: the lower one may come last',
      oracle: 'assert',
      threads: ({ cell }) =>
        [2, 3].map((gen) =>
          thread(function* (cpu) {
            if ((yield* cpu.readOnce(cell)) < gen) yield* cpu.writeOnce(cell, gen);
          }),
        ),
    },
  ],
});

/** All of them. */
export const SETTLING: readonly AnyScenario[] = [
  settled('counter'),
  settled('vma-gen'),
  settled('table-gen'),
  settled('ring', { ringSlots: 2 }),
  settled('queue'),
  raised,
];
