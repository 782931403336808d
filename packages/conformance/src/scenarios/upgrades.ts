/**
 * Upgrades: an entry comes to allow what it did not. An access that was answered gets through after a few faults, whatever a CPU has cached of the
 * time before: an entry that grants less, or that there is none.
 *
 *     CPU 0 (write fault)                    CPU 1 (user mode)
 *     lock the table                         stores: faults, for what it holds is read-only
 *       entry = writable                       waits for the lock
 *       flush: everywhere, or here           lock; finds it writable: nothing to do
 *     unlock                                 stores again: must not fault by what it holds for ever
 */
import type { Run } from '@mmu-gather/checker';
import { type Cpu, FAULT, type Mm, type Steps } from '@mmu-gather/core/stepped';
import { doUserAddrFault, userLoad } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { mappingOf, setStage, type Stage } from './stage.ts';

/** Faults that a store may take: nothing there, another CPU was faster, what was cached before that, and one to spare. */
const FAULTS = 4;

/** What `userWrite` is told after a miss whose translation the architecture's handler has loaded. */
const LOADED = true;

/** A store of user code that must get through. @param answer what answers a fault */
export function* storeSoon(
  cpu: Cpu,
  mm: Mm,
  answer: (cpu: Cpu, mm: Mm) => Steps<number> = (on, of) => doUserAddrFault(on, of, 0, true),
): Steps<void> {
  const { tlbMiss } = cpu.kernel.backend;
  let loaded = false;
  for (let faults = 0, misses = 0; ; ) {
    yield* cpu.enterUser(loaded ? 1 : 0);
    const result = yield* cpu.userWrite(0, 7, loaded && LOADED);
    yield* cpu.enterKernel();
    if (result !== FAULT) return;
    loaded = tlbMiss !== null && (yield* tlbMiss(cpu, mm, 0, true));
    if (loaded) {
      cpu.claim.that(misses++ < FAULTS, 'O16', 'an access whose translation was loaded misses for ever');
      continue;
    }
    cpu.claim.that(faults < FAULTS, 'O16', 'an access that was answered faults for ever');
    if (faults++ === FAULTS) return;
    yield* answer(cpu, mm);
  }
}

/** A fault that is answered as one of a load: the entry never comes to be writable. */
export function answeredAsLoad(cpu: Cpu, mm: Mm): Steps<number> {
  return doUserAddrFault(cpu, mm, 0, false);
}

function scenario(name: string, title: string, cpus: 1 | 2, setup: (run: Run) => Stage): AnyScenario {
  const id = `upgrade/${name}`;
  return defineScenario<Stage>({
    id,
    title: `${cpus === 1 ? 'a thread stores' : 'two threads store'} to ${title}, and gets through`,
    source: 'mm/memory.c handle_pte_fault; ptep_set_access_flags, flush_tlb_fix_spurious_fault',
    cpus,
    setup,
    threads: ({ mm }) => Array.from({ length: cpus }, () => thread((cpu) => storeSoon(cpu, mm))),
    ...(cpus === 1 && { sequential: 'how many faults an access takes is asked of one CPU' }),
    twins: [
      {
        id: `${id}/as-load`,
        why: 'a write fault is answered as one of a load: the store never gets through',
        oracle: 'O16',
        property: 'LIVE',
        threads: ({ mm }) => [thread((cpu) => storeSoon(cpu, mm, answeredAsLoad))],
      },
    ],
  });
}

/** The entry of a page that was written to loses the right to be written to. @param shared whether CPU 1 runs the mm, too */
export function protectedPage(run: Run, shared = true): Stage {
  const stage = setStage(run, shared ? { touched: [0], inKernel: [1] } : { touched: [0], running: [0] });
  const { pte, ptl } = mappingOf(run, stage.mm, 0);
  run(0, function* (cpu) {
    const { backend } = cpu.kernel;
    yield* cpu.spinLock(ptl);
    yield* backend.pte.ptepSetWrprotect(cpu, stage.mm, 0, pte, yield* cpu.readOnce(pte), 0);
    yield* backend.flushTlbMm(cpu, stage.mm);
    yield* cpu.spinUnlock(ptl);
  });
  return stage;
}

/** All of them. */
export const UPGRADES: readonly AnyScenario[] = [
  scenario('nothing-there', 'a page that is not there', 2, (run) => setStage(run, { touched: [], inKernel: [1] })),
  scenario('read-only', 'a page that was write-protected', 2, (run) => protectedPage(run, true)),
  scenario('alone/nothing-there', 'a page that is not there', 1, (run) => setStage(run, { touched: [], running: [0] })),
  scenario('alone/read-only', 'a page that was write-protected, and read since', 1, (run) => {
    const stage = protectedPage(run, false);
    run(0, (cpu) => userLoad(cpu, stage.mm, 0));
    return stage;
  }),
];
