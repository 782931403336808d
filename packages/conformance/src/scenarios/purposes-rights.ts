/**
 * What operations on rights and addresses are for that other stories do not tell: rights that come back without a fault, what a driver is told of
 * a file's pages, kernel addresses that somebody else has flushed.
 */
import {
  type Cpu,
  type Kernel,
  putPage,
  type Steps,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
  VM_WRITENOTIFY,
  VmapLists,
} from '@mmu-gather/core/stepped';
import {
  allocZeroedPage,
  changeProtNuma,
  cleanRecordSharedMappingRange,
  flushTlbKernelAll,
  mprotect,
  mwriteprotectRange,
  uffdRegisterWp,
  userLoad,
  userStore,
  vmallocInit,
  vmap,
  vunmap,
  wpSharedMappingRange,
} from '@mmu-gather/mm/stepped';
import type { Run } from '@mmu-gather/checker';
import type { AnyScenario } from '../scenario.ts';
import { type FileStage, setFileStage } from './file-stage.ts';
import { gives, looks } from './look.ts';
import { four, purpose } from './purpose.ts';
import { PAGE } from './stage.ts';

const RW = VM_READ | VM_WRITE;

const upgrading = purpose(
  'rights-at-once',
  'exclusive pages that may be written to again are writable at once, and VMAs that have become alike are one',
  four,
  function* (cpu, { mm }, does) {
    if (does) gives(cpu, 'mprotect', yield* mprotect(cpu, mm, PAGE, 2 * PAGE, VM_READ), 0);
    looks(cpu, mm, '0-1 rw, 1-3 r, 3-4 rw | 1w 2r 3r 4w');
    gives(cpu, 'mprotect', yield* mprotect(cpu, mm, PAGE, 2 * PAGE, RW), 0);
    looks(cpu, mm, '0-4 rw | 1w 2w 3w 4w');
    gives(cpu, 'hints', yield* changeProtNuma(cpu, mm, PAGE, 3 * PAGE), 2);
    looks(cpu, mm, '0-4 rw | 1w 2n 3n 4w');
    gives(cpu, 'a load', yield* userLoad(cpu, mm, PAGE), 2);
    looks(cpu, mm, '0-4 rw | 1w 2w 3n 4w');
    gives(cpu, 'registration with userfaultfd', yield* uffdRegisterWp(cpu, mm, 0, 4 * PAGE), 0);
    gives(cpu, 'protection', yield* mwriteprotectRange(cpu, mm, 0, PAGE, true), 0);
    looks(cpu, mm, '0-4 rw | 1r! 2w 3n 4w');
    gives(cpu, 'its end', yield* mwriteprotectRange(cpu, mm, 0, PAGE, false), 0);
    looks(cpu, mm, '0-4 rw | 1w 2w 3n 4w');
    gives(cpu, 'a load', yield* userLoad(cpu, mm, 2 * PAGE), 3);
    looks(cpu, mm, '0-4 rw | 1w 2w 3w 4w');
    gives(cpu, 'protection', yield* mwriteprotectRange(cpu, mm, 0, PAGE, true), 0);
    gives(cpu, 'mprotect', yield* mprotect(cpu, mm, 0, 2 * PAGE, VM_READ), 0);
    gives(cpu, 'mprotect', yield* mprotect(cpu, mm, 0, 2 * PAGE, RW), 0);
    looks(cpu, mm, '0-4 rw | 1r! 2w 3w 4w');
  },
  { profile: { mprotectWritable: true, uffdResolveWritable: true, vmaMerge: true } },
);

/** Two pages of a file, 100 and 101, which a shared mapping has read, and may write to without a fault. */
function readShared(run: Run): FileStage {
  return setFileStage(run, { flags: RW | VM_SHARED, pages: 2, running: [0] });
}

/** The same, and the file hears of the first write to each. */
function noticedShared(run: Run): FileStage {
  return setFileStage(run, { flags: RW | VM_SHARED | VM_WRITENOTIFY, pages: 2, running: [0] });
}

const heard = purpose(
  'rights-of-files',
  'a page that its file knows to be written is writable at once when rights come back, and one that is clean is not',
  noticedShared,
  function* (cpu, { mm }, does) {
    looks(cpu, mm, '0-2 rw | 100r 101r - -');
    if (does) gives(cpu, 'a store', yield* userStore(cpu, mm, 0, 7), 0);
    looks(cpu, mm, '0-2 rw | 7w 101r - -');
    gives(cpu, 'mprotect', yield* mprotect(cpu, mm, 0, 2 * PAGE, VM_READ), 0);
    looks(cpu, mm, '0-2 r | 7r 101r - -');
    gives(cpu, 'mprotect', yield* mprotect(cpu, mm, 0, 2 * PAGE, RW), 0);
    looks(cpu, mm, '0-2 rw | 7w 101r - -');
  },
);

/** Indexes of pages as one number. */
function* cleaned(cpu: Cpu, { file }: FileStage): Steps<number> {
  return (yield* cleanRecordSharedMappingRange(cpu, file, 0, 2)).reduce((sum, index) => sum + 2 ** index, 0);
}

const tracking = purpose(
  'dirty-tracking',
  'a driver is told which pages of a file were written to, or that they may be',
  readShared,
  function* (cpu, env, does) {
    const { mm, file } = env;
    if (does) gives(cpu, 'a store', yield* userStore(cpu, mm, 0, 7), 0);
    gives(cpu, 'a look at dirty bits', yield* cleaned(cpu, env), 1);
    looks(cpu, mm, '0-2 rw | 7w 101w - -');
    gives(cpu, 'another one', yield* cleaned(cpu, env), 0);
    gives(cpu, 'a store', yield* userStore(cpu, mm, PAGE, 8), 0);
    gives(cpu, 'a look at dirty bits', yield* cleaned(cpu, env), 2);
    gives(cpu, 'write protection', yield* wpSharedMappingRange(cpu, file, 0, 1), 1);
    looks(cpu, mm, '0-2 rw | 7r 8w - -');
    gives(cpu, 'write protection', yield* wpSharedMappingRange(cpu, file, 0, 2), 1);
    looks(cpu, mm, '0-2 rw | 7r 8r - -');
    gives(cpu, 'a store', yield* userStore(cpu, mm, 0, 9), 0);
    looks(cpu, mm, '0-2 rw | 9w 8r - -');
  },
);

function listsOf(kernel: Kernel): VmapLists {
  return VmapLists.at(kernel.vmap);
}

const reused = purpose(
  'vmap-generation',
  'kernel addresses may be used again after any flush that began later, and many of them are flushed at once',
  (run) => run(0, vmallocInit),
  function* (cpu, _env, does) {
    const { lazyPages } = listsOf(cpu.kernel);
    const frames = [yield* allocZeroedPage(cpu), yield* allocZeroedPage(cpu)];
    const at = yield* vmap(cpu, [frames[0]!]);
    if (does) yield* vunmap(cpu, at);
    gives(cpu, 'a look at what waits', yield* cpu.readOnce(lazyPages), 1);
    yield* flushTlbKernelAll(cpu);
    gives(cpu, 'an address that somebody has flushed', yield* vmap(cpu, frames), at);
    gives(cpu, 'a look at what waits', yield* cpu.readOnce(lazyPages), 0);
    yield* vunmap(cpu, at);
    gives(cpu, 'a look at what was too much', yield* cpu.readOnce(lazyPages), 0);
    for (const frame of frames) yield* putPage(cpu, frame);
  },
  {
    profile: { vmapReuse: 'generation', vmapLazyPages: 1 },
    only: {
      archs: ['x86', 'arm64', 'powerpc-hash', 'powerpc-radix', 'sparc64', 'riscv'],
      why: 'flush_tlb_all of s390 does nothing: see s390/vunmap-alone',
    },
  },
);

/** All of them. */
export const PURPOSES_OF_RIGHTS: readonly AnyScenario[] = [upgrading, heard, tracking, reused];
