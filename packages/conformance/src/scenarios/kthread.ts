/**
 * Kernel threads that work on users' behalf (kthread_use_mm): vhost, io_uring workers, process_madvise from elsewhere. Nobody returns to
 * user mode here, and still a translation must be of the mm that is in use.
 *
 *     CPU 0 (kernel thread, two ASID slots)          CPU 1
 *     use A: takes the free slot                     mprotect A
 *     unuse A; use B: takes the slot of C,
 *     whose entries are still there
 *     copy_to_user to B: lands in C                  unless the slot was flushed
 */
import type { Run } from '@mmu-gather/checker';
import { type Mm, type Steps, VM_READ } from '@mmu-gather/core/stepped';
import {
  contextSwitch,
  kthreadUnuseMm,
  kthreadUseMm,
  mmAlloc,
  mmap,
  mprotect,
  userLoad,
  userStore,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { gives, looks } from './look.ts';
import { purpose } from './purpose.ts';
import { PAGE, RW_MEMORY } from './stage.ts';

const useMm = defineScenario<readonly Mm[]>({
  id: 'kthread/use-mm',
  title: 'a kernel thread uses one mm after the other on a CPU with two ASID slots, one of them of a third mm',
  source: 'kernel/kthread.c kthread_use_mm; arch/x86/mm/tlb.c choose_new_asid',
  cpus: 2,
  pools: { mm: 3, vma: 3, page: 3, table: 6 },
  setup(run) {
    // The third mm ran on CPU 0 before; the other two never did.
    const mms = [1, 1, 0].map((cpu): Mm => {
      const mm = run(cpu, mmAlloc);
      run(cpu, (port) => contextSwitch(port, mm));
      run(cpu, (port) => mmap(port, mm, 0, PAGE, RW_MEMORY));
      run(cpu, (port) => userStore(port, mm, 0, 1));
      return mm;
    });
    run(0, (cpu) => contextSwitch(cpu, null));
    return mms;
  },
  threads: (mms) => [
    thread(function* (cpu): Steps<void> {
      yield* kthreadUseMm(cpu, mms[0]!);
      yield* kthreadUnuseMm(cpu, mms[0]!);
      yield* kthreadUseMm(cpu, mms[1]!);
    }),
    thread((cpu) => mprotect(cpu, mms[0]!, 0, PAGE, VM_READ)),
  ],
  // It still uses the second.
  holds: (mms) => [{ object: mms[1]!.address, references: 1 }],
  twins: [
    {
      id: 'kthread/use-mm/no-flush',
      why: 'the slot is renamed and not flushed: what the thread reads and writes is of the mm that had it',
      oracle: 'O8',
      property: 'ALIAS',
      wrong: 'tag-reused',
    },
  ],
});

/** Two mms, which CPU 0 runs no more: page 0 of the first has 1 in it, that of the second 2. */
function twoMms(run: Run): readonly Mm[] {
  const mms = [1, 2].map((data): Mm => {
    const mm = run(0, mmAlloc);
    run(0, (cpu) => contextSwitch(cpu, mm));
    run(0, (cpu) => mmap(cpu, mm, 0, PAGE, RW_MEMORY));
    run(0, (cpu) => userStore(cpu, mm, 0, data));
    return mm;
  });
  run(0, (cpu) => contextSwitch(cpu, null));
  return mms;
}

const copies = purpose(
  'kthread',
  'a kernel thread reads from one mm, and then from another',
  twoMms,
  function* (cpu, [first, second], does) {
    yield* kthreadUseMm(cpu, first!);
    gives(cpu, 'a load of the first', yield* userLoad(cpu, first!, 0), 1);
    if (does) gives(cpu, 'a store', yield* userStore(cpu, first!, 0, 3), 0);
    yield* kthreadUnuseMm(cpu, first!);
    yield* kthreadUseMm(cpu, second!);
    gives(cpu, 'a load of the second', yield* userLoad(cpu, second!, 0), 2);
    yield* kthreadUnuseMm(cpu, second!);
    looks(cpu, first!, '0-1 rw | 3w - - -');
  },
);

/** All of them. */
export const KTHREAD: readonly AnyScenario[] = [useMm, copies];
