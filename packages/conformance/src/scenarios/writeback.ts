/**
 * Writeback: a page that is declared clean is not written to without a trace, whoever unmaps it meanwhile.
 */
import { DIRTY, entryClear, RW, SAVED_DIRTY, VM_READ, VM_SHARED, VM_WRITE } from '@mmu-gather/core/stepped';
import { madviseDontneed, userStore, writebackPage } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { changeDeferred } from './deferred-change.ts';
import { type FileStage, setFileStage } from './file-stage.ts';
import { type Mapping, PAGE, syscall, withPage0 } from './stage.ts';

/** A writable shared mapping of a file. */
const SHARED = VM_READ | VM_WRITE | VM_SHARED;

const t9 = defineScenario<FileStage>({
  id: 'T9/fixed',
  title: 'zap of a dirty page against writeback by another thread, which then goes on using its own entry',
  source: '5df397dec7c4 (6.2), L. Torvalds, delayed rmap; thread of October 2022',
  cpus: 2,
  profile: { delayedRmap: true },
  setup: (run) => setFileStage(run, { flags: SHARED, store: true }),
  threads: ({ mm, file }) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)),
    thread((cpu) => syscall(cpu, () => writebackPage(cpu, file, 0))),
  ],
  twins: [
    {
      id: 'T9/naive',
      why: 'the rmap goes before the flush: writeback finds the page unmapped, waits for nothing, and a later write is lost',
      oracle: 'O3',
      property: 'LOSTW',
      profile: { delayedRmap: false },
    },
  ],
});

const running = defineScenario<FileStage>({
  id: 'writeback/running-thread',
  title: 'writeback of a page that a running thread may be writing to',
  source: 'mm/rmap.c folio_mkclean',
  cpus: 2,
  setup: (run) => setFileStage(run, { flags: SHARED, store: true }),
  threads: ({ file }) => [thread((cpu) => writebackPage(cpu, file, 0))],
  twins: [
    {
      id: 'writeback/running-thread/clear-only',
      why: 'the old entry is cleared and not flushed',
      oracle: ['O3', 'O12'],
      property: 'LOSTW',
      profile: { mkcleanFlush: 'clear' },
    },
    {
      id: 'writeback/running-thread/slot',
      why: 'ptep_clear_flush asks the cleared slot, and flushes nothing',
      oracle: ['O9', 'O3'],
      property: 'LOSTW',
      profile: { accessibleEntry: 'slot' },
    },
  ],
});

const store = defineScenario<FileStage>({
  id: 'writeback/store',
  title: 'writeback while a thread stores: the page is written, or it is dirty again',
  source: 'mm/page-writeback.c folio_clear_dirty_for_io',
  cpus: 2,
  setup: (run) => setFileStage(run, { flags: SHARED, store: true }),
  threads: ({ mm, file }) => [
    thread((cpu) => writebackPage(cpu, file, 0)),
    thread(function* (cpu) {
      yield* cpu.enterKernel();
      yield* userStore(cpu, mm, 0, 7);
      yield* cpu.enterUser(0);
    }),
  ],
  twins: [
    {
      id: 'writeback/store/clear-only',
      why: 'the old entry is cleared and not flushed',
      oracle: ['O3', 'O12'],
      property: 'LOSTW',
      profile: { mkcleanFlush: 'clear' },
    },
  ],
});

/** Two deferrals at once, as dirty tracking makes them (write protection and a look at dirty bits), on a kernel thread. */
const pending = defineScenario<FileStage & { readonly p0: Mapping }>({
  id: 'writeback/pending',
  title: 'writeback finds an entry read-only and clean, and its flush is pending: it flushes itself',
  source: 'mm/rmap.c page_vma_mkclean_one; mm/ksm.c write_protect_page asks, this does not',
  cpus: 3,
  profile: { mkcleanPending: true },
  setup(run) {
    const stage = setFileStage(run, { flags: SHARED, store: true, running: [0, 2] });
    return withPage0(run, stage);
  },
  threads: ({ mm, file, p0 }) => [
    thread((cpu) => changeDeferred(cpu, mm, p0, 0, (entry) => entryClear(entry, RW | DIRTY | SAVED_DIRTY))),
    thread((cpu) => writebackPage(cpu, file, 0)),
  ],
  twins: [
    {
      id: 'writeback/pending/as-in-linux',
      why: 'what memory shows is taken for what CPUs may do: IO begins while one still writes',
      oracle: 'O3',
      property: 'LOSTW',
      profile: { mkcleanPending: false },
    },
  ],
});

/** All of them. */
export const WRITEBACK: readonly AnyScenario[] = [t9, running, store, pending];
