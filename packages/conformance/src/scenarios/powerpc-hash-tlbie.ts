/**
 * powerpc's hash MMU: what TLBs hold of an entry that leaves the hash page table, or has left it.
 */
import type { Steps } from '@mmu-gather/core/stepped';
import { madviseDontneed, munmap, userLoad, userStore } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { PAGE, setStage, type Stage, syscall } from './stage.ts';
import { answeredAsLoad, protectedPage, storeSoon } from './upgrades.ts';
import { hash, HASH_ONLY, wrongHash } from './powerpc-hash-stage.ts';

const tlbieLock = defineScenario<Stage>({
  id: 'powerpc-hash/tlbie-lock',
  title: 'two CPUs free pages of one mm where one tlbie at a time may be under way',
  source: 'native_tlbie_lock: processors without MMU_FTR_LOCKLESS_TLBIE',
  cpus: 2,
  only: HASH_ONLY,
  backend: hash({ tlbieLock: true }),
  setup: (run) => setStage(run),
  threads: ({ mm }) => [
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 0, PAGE))),
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, PAGE, PAGE))),
  ],
  twins: [
    wrongHash('powerpc-hash/tlbie-lock/no-tlbsync', 'the lock is dropped before tlbie is done', { tlbsync: false }, [
      'O1',
      'O9',
    ]),
  ],
});

const evicted = defineScenario<Stage>({
  id: 'powerpc-hash/evicted',
  title: 'an entry was evicted from the hash page table, and a TLB still has it when its page is unmapped',
  source: 'hash_native.c native_hpte_remove, native_hpte_invalidate',
  cpus: 2,
  only: HASH_ONLY,
  backend: hash({ groups: 1, slots: 1 }),
  setup(run) {
    const stage = setStage(run, { touched: [0] });
    // One entry is all there is: page 1 takes the place of page 0.
    run(0, (cpu) => userStore(cpu, stage.mm, PAGE, 2));
    return stage;
  },
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE))],
  twins: [
    wrongHash('powerpc-hash/evicted/miss-skips', 'what is not in the table is not flushed', { tlbieOnMiss: false }, [
      'O1',
      'O9',
    ]),
  ],
});

const evictedLpar = defineScenario<Stage>({
  id: 'powerpc-hash/evicted-lpar',
  title: 'the hypervisor evicts entries and changes their rights: what TLBs hold of them goes in the same step',
  source: 'pseries/lpar.c pSeries_lpar_hpte_remove, pSeries_lpar_hpte_updatepp (H_REMOVE, H_PROTECT)',
  cpus: 1,
  only: HASH_ONLY,
  backend: hash({ platform: 'lpar', groups: 1, slots: 1 }),
  setup(run) {
    const stage = protectedPage(run, false);
    run(0, (cpu) => userLoad(cpu, stage.mm, 0));
    return stage;
  },
  threads: ({ mm }) => [
    thread(function* (cpu): Steps<void> {
      yield* storeSoon(cpu, mm);
      yield* userStore(cpu, mm, PAGE, 2);
      yield* munmap(cpu, mm, 0, PAGE);
      yield* cpu.enterUser();
    }),
  ],
  sequential: 'the calls of the hypervisor are one step each',
  twins: [
    {
      id: 'powerpc-hash/evicted-lpar/as-load',
      why: 'a write fault is answered as one of a load: the store never gets through',
      oracle: 'O16',
      property: 'LIVE',
      threads: ({ mm }) => [thread((cpu) => storeSoon(cpu, mm, answeredAsLoad))],
    },
  ],
});

/** All of them. */
export const POWERPC_HASH_TLBIE: readonly AnyScenario[] = [tlbieLock, evicted, evictedLpar];
