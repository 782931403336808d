/**
 * x86: a CPU comes up, and trusts nothing that its TLB holds (initialize_tlbstate_and_flush). It was off meanwhile, or the memory that it wakes
 * up with is that of another time: what is written about its slots says nothing about its TLB.
 *
 *     cpu_tlbstate                     TLB
 *     slot 0 is init_mm's              PCID 0: entries of some mm
 *     slot 1 is up to date             PCID 1: a page that went
 */
import type { Run } from '@mmu-gather/checker';
import type { Cpu, Steps } from '@mmu-gather/core/stepped';
import { contextSwitch, munmap, userLoad } from '@mmu-gather/mm/stepped';
import { ctxTlbGen, initializeTlbstateAndFlush, leaveMm, thisCpuTlbstate } from '@mmu-gather/x86/stepped';
import { type AnyScenario, defineScenario, type Only, thread } from '../scenario.ts';
import { PAGE, setStage, type Stage, toUser } from './stage.ts';

const X86_ONLY: Only = { archs: ['x86'], why: 'it is about CPUs of x86' };

const SOURCE = 'arch/x86/mm/tlb.c initialize_tlbstate_and_flush';

/** Later than any generation here. */
const LATER = 9;

function* comesUp(cpu: Cpu): Steps<void> {
  yield* cpu.localIrqDisable();
  yield* initializeTlbstateAndFlush(cpu);
  yield* cpu.localIrqEnable();
}

/** CPU 1 runs the mm, and PCID 0 of it holds a page that went since. */
function setForeign(run: Run): Stage {
  const stage = setStage(run, { pages: 3, inKernel: [1] });
  const { mm } = stage;
  run(1, function* (cpu) {
    const asid = cpu.read(thisCpuTlbstate(cpu).loadedMmAsid);
    yield* cpu.loadContext(cpu.read(mm.pgd), 0, false);
    yield* userLoad(cpu, mm, 0);
    yield* cpu.loadContext(cpu.read(mm.pgd), asid, true);
    cpu.write(ctxTlbGen(thisCpuTlbstate(cpu), 0), LATER);
  });
  run(0, (cpu) => munmap(cpu, mm, 0, PAGE));
  return stage;
}

const goesOn = defineScenario<Stage>({
  id: 'cpu-up/goes-on',
  title: 'a CPU comes up with an mm loaded, and goes on with it in user mode, while another page goes',
  source: SOURCE,
  cpus: 2,
  only: X86_ONLY,
  setup: setForeign,
  threads: ({ mm }) => [
    thread((cpu) => munmap(cpu, mm, PAGE, PAGE)),
    thread(function* (cpu) {
      yield* comesUp(cpu);
      yield* cpu.enterUser();
    }),
  ],
  twins: [
    {
      id: 'cpu-up/goes-on/trusted',
      why: 'it loads what was loaded under PCID 0, without a flush',
      oracle: ['O1', 'O2', 'O8', 'O11'],
      property: 'FUAF',
      threads: ({ mm }) => [
        undefined,
        thread(function* (cpu) {
          yield* cpu.loadContext(cpu.read(mm.pgd), 0, true);
          yield* cpu.enterUser();
        }),
      ],
    },
  ],
});

/** CPU 1 has left the mm, missed that a page went, and wakes up with memory in which its slot is up to date. */
function setRestored(run: Run): Stage {
  const stage = setStage(run, { inKernel: [1] });
  const { mm } = stage;
  const slot = run(1, function* (cpu) {
    return ctxTlbGen(thisCpuTlbstate(cpu), cpu.read(thisCpuTlbstate(cpu).loadedMmAsid));
  });
  run(1, (cpu) => contextSwitch(cpu, null));
  run(1, leaveMm);
  run(0, (cpu) => munmap(cpu, mm, 0, PAGE));
  run(1, function* (cpu) {
    cpu.write(slot, yield* cpu.readOnce(mm.tlbGen));
  });
  return stage;
}

const restored = defineScenario<Stage>({
  id: 'cpu-up/restored',
  title: 'a CPU wakes up with memory in which its slots are clean, and runs an mm whose page went meanwhile',
  source: SOURCE,
  cpus: 2,
  only: X86_ONLY,
  sequential: 'all that happened to the mm is over',
  setup: setRestored,
  threads: ({ mm }) => [
    undefined,
    thread(function* (cpu) {
      yield* comesUp(cpu);
      yield* toUser(cpu, mm);
    }),
  ],
  twins: [
    {
      id: 'cpu-up/restored/trusted',
      why: 'it believes what memory says of its slots',
      oracle: ['O1', 'O2', 'O11'],
      property: 'FUAF',
      threads: ({ mm }) => [undefined, thread((cpu) => toUser(cpu, mm))],
    },
  ],
});

/** All of them. */
export const X86_COMES_UP: readonly AnyScenario[] = [goesOn, restored];
