/**
 * powerpc's hash MMU: translations stand in the hash page table until a flush takes them out of it, whatever page tables say meanwhile.
 */
import type { Layout, Run } from '@mmu-gather/checker';
import {
  activateLazyBatch,
  archEnterLazyMmuMode,
  archLeaveLazyMmuMode,
  type Cell,
  type Cpu,
  entrySet,
  entryTarget,
  irqEnter,
  irqExit,
  type Kernel,
  type LazyBatch,
  lazyMmuModePause,
  lazyMmuModeResume,
  Mm,
  preemptDisable,
  preemptible,
  pteWrprotect,
  RW,
  type Steps,
  thisRq,
  VM_READ,
} from '@mmu-gather/core/stepped';
import {
  contextSwitch,
  madviseDontneed,
  mmAlloc,
  mmPopulate,
  mprotect,
  munmap,
  ptepGetAndClear,
  userLoad,
  userStore,
  vmallocInit,
  vmap,
} from '@mmu-gather/mm/stepped';
import {
  activeCpus,
  contextId,
  type Hash,
  type HashSwitches,
  hpteCells,
  hpteEncodeR,
  hpteR,
  hpteV,
  type Htab,
  hptVpn,
} from '@mmu-gather/powerpc/stepped';
import type { Property } from '../property.ts';
import { type AnyScenario, type BackendOverrides, defineScenario, type Only, thread, type Twin } from '../scenario.ts';
import { nestedSections, type TwoTables, twoTables } from './nested-sections.ts';
import {
  type Mapping,
  mappingOf,
  PAGE,
  putUnmapped,
  RW_MEMORY,
  setStage,
  type Stage,
  syscall,
  toUser,
} from './stage.ts';
import { answeredAsLoad, protectedPage, storeSoon } from './upgrades.ts';

const ID = 'powerpc-hash';
/** The architecture. */
export const HASH_ONLY: Only = { archs: [ID], why: 'it is about the hash page table' };

/** Switches of the hash MMU. */
export function hash(switches: Partial<HashSwitches>): BackendOverrides {
  return { [ID]: switches };
}

/** A twin that differs by switches of the hash MMU. */
export function wrongHash<E>(
  id: string,
  why: string,
  switches: Partial<HashSwitches>,
  oracle: readonly string[],
  property: Property = 'SAC',
): Twin<E> {
  return { id, why, oracle, property, backend: hash(switches) };
}

// ---- what is collected, and the PTL ----

const b49 = defineScenario<Stage>({
  id: 'bug:B49/fixed',
  bug: 'B49',
  title: 'a page is zapped, and another CPU maps it anew (MADV_POPULATE_WRITE) as soon as the PTL is dropped',
  source: 'a741e6796957 ([POWERPC] Make tlb flush batch use lazy MMU mode), 2007; bug B49',
  cpus: 2,
  only: HASH_ONLY,
  setup: (run) => setStage(run, { touched: [0], inKernel: [1] }),
  threads: ({ mm }) => [
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 0, PAGE))),
    thread(function* (cpu): Steps<void> {
      yield* mmPopulate(cpu, mm, 0, PAGE);
      yield* cpu.enterUser();
    }),
  ],
  twins: [
    wrongHash(
      'bug:B49/buggy',
      "the batch is drained with the gather's flush, after the PTL was dropped: another page is hashed for the address meanwhile",
      { drainAt: 'gather' },
      ['O14', 'O10'],
    ),
    wrongHash(
      'bug:B49/tlbie-first',
      'tlbie before the entry leaves the table: it is cached anew',
      {
        tlbieOrder: 'before-hpte',
      },
      ['O1', 'O9', 'O10'],
    ),
  ],
});

const nested = defineScenario<TwoTables>({
  id: 'lazy-mmu/nested',
  title: 'a section in a section: who ends the inner one drops his PTL, with his changes done',
  source: 'K. Brodsky, 2025-12-15, v6 07 to 09/14; 9fee28baa601 and 47b8def9358c',
  cpus: 2,
  only: HASH_ONLY,
  profile: { lazyMmuNesting: 'counts' },
  backend: hash({ batch: 3 }),
  setup: twoTables,
  threads: (env) => [thread((cpu) => nestedSections(cpu, env))],
  twins: [
    {
      id: 'lazy-mmu/nested/refcount',
      why: 'sections are counted, and only the end of the outermost one does what was collected (2023-10, dropped)',
      oracle: 'O1',
      property: 'FUAF',
      profile: { lazyMmuNesting: 'refcount' },
    },
    {
      id: 'lazy-mmu/nested/flag',
      why: 'the mode is a flag: the end of the inner section ends the outer one (set_ptes, 9fee28baa601)',
      oracle: 'O16',
      property: 'ORD',
      profile: { lazyMmuNesting: 'none' },
    },
  ],
});

// ---- a task that moves to another CPU in the middle of a section (B50) ----

/** Where a task that began on CPU 0 goes on: still undecided. */
export const NOT_YET: number = 0;
/** On another CPU. */
export const MOVED: number = 1;
const STAYED = 2;

/** Two pages of the kernel, and a task that may be moved. */
export interface KernelPage {
  /** init_mm. */
  readonly initMm: Mm;
  /** Two addresses of the kernel that are mapped, and their entries. */
  readonly first: number;
  /** See {@link first}. */
  readonly firstPte: Cell;
  /** The other one. */
  readonly second: number;
  /** See {@link second}. */
  readonly secondPte: Cell;
  /** Where the task goes on. */
  readonly where: Cell;
}

let whereCell = 0;

/** Where a task goes on. */
export function reserveWhere(layout: Layout): void {
  whereCell = layout.reserve('where', ['']);
}

/** Maps the two pages. */
export function mapKernelPages(run: Run, kernel: Kernel): KernelPage {
  run(0, vmallocInit);
  const initMm = Mm.at(kernel.initMm);
  const map = (): number => {
    const frame = run(0, (cpu) => cpu.alloc('page'));
    return run(0, (cpu) => vmap(cpu, [frame]));
  };
  const first = map();
  const second = map();
  const pte = (at: number): Cell => mappingOf(run, initMm, at).pte;
  return { initMm, first, firstPte: pte(first), second, secondPte: pte(second), where: whereCell };
}

/** No CPU may use the address any more. */
export function claimGone(cpu: Cpu, at: number): void {
  cpu.claim.reassigned({ start: at, end: at + PAGE });
}

/** The scheduler moves the task, if it may be preempted: what it knows of its sections goes along. */
export function* mayMove(cpu: Cpu, where: Cell): Steps<boolean> {
  const moves = preemptible(cpu);
  if (moves) {
    yield* contextSwitch(cpu, null);
    cpu.write(thisRq(cpu).lazyMmu, 0);
  }
  yield* cpu.storeRelease(where, moves ? MOVED : STAYED);
  return moves;
}

const b50 = defineScenario<KernelPage>({
  id: 'bug:B50/fixed',
  bug: 'B50',
  title:
    'a task clears an entry of the kernel in a section, without a lock, and may be moved to another CPU before it ends',
  source: 'b9ef323ea168 (6.1); mm/memory.c apply_to_page_range; bug B50',
  cpus: 2,
  only: HASH_ONLY,
  backend: hash({ lazyPreemption: false }),
  reserve: reserveWhere,
  setup: mapKernelPages,
  threads: ({ initMm, first, firstPte, where }) => [
    thread(function* (cpu): Steps<void> {
      yield* archEnterLazyMmuMode(cpu);
      yield* ptepGetAndClear(cpu, initMm, first, firstPte);
      if (yield* mayMove(cpu, where)) return;
      yield* archLeaveLazyMmuMode(cpu);
      claimGone(cpu, first);
    }),
    thread(function* (cpu): Steps<void> {
      if ((yield* cpu.waitFor(where, 'notEqual', NOT_YET)) !== MOVED) return;
      cpu.write(thisRq(cpu).lazyMmu, 1);
      yield* archLeaveLazyMmuMode(cpu);
      claimGone(cpu, first);
    }),
  ],
  twins: [
    wrongHash(
      'bug:B50/buggy',
      'the task leaves what it has collected behind, and ends its section with the empty batch of the other CPU',
      { lazyPreemption: true, switchDrains: false },
      ['O15'],
      'MISS',
    ),
  ],
});

/** this_cpu_ptr(&ppc64_tlb_batch). */
function batchOf(cpu: Cpu): LazyBatch {
  return (cpu.kernel.backend as Hash).batches[cpu.id]!;
}

const b50Enter = defineScenario<KernelPage>({
  id: 'bug:B50/enter/fixed',
  bug: 'B50',
  title: 'a task looks for the batch of its CPU to begin a section, and may be moved to another CPU before it does',
  source: 'b9ef323ea168 (6.1); arch_enter_lazy_mmu_mode of 6.0',
  cpus: 2,
  only: HASH_ONLY,
  backend: hash({ lazyPreemption: false }),
  reserve: reserveWhere,
  setup: mapKernelPages,
  threads: ({ initMm, first, firstPte, where }) => [
    thread(function* (cpu): Steps<void> {
      if (!(cpu.kernel.backend as Hash).switches.lazyPreemption) preemptDisable(cpu);
      const batch = batchOf(cpu);
      if (!(yield* mayMove(cpu, where))) {
        activateLazyBatch(cpu, batch);
        cpu.write(thisRq(cpu).lazyMmu, 1);
        yield* archLeaveLazyMmuMode(cpu);
      } else {
        yield* cpu.waitFor(where, 'equal', STAYED);
      }
      // Another task on this CPU, in no section: its change is done at once.
      yield* ptepGetAndClear(cpu, initMm, first, firstPte);
      claimGone(cpu, first);
    }),
    thread(function* (cpu): Steps<void> {
      if ((yield* cpu.waitFor(where, 'notEqual', NOT_YET)) !== MOVED) return;
      const batch = (cpu.kernel.backend as Hash).batches[0]!;
      yield* cpu.writeOnce(batch.active, 1);
      cpu.write(thisRq(cpu).lazyMmu, 1);
      yield* archLeaveLazyMmuMode(cpu);
      yield* cpu.storeRelease(where, STAYED);
    }),
  ],
  twins: [
    wrongHash(
      'bug:B50/enter/buggy',
      "the task begins the section of the CPU where it was: whoever runs there collects from now on, and nobody ends it (also with __switch_to's drain)",
      { lazyPreemption: true },
      ['O15'],
      'MISS',
    ),
  ],
});

const interrupted = defineScenario<KernelPage>({
  id: 'lazy-mmu/interrupt',
  title: 'an interrupt in the middle of a section clears an entry of the kernel, and counts on its being done',
  source: 'K. Brodsky, 2025-12-15, v6 07/14 (in_interrupt); candidate P-D2',
  cpus: 2,
  only: HASH_ONLY,
  profile: { lazyMmuNesting: 'counts' },
  backend: hash({ batch: 3 }),
  reserve: reserveWhere,
  setup: mapKernelPages,
  threads: ({ initMm, first, firstPte, second, secondPte }) => [
    thread(function* (cpu): Steps<void> {
      yield* archEnterLazyMmuMode(cpu);
      yield* ptepGetAndClear(cpu, initMm, first, firstPte);
      irqEnter(cpu);
      yield* ptepGetAndClear(cpu, initMm, second, secondPte);
      claimGone(cpu, second);
      irqExit(cpu);
      yield* archLeaveLazyMmuMode(cpu);
      claimGone(cpu, first);
    }),
  ],
  twins: [
    {
      id: 'lazy-mmu/interrupt/flag',
      why: 'the mode is a flag of the CPU: what the interrupt changes is collected with the rest, and not done when it returns (up to 6.19)',
      oracle: 'O15',
      property: 'SAC',
      profile: { lazyMmuNesting: 'none' },
    },
  ],
});

/** A page of the kernel, and one of a user whose entry a section has taken away. */
interface InSection extends KernelPage {
  readonly mm: Mm;
  readonly user: Mapping;
}

/** A section in whose middle an entry of the kernel goes, as the allocator of a sanitizer does it, which counts on its being done. */
function* kernelChangeInSection(cpu: Cpu, env: InSection, pauses: boolean): Steps<void> {
  const { initMm, first, firstPte, mm, user } = env;
  yield* cpu.spinLock(user.ptl);
  yield* archEnterLazyMmuMode(cpu);
  yield* ptepGetAndClear(cpu, mm, 0, user.pte);
  if (pauses) yield* lazyMmuModePause(cpu);
  yield* ptepGetAndClear(cpu, initMm, first, firstPte);
  claimGone(cpu, first);
  if (pauses) yield* lazyMmuModeResume(cpu);
  yield* archLeaveLazyMmuMode(cpu);
  yield* cpu.spinUnlock(user.ptl);
  yield* cpu.free('page', user.page);
}

const paused = defineScenario<InSection>({
  id: 'lazy-mmu/pause',
  title:
    'an entry of the kernel is taken away in the middle of a section for a user, and must be gone at once: the mode is paused',
  source: 'K. Brodsky, 2025-12-15, v6 07/14 (lazy_mmu_mode_pause, for kasan)',
  cpus: 2,
  only: HASH_ONLY,
  profile: { lazyMmuNesting: 'counts' },
  backend: hash({ batch: 3 }),
  reserve: reserveWhere,
  setup(run, kernel) {
    const stage = setStage(run, { touched: [0] });
    return { ...mapKernelPages(run, kernel), mm: stage.mm, user: mappingOf(run, stage.mm, 0) };
  },
  threads: (env) => [thread((cpu) => kernelChangeInSection(cpu, env, true))],
  twins: [
    {
      id: 'lazy-mmu/pause/not-paused',
      why: 'it is collected with what the section collects, and used as if it were done',
      oracle: 'O15',
      property: 'SAC',
      threads: (env) => [thread((cpu) => kernelChangeInSection(cpu, env, false))],
    },
  ],
});

// ---- who has used the mm ----

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

// ---- entries of the hash page table ----

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

const busy = defineScenario<Stage>({
  id: 'powerpc-hash/busy',
  title: 'a hash fault inserts a page that is unmapped at the same time',
  source: 'hash_4k.c; asm/book3s/64/hash.h hash__pte_update',
  cpus: 2,
  only: HASH_ONLY,
  setup(run) {
    const stage = setStage(run, { touched: [0], inKernel: [1] });
    // The entry changes, and is not hashed any more.
    run(0, (cpu) => mprotect(cpu, stage.mm, 0, PAGE, VM_READ));
    return stage;
  },
  threads: ({ mm }) => [
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 0, PAGE))),
    thread((cpu) => userLoad(cpu, mm, 0)),
  ],
  twins: [
    wrongHash(
      'powerpc-hash/busy/ignored',
      'the change does not wait for the fault, which inserts what was unmapped and brings its entry back',
      { busy: 'ignored' },
      ['O1', 'O5', 'O9', 'O10', 'O16'],
    ),
  ],
});

const insertOrder = defineScenario<Stage>({
  id: 'powerpc-hash/insert-order',
  title: 'a page is hashed where another one was, while a thread runs',
  source: 'hash_native.c native_hpte_insert: r; eieio; v',
  cpus: 2,
  only: HASH_ONLY,
  setup(run) {
    const stage = setStage(run, { touched: [0] });
    run(0, (cpu) => madviseDontneed(cpu, stage.mm, 0, PAGE));
    return stage;
  },
  threads: ({ mm }) => [thread((cpu) => userStore(cpu, mm, 0, 7))],
  twins: [
    wrongHash(
      'powerpc-hash/insert-order/v-first',
      'the entry is valid before it says which page: who looks finds the one that was there before',
      { insertOrder: 'v-first' },
      ['O1', 'O6'],
    ),
  ],
});

const rights = defineScenario<Stage>({
  id: 'powerpc-hash/rights',
  title: 'a store to a page that is hashed read-only beside mprotect of it: its rights change where it is hashed',
  source: 'hash_native.c native_hpte_updatepp',
  cpus: 2,
  only: HASH_ONLY,
  profile: { mprotectWritable: true },
  setup(run) {
    const stage = setStage(run, { touched: [0] });
    run(0, (cpu) => mprotect(cpu, stage.mm, 0, PAGE, VM_READ));
    run(0, (cpu) => userLoad(cpu, stage.mm, 0));
    run(0, (cpu) => mprotect(cpu, stage.mm, 0, PAGE, RW_MEMORY));
    return stage;
  },
  threads: ({ mm }) => [
    thread((cpu) => syscall(cpu, () => mprotect(cpu, mm, 0, PAGE, VM_READ))),
    thread((cpu) => userStore(cpu, mm, 0, 7)),
  ],
  twins: [
    wrongHash(
      'powerpc-hash/rights/busy-ignored',
      'the change does not wait for the fault, which brings the right to write back',
      { busy: 'ignored' },
      ['O2', 'O9', 'O10', 'O12', 'O16'],
    ),
  ],
});

/** Pages 0 and 1 as page tables have them. */
export interface Unhashed extends Stage {
  /** How they are mapped. */
  readonly pages: readonly Mapping[];
}

/** Two pages that are mapped to be read, and not hashed: their entries were set anew. */
export function unhashed(run: Run): Unhashed {
  const stage = setStage(run, { touched: [0, 1], inKernel: [1] });
  const { mm } = stage;
  const pages = [0, PAGE].map((at) => mappingOf(run, mm, at));
  for (const [i, { pte, ptl }] of pages.entries()) {
    run(0, function* (cpu) {
      const ops = cpu.kernel.backend.pte;
      yield* cpu.spinLock(ptl);
      const old = yield* ops.ptepGetAndClear(cpu, mm, i * PAGE, pte, 0);
      yield* ops.setPteAt(cpu, mm, i * PAGE, pte, pteWrprotect(old), 0);
      yield* cpu.spinUnlock(ptl);
    });
  }
  return { ...stage, pages };
}

/** A hash fault on a page that stays where it is. */
export function* hashStable(cpu: Cpu, mm: Mm, address: number): Steps<void> {
  const found = yield* cpu.kernel.backend.tlbMiss!(cpu, mm, address, false);
  cpu.claim.that(found, 'O16', 'a page that is mapped, and stays so, is not found');
}

/** An insertion that takes whatever it finds free. */
function* insertUnlocked(cpu: Cpu, { mm, pages }: Unhashed, i: number): Steps<void> {
  const { htab } = cpu.kernel.backend as Hash;
  const vpn = hptVpn(htab, cpu.read(contextId(mm)), i * PAGE);
  for (const cell of hpteCells(htab, vpn)) {
    if ((yield* cpu.readOnce(cell)) !== 0) continue;
    yield* cpu.writeOnce(hpteR(cell), hpteEncodeR(yield* cpu.readOnce(pages[i]!.pte)));
    yield* cpu.writeOnce(cell, hpteV(vpn));
    return;
  }
}

const oneGroup = defineScenario<Unhashed & { readonly htab: Htab }>({
  id: 'powerpc-hash/one-group',
  title: 'two CPUs hash different pages into one group at once: each takes an entry of its own',
  source: 'hash_native.c native_hpte_insert, native_lock_hpte',
  cpus: 2,
  only: HASH_ONLY,
  backend: hash({ groups: 1, slots: 4 }),
  setup: (run, kernel) => ({ ...unhashed(run), htab: (kernel.backend as Hash).htab }),
  threads: ({ mm }) => [0, PAGE].map((at) => thread((cpu) => hashStable(cpu, mm, at))),
  final(peek, { mm, pages, htab }) {
    const found = pages.map((_, i) => htab.lookup(peek, peek(contextId(mm)), i * PAGE, 0).map(entryTarget));
    const lost = pages.findIndex(({ page }, i) => found[i]!.length !== 1 || found[i]![0] !== page);
    return lost < 0 ? undefined : `page ${lost} was hashed, and does not stand in the hash page table`;
  },
  twins: [
    {
      id: 'powerpc-hash/one-group/unlocked',
      why: 'both find the same entry free',
      oracle: ['assert', 'O1', 'O6'],
      property: 'ALIAS',
      threads: (env) => [0, 1].map((i) => thread((cpu) => insertUnlocked(cpu, env, i))),
    },
  ],
});

/** A CPU comes to an mm, and its bit is set by a load and a store. */
function* arriveTorn(cpu: Cpu, mm: Mm): Steps<void> {
  yield* cpu.writeOnce(mm.cpumask, (yield* cpu.readOnce(mm.cpumask)) | (1 << cpu.id));
  yield* cpu.atomicAdd(activeCpus(mm), 1);
}

const together = defineScenario<{ readonly mm: Mm }>({
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

const onePte = defineScenario<Unhashed>({
  id: 'powerpc-hash/one-pte',
  title: 'a page becomes writable and is then taken away while another CPU hashes it',
  source: 'asm/book3s/64/hash.h hash__pte_update, hash_pgtable.c hash__ptep_set_access_flags; hash_4k.c',
  cpus: 2,
  only: HASH_ONLY,
  setup: unhashed,
  threads: ({ mm, pages }) => [
    thread(function* (cpu) {
      const { pte, page } = pages[0]!;
      const ops = cpu.kernel.backend.pte;
      const old = yield* cpu.readOnce(pte);
      yield* ops.ptepSetAccessFlags(cpu, mm, 0, pte, old, entrySet(old, RW), 0);
      yield* ops.ptepGetAndClear(cpu, mm, 0, pte, 0);
      yield* putUnmapped(cpu, page);
    }),
    thread(function* (cpu) {
      yield* cpu.kernel.backend.tlbMiss!(cpu, mm, 0, false);
      yield* cpu.enterUser();
    }),
  ],
  twins: [
    wrongHash(
      'powerpc-hash/one-pte/busy-ignored',
      'the change does not wait for the fault, which inserts what is gone',
      { busy: 'ignored' },
      ['O1', 'O9'],
      'FUAF',
    ),
  ],
});

const ptReclaim = defineScenario<Stage>({
  id: 'powerpc-hash/pt-reclaim',
  title:
    'two threads zap all of a table where that frees it: the one that finds no table any more has nothing to wait for',
  source:
    'mm/memory.c zap_pte_range, mm/pt_reclaim.c try_get_and_clear_pmd (6.14), were they on an architecture that collects',
  cpus: 2,
  only: HASH_ONLY,
  profile: {
    ptReclaim: true,
    pteMap: 'rcu',
    tableFree: 'rcu',
    tableRemoveOne: 'rcu',
    ptReclaimUnlink: 'after-section',
  },
  setup: (run) => setStage(run, { touched: [0] }),
  threads: ({ mm }) => [0, 1].map(() => thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 0, 2 * PAGE)))),
  twins: [
    {
      id: 'powerpc-hash/pt-reclaim/in-section',
      why: 'the table is unlinked before the section ends: who finds it gone is back in user mode while the page is still in the hash page table',
      oracle: ['O1', 'O10'],
      property: 'SAC',
      profile: { ptReclaimUnlink: 'in-section' },
      // Where a finish waits for the gathers that are open, the section has ended by then.
      where: { profile: { finishSync: 'none' } },
    },
  ],
});

/** All of them. */
export const POWERPC_HASH_SCENARIOS: readonly AnyScenario[] = [
  b49,
  nested,
  b50,
  b50Enter,
  interrupted,
  paused,
  arrival,
  arrivalLpar,
  tlbieLock,
  evicted,
  evictedLpar,
  busy,
  insertOrder,
  rights,
  oneGroup,
  together,
  onePte,
  ptReclaim,
];
