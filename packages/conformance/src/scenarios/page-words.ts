/**
 * Words of a page that no lock guards: its flags, of which each bit has its own rules, and its counts. Who changes them are mms with PTLs of their own.
 *
 *     CPU 0                           CPU 1
 *     load flags
 *                                     flags |= PG_KSM
 *     flags := what it loaded, and PG_DIRTY                  // PG_KSM is lost
 */
import {
  type Address,
  type Cpu,
  Page,
  PG_ANON_EXCLUSIVE,
  PG_DIRTY,
  PG_KSM,
  PG_LARGE,
  PG_LAZYFREE,
  type Steps,
} from '@mmu-gather/core/stepped';
import {
  allocZeroedPage,
  freezePage,
  pageAddRmap,
  pageClearDirty,
  pageClearLazyfree,
  pageDupAnonRmap,
  pageMarkDirty,
  pageMarkKsm,
  pageMarkLazyfree,
  pageShareAnonRmap,
  pageSplitLarge,
  tryGetPage,
  unfreezePage,
  wpCanReuseAnonPage,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { putUnmapped } from './stage.ts';

/** Whether it was written, and whether that matters; and one more mapping. */
function* written(cpu: Cpu, page: Address): Steps<void> {
  yield* pageAddRmap(cpu, page);
  yield* pageMarkDirty(cpu, page);
  cpu.claim.that(yield* pageClearDirty(cpu, page), 'O17', 'the page was marked dirty, and is clean');
  yield* pageMarkLazyfree(cpu, page);
  yield* pageClearLazyfree(cpu, page);
  yield* pageMarkLazyfree(cpu, page);
  yield* pageMarkDirty(cpu, page);
}

/** Whose it is, and that it is no part of a large one any more; and one more mapping. */
function* owned(cpu: Cpu, page: Address): Steps<void> {
  yield* pageDupAnonRmap(cpu, page);
  yield* pageShareAnonRmap(cpu, page);
  cpu.claim.that(yield* wpCanReuseAnonPage(cpu, page), 'O17', 'one reference is left, and the page is not reused');
  yield* pageMarkKsm(cpu, page);
  yield* pageSplitLarge(cpu, page);
}

const FLAGS = PG_DIRTY | PG_LAZYFREE | PG_ANON_EXCLUSIVE | PG_KSM;

const flags = defineScenario<Address>({
  id: 'page-words/flags',
  title: 'two CPUs change different flags of a page, and both map it: nothing is lost',
  source: 'include/linux/page-flags.h: set_bit, clear_bit; mm/rmap.c',
  cpus: 2,
  setup(run) {
    const page = run(0, allocZeroedPage);
    run(0, (cpu) => cpu.atomicOr(Page.at(page).flags, PG_LARGE));
    return page;
  },
  threads: (page) => [thread((cpu) => written(cpu, page)), thread((cpu) => owned(cpu, page))],
  holds: (page) => [{ object: page, references: 1, mappings: 2 }],
  final(peek, page) {
    const found = peek(Page.at(page).flags);
    return found === FLAGS ? undefined : `the flags are ${found}, and should be ${FLAGS}`;
  },
  twins: [
    {
      id: 'page-words/flags/stored',
      why: 'the page is marked dirty by a load and a store',
      oracle: ['assert', 'O17'],
      threads: (page) => [
        thread(function* (cpu) {
          const cell = Page.at(page).flags;
          yield* cpu.writeOnce(cell, (yield* cpu.readOnce(cell)) | PG_DIRTY | PG_LAZYFREE);
          yield* pageAddRmap(cpu, page);
        }),
        thread((cpu) => owned(cpu, page)),
      ],
    },
  ],
});

/** Reclaim takes the only reference, to see what there is to see while nobody else can get one, and gives it back. */
function* freezes(cpu: Cpu, page: Address): Steps<void> {
  if (yield* freezePage(cpu, page, 1)) yield* unfreezePage(cpu, page, 1);
}

/** A lookup without locks. */
function* looksUp(cpu: Cpu, page: Address): Steps<void> {
  if (yield* tryGetPage(cpu, page)) yield* putUnmapped(cpu, page);
}

const frozen = defineScenario<Address>({
  id: 'page-words/frozen',
  title:
    'one CPU freezes the references of a page, and another one looks it up: it gets none, or the page is not frozen',
  source: 'include/linux/page_ref.h: folio_ref_freeze, folio_try_get',
  cpus: 2,
  setup: (run) => run(0, allocZeroedPage),
  threads: (page) => [thread((cpu) => freezes(cpu, page)), thread((cpu) => looksUp(cpu, page))],
  holds: (page) => [{ object: page, references: 1 }],
  final: (peek, page) => (peek(Page.at(page).refcount) === 1 ? undefined : 'the page has lost a reference'),
  twins: [
    {
      id: 'page-words/frozen/stored',
      why: 'the references are taken by a store, however many there are',
      oracle: ['assert', 'O16', 'O17'],
      threads: (page) => [
        thread(function* (cpu) {
          yield* cpu.writeOnce(Page.at(page).refcount, 0);
          yield* unfreezePage(cpu, page, 1);
        }),
        thread((cpu) => looksUp(cpu, page)),
      ],
    },
  ],
});

/** All of them. */
export const PAGE_WORDS: readonly AnyScenario[] = [flags, frozen];
