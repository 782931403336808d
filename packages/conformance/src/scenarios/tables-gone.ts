/**
 * Tables that go, beside faults that have seen them: one that maps a file's neighbours, too, and one that must not go.
 */
import type { Run } from '@mmu-gather/checker';
import {
  type Address,
  type AddressSpace,
  type Cpu,
  type Mm,
  type Steps,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from '@mmu-gather/core/stepped';
import {
  allocFilePage,
  allocMapping,
  contextSwitch,
  doUserAddrFault,
  fileBacking,
  filemapAdd,
  madviseDontneed,
  mmAlloc,
  mmap,
  type PageCache,
  retractPageTables,
  userLoad,
  userStore,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { RETRACTED } from './outcomes.ts';
import { newThread, PAGE, RW_MEMORY } from './stage.ts';

interface Cached {
  readonly mm: Mm;
  readonly cache: PageCache;
  readonly pages: readonly Address[];
}

/** A private mapping of two pages of a file, 100 and 101, both cached. The first is mapped; CPU 1 is in a system call. */
function cachedFile(run: Run): Cached {
  const pages = [0, 1].map((index) => run(0, (cpu) => allocFilePage(cpu, 7, 100 + index)));
  function* page(_cpu: Cpu, _file: number, index: number): Steps<Address> {
    return pages[index] ?? 0;
  }
  const cache: PageCache = { faultAround: 2, fault: page, cached: page };
  const mm = run(0, mmAlloc);
  run(0, (cpu) => contextSwitch(cpu, mm));
  run(0, (cpu) => mmap(cpu, mm, 0, 2 * PAGE, VM_READ | VM_WRITE, { file: 7, pgoff: 0 }));
  run(0, (cpu) => userStore(cpu, mm, 0, 7, cache));
  run(1, (cpu) => newThread(cpu, mm));
  run(1, (cpu) => cpu.enterKernel());
  return { mm, cache, pages };
}

const around = defineScenario<Cached>({
  id: 'tables/fault-around',
  title: 'MADV_DONTNEED frees the table in which a fault on a file is about to map the page and its neighbour',
  source: 'mm/filemap.c filemap_map_pages; pte_offset_map_lock, 0d940a9b270b',
  cpus: 2,
  profile: { ptReclaim: true, pteMap: 'rcu', tableFree: 'rcu', tableRemoveOne: 'rcu' },
  setup: cachedFile,
  threads: ({ mm, cache }) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, 2 * PAGE)),
    thread((cpu) => doUserAddrFault(cpu, mm, PAGE, false, cache)),
  ],
  holds: ({ pages }) => pages.map((object) => ({ object, references: 1 })),
  twins: [
    {
      id: 'tables/fault-around/plain',
      why: 'the fault gets from the upper entry to the lock without RCU',
      oracle: ['O5', 'O17'],
      property: 'TUAF',
      profile: { pteMap: 'plain' },
    },
  ],
});

interface InPart {
  readonly mm: Mm;
  readonly mapping: AddressSpace;
}

/**
 * A file is mapped as a whole, 0-2, and once more in part, 2-3, where it shares its table with anonymous memory, 3-4. Both tables are there,
 * and empty; CPU 1 is in a system call.
 */
function mappedInPart(run: Run): InPart {
  const mapping = run(0, allocMapping);
  for (const index of [0, 1]) run(0, (cpu) => filemapAdd(cpu, mapping, index, 100 + index));
  const mm = run(0, mmAlloc);
  run(0, (cpu) => contextSwitch(cpu, mm));
  const shared = VM_READ | VM_SHARED;
  run(0, (cpu) => mmap(cpu, mm, 0, 2 * PAGE, shared, fileBacking(mapping.address)));
  run(0, (cpu) => mmap(cpu, mm, 2 * PAGE, PAGE, shared, fileBacking(mapping.address)));
  run(0, (cpu) => mmap(cpu, mm, 3 * PAGE, PAGE, RW_MEMORY));
  run(0, (cpu) => userLoad(cpu, mm, 0));
  run(0, (cpu) => userStore(cpu, mm, 3 * PAGE, 1));
  for (const at of [0, 3 * PAGE]) run(0, (cpu) => madviseDontneed(cpu, mm, at, PAGE));
  run(1, (cpu) => newThread(cpu, mm));
  run(1, (cpu) => cpu.enterKernel());
  return { mm, mapping };
}

const inPart = defineScenario<InPart>({
  id: 'tables/retract-in-part',
  title:
    'retract_page_tables of a file that is mapped as a whole, and once more in part: there the table is that of other memory, too, in which a thread faults',
  source: 'mm/khugepaged.c up to 6.4, range_in_vma',
  cpus: 2,
  profile: {
    retract: 'mmap-lock',
    pteMap: 'plain',
    ptReclaim: false,
    tableFree: 'batched',
    perVmaLocks: true,
    vmaWriters: 'all',
    vmaFree: 'rcu',
  },
  setup: mappedInPart,
  threads: ({ mm, mapping }) => [
    thread((cpu) => retractPageTables(cpu, mapping, 0)),
    thread((cpu) => doUserAddrFault(cpu, mm, 3 * PAGE, true)),
  ],
  sometimes: [RETRACTED],
  twins: [
    {
      id: 'tables/retract-in-part/unlocked',
      why: 'without mmap_lock, and the thread faults where the table does go',
      oracle: ['O5', 'O17'],
      property: 'TUAF',
      profile: { retract: 'immediate' },
      threads: ({ mm, mapping }) => [
        thread((cpu) => retractPageTables(cpu, mapping, 0)),
        thread((cpu) => doUserAddrFault(cpu, mm, 0, false)),
      ],
    },
  ],
});

/** All of them. */
export const TABLES_GONE: readonly AnyScenario[] = [around, inPart];
