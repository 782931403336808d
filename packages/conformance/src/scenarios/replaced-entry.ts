/**
 * An entry is made to map another page in one step: the rule which changes need a flush says that this one does.
 *
 * Nobody in mm does that (an entry is cleared, and flushed, before it maps another page), and Linux' rules ask for it first all the same.
 */
import { type Cpu, entryFlags, mkEntry, putPage, type Steps, VM_READ } from '@mmu-gather/core/stepped';
import { allocZeroedPage, mprotect, pageAddNewAnonRmap, pageRemoveRmap, ptepGet } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { type Mapping, mappingOf, PAGE, setStage, type Stage } from './stage.ts';

interface Env extends Stage {
  readonly mapping: Mapping;
}

/** @param asks asks the rule; if not, looks at rights alone */
function* replace(cpu: Cpu, { mm, mapping }: Env, asks: boolean): Steps<void> {
  const { pte, ptl, page } = mapping;
  const fresh = yield* allocZeroedPage(cpu);
  yield* cpu.spinLock(ptl);
  const old = yield* ptepGet(cpu, pte);
  const next = mkEntry(fresh, entryFlags(old));
  pageAddNewAnonRmap(cpu, fresh);
  // The page is read-only: no CPU sets a bit of its entry meanwhile.
  yield* cpu.writeOnce(pte, next);
  if (asks && cpu.kernel.backend.pteNeedsFlush(old, next)) yield* cpu.kernel.backend.flushTlbPage(cpu, mm, 0);
  yield* pageRemoveRmap(cpu, page);
  yield* cpu.spinUnlock(ptl);
  yield* putPage(cpu, page);
}

/** @param needsFlushRule of the kernel since 5.19, or of the RFC of 2021 */
function replaced(id: string, source: string, needsFlushRule: string): AnyScenario {
  return defineScenario<Env>({
    id: `needs-flush/${id}`,
    title: 'an entry is made to map another page, with the same rights: what it mapped is flushed before it is freed',
    source,
    cpus: 2,
    only: { archs: ['x86'], why: 'others may not exchange an entry in one step, or count every change' },
    backend: { x86: { needsFlushRule } },
    setup(run) {
      const stage = setStage(run, { pages: 1 });
      run(0, (cpu) => mprotect(cpu, stage.mm, 0, PAGE, VM_READ));
      return { ...stage, mapping: mappingOf(run, stage.mm, 0) };
    },
    threads: (env) => [thread((cpu) => replace(cpu, env, true))],
    twins: [
      {
        id: `needs-flush/${id}/rights-alone`,
        why: 'the rights are the same, so nothing is flushed',
        oracle: 'O1',
        property: 'FUAF',
        threads: (env) => [thread((cpu) => replace(cpu, env, false))],
      },
    ],
  });
}

/** All of them. */
export const REPLACED_ENTRIES: readonly AnyScenario[] = [
  replaced('replaced', 'arch/x86/include/asm/tlbflush.h pte_needs_flush (5.19)', '5.19'),
  replaced('replaced-rfc', 'RFC 2021, N. Amit, patch 3: pte_may_need_flush', 'rfc'),
];
