/**
 * What is recorded: the events that a replay reads, and those that tell more of what happened. What a kernel does not have is left out.
 */

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
  'mlock',
  'mlock2',
  'munlock',
  'mlockall',
  'munlockall',
  'userfaultfd',
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

/** Without these a replay has nothing to go by, or nothing to compare with. */
export const NEEDED: readonly string[] = [
  'tlb/tlb_flush',
  'exceptions/page_fault_user',
  'sched/sched_switch',
  'syscalls/sys_enter_munmap',
];
