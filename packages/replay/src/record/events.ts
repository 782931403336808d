/**
 * What is recorded: the events that a replay reads, and those that tell more of what happened. What a kernel does not have is left out.
 */
import { RANGES, RANGES_EVENT } from '../read/made-events.ts';

/** `system/event`, or a whole system. */
export const EVENTS: readonly string[] = [
  'tlb/tlb_flush',
  'exceptions/page_fault_user',
  'exceptions/page_fault_kernel',
  'sched/sched_switch',
  'sched/sched_process_fork',
  'sched/sched_process_exec',
  'sched/sched_process_exit',
  'sched/sched_migrate_task',
  'task/task_newtask',
  'irq_vectors/call_function_entry',
  'irq_vectors/call_function_exit',
  'irq_vectors/call_function_single_entry',
  'irq_vectors/call_function_single_exit',
  'ipi',
  'csd',
  'mmap/exit_mmap',
  'kmem/rss_stat',
  'huge_memory/mm_collapse_huge_page',
  'migrate/remove_migration_pte',
];

/** System calls that change address spaces, or make and end them, or say which file is meant. */
export const SYSCALLS: readonly string[] = [
  'mmap',
  'munmap',
  'mprotect',
  'pkey_mprotect',
  'madvise',
  'process_madvise',
  'mremap',
  'brk',
  'clone',
  'clone3',
  'fork',
  'vfork',
  'execve',
  'execveat',
  'exit',
  'exit_group',
  'msync',
  'fsync',
  'fdatasync',
  'sync_file_range',
  'mlock',
  'mlock2',
  'munlock',
  'mlockall',
  'munlockall',
  'userfaultfd',
  'ioctl',
  'remap_file_pages',
  'mbind',
  'move_pages',
  'migrate_pages',
  'shmat',
  'shmdt',
  'fallocate',
  'ftruncate',
  'truncate',
  'sched_setaffinity',
  'process_vm_writev',
  'process_vm_readv',
  'membarrier',
  'process_mrelease',
  'mseal',
];

/** The system of the events that are made for recordings. */
export const MADE_SYSTEM: string = 'mmu_gather';

/** Ranges of a struct iovec array in user memory: its fields are two words each. */
const IOVECS = Array.from(
  { length: RANGES },
  (_, at) => `s${at}=+u${16 * at}($vec):x64 l${at}=+u${16 * at + 8}($vec):x64`,
);

/** Events that the kernel is asked to make of others, as definitions of dynamic_events; by name. */
export const MADE: ReadonlyMap<string, string> = new Map([
  [RANGES_EVENT, `e:${MADE_SYSTEM}/${RANGES_EVENT} syscalls.sys_enter_process_madvise ${IOVECS.join(' ')}`],
]);

/** Without these a replay has nothing to go by, or nothing to compare with. */
export const NEEDED: readonly string[] = [
  'tlb/tlb_flush',
  'exceptions/page_fault_user',
  'sched/sched_switch',
  'syscalls/sys_enter_munmap',
];
