/**
 * powerpc's hash MMU: who has used an mm, when a CPU comes to it.
 */
import type { Cpu, Mm, Steps } from '@mmu-gather/core/stepped';
import { contextSwitch, madviseDontneed, mmAlloc } from '@mmu-gather/mm/stepped';
import { activeCpus } from '@mmu-gather/powerpc/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { PAGE, setStage, type Stage, syscall, toUser } from './stage.ts';
import { hash, HASH_ONLY, wrongHash } from './powerpc-hash-stage.ts';

const arrival = defineScenario<Stage>({
  id: 'powerpc-hash/local-arrival',
  title: 'a page is freed on the only CPU that has used the mm, while a thread of it is switched in on another one',
  source: 'hash_tlb.c hpte_need_flush, __flush_tlb_pending; mm_is_thread_local; candidate P-D1',
  cpus: 2,
  only: HASH_ONLY,
  setup: (run) => setStage(run, { touched: [0], running: [0] }),
  threads: ({ mm }) => [
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 0, PAGE))),
    thread((cpu) => toUser(cpu, mm)),
  ],
  twins: [
    wrongHash(
      'powerpc-hash/local-arrival/as-in-linux',
      'who has used the mm is read before the entry leaves the hash page table: who arrives in between still finds it, and is left out',
      { localRead: 'before-hpte' },
      ['O1', 'O9'],
    ),
    wrongHash(
      'powerpc-hash/local-arrival/at-queue',
      'who has used the mm is read when the change is collected',
      { localRead: 'at-queue' },
      ['O1', 'O9'],
    ),
    {
      ...wrongHash<Stage>(
        'powerpc-hash/local-arrival/no-fence',
        'who arrives looks into the hash page table before its bit and count are visible',
        { arrivalFence: false },
        ['O1', 'O9'],
      ),
      memoryModels: ['weak'],
    },
  ],
});

const arrivalLpar = defineScenario<Stage>({
  id: 'powerpc-hash/local-arrival-lpar',
  title: 'the same where the hypervisor removes the entry and does the tlbie in one step, whoever has used the mm',
  source: 'pseries/lpar.c',
  cpus: 2,
  only: HASH_ONLY,
  backend: hash({ platform: 'lpar', localRead: 'before-hpte', tlbieLock: true }),
  setup: (run) => setStage(run, { touched: [0], running: [0] }),
  threads: ({ mm }) => [
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 0, PAGE))),
    thread((cpu) => toUser(cpu, mm)),
  ],
  twins: [
    wrongHash('powerpc-hash/local-arrival-lpar/no-flush', 'the hypervisor is not told', { hpteFlush: false }, [
      'O1',
      'O10',
      'O12',
    ]),
  ],
});

/** A CPU comes to an mm, and its bit is set by a load and a store. */
function* arriveTorn(cpu: Cpu, mm: Mm): Steps<void> {
  yield* cpu.writeOnce(mm.cpumask, (yield* cpu.readOnce(mm.cpumask)) | (1 << cpu.id));
  yield* cpu.atomicAdd(activeCpus(mm), 1);
}

/** Two of them. */
export const arriveTogether: AnyScenario = defineScenario<{ readonly mm: Mm }>({
  id: 'powerpc-hash/arrive-together',
  title: 'two CPUs come to an mm at once: both are in its mask, and counted',
  source: 'arch/powerpc/mm/mmu_context.c switch_mm_irqs_off, inc_mm_active_cpus',
  cpus: 2,
  only: HASH_ONLY,
  setup: (run) => ({ mm: run(0, mmAlloc) }),
  threads: ({ mm }) => [0, 1].map(() => thread((cpu) => contextSwitch(cpu, mm))),
  final(peek, { mm }) {
    const [mask, count] = [peek(mm.cpumask), peek(activeCpus(mm))];
    return mask === 3 && count === 2 ? undefined : `mm_cpumask is ${mask}, and active_cpus ${count}`;
  },
  twins: [
    {
      id: 'powerpc-hash/arrive-together/torn-apart',
      why: 'a bit is lost: its CPU is counted again when it comes back',
      oracle: 'assert',
      property: 'MISS',
      threads: ({ mm }) => [0, 1].map(() => thread((cpu) => arriveTorn(cpu, mm))),
    },
  ],
});

/** All but {@link arriveTogether}, which has another place in tables. */
export const POWERPC_HASH_ARRIVALS: readonly AnyScenario[] = [arrival, arrivalLpar];
