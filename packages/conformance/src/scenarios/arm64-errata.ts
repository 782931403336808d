/**
 * arm64 CPUs behind whose TLBI and DSB accesses may still be under way elsewhere: the kernel repeats them (ARM64_WORKAROUND_REPEAT_TLBI).
 */
import type { Arm64Switches } from '@mmu-gather/arm64/stepped';
import { shrinkPages } from '@mmu-gather/mm/stepped';
import { type AnyScenario, type BackendOverrides, defineScenario, thread, type Twin } from '../scenario.ts';
import { ARM64_ONLY, clearFlushFree, type OnePage } from './arm64-flush.ts';
import { mappingOf, setStage } from './stage.ts';

type Form = Exclude<Arm64Switches['repeatTlbi'], 'none'>;

const SOURCE = 'arch/arm64/include/asm/tlbflush.h, ARM64_WORKAROUND_REPEAT_TLBI; ARM64_ERRATUM_1286807, _4118414';

function on(repeatTlbi: Form, switches: Partial<Arm64Switches> = {}): BackendOverrides {
  return { arm64: { repeatTlbi, ...switches } };
}

function once<E>(id: string, form: Form, switches: Partial<Arm64Switches> = {}): Twin<E> {
  return {
    id: `${id}/once`,
    why: 'the TLBI is not repeated, as on CPUs without the errata: the DSB does not wait for all that went through the entry',
    oracle: ['O1', 'O3', 'O9', 'O10'],
    property: 'FUAF',
    backend: on(form, { repeats: false, ...switches }),
  };
}

/** A page is unmapped while another CPU uses it. */
function page(form: Form, title: string): AnyScenario {
  const id = `arm64/errata-${form}`;
  return defineScenario<OnePage>({
    id,
    title: `a page is unmapped on a CPU whose TLBIs must be repeated: ${title}`,
    source: SOURCE,
    cpus: 2,
    only: ARM64_ONLY,
    backend: on(form),
    setup(run) {
      const stage = setStage(run, { touched: [0] });
      return { ...stage, at0: mappingOf(run, stage.mm, 0) };
    },
    threads: ({ mm, at0 }) => [thread((cpu) => clearFlushFree(cpu, mm, at0))],
    twins: [once(id, form)],
  });
}

const reclaim = defineScenario<OnePage>({
  id: 'arm64/errata-reclaim',
  title: 'reclaim issues a TLBI on such a CPU and waits for it later: it is repeated where it is waited for',
  source: SOURCE,
  cpus: 2,
  only: ARM64_ONLY,
  profile: { batchedPending: 'counters' },
  backend: on('sync', { tlbbatch: true }),
  setup(run) {
    const stage = setStage(run, { touched: [0] });
    return { ...stage, at0: mappingOf(run, stage.mm, 0) };
  },
  threads: ({ mm, at0 }) => [thread((cpu) => shrinkPages(cpu, [{ page: at0.page, mm, address: 0 }]))],
  twins: [once('arm64/errata-reclaim', 'sync', { tlbbatch: true })],
});

/** All of them. */
export const ARM64_ERRATA: readonly AnyScenario[] = [
  page('each', 'each of them (up to 7.0)'),
  page('sync', 'by one of nothing, where the flush waits (7.1)'),
  reclaim,
];
