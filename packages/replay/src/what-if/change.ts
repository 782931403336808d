/**
 * Changes of a program that would spare flushes: each turns the recorded operations of one process into others, which are then replayed.
 *
 *     keep      memory is not given back: munmap, MADV_DONTNEED and a shrinking brk are left out. The most that larger batches, or an
 *               allocator's thresholds, can gain
 *     free      MADV_DONTNEED becomes MADV_FREE
 *     still     mprotect gives rights and never takes any: the most that fewer changes of protection can gain
 *     order     memory is emptied before it becomes PROT_NONE, not after: of two flushes the second one is spared
 *     spawn     fork becomes vfork where the child runs another program
 *     one-cpu   all runs on one CPU: nobody has to be interrupted
 */
import { MADV_DONTNEED, MADV_FREE } from '@mmu-gather/mm';
import type { Change } from '../watching.ts';
import type { Action, SyscallAction } from '../schedule/action.ts';

/** Names of changes. */
export type ChangeId = 'keep' | 'free' | 'still' | 'order' | 'spawn' | 'one-cpu';

/** A change that may help. */
export interface ProgramChange {
  /** Its name. */
  readonly id: ChangeId;
  /** What to do, in one line. */
  readonly title: string;
  /** Operations that it may help. */
  readonly operations: readonly string[];
}

/** All of them. */
export const CHANGES: readonly ProgramChange[] = [
  {
    id: 'keep',
    title: 'give memory back less often (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, decay times); at most, never',
    operations: ['munmap', 'madvise', 'brk'],
  },
  { id: 'free', title: 'MADV_FREE instead of MADV_DONTNEED', operations: ['madvise'] },
  {
    id: 'still',
    title: 'take rights away less often (mprotect); at most, never',
    operations: ['mprotect', 'pkey_mprotect'],
  },
  {
    id: 'order',
    title: 'munmap or MADV_DONTNEED first, mprotect to PROT_NONE only of what is empty',
    operations: ['munmap', 'madvise'],
  },
  {
    id: 'spawn',
    title: 'posix_spawn or vfork instead of fork before exec',
    operations: ['clone', 'clone3', 'fork', 'fault'],
  },
  {
    id: 'one-cpu',
    title: 'threads that share memory on one CPU (taskset)',
    operations: ['munmap', 'madvise', 'mprotect', 'fault', 'brk', 'mremap', 'clone', 'clone3'],
  },
];

/** clone(2). */
const CLONE_VM = 0x100;
const CLONE_VFORK = 0x4000;
/** PROT_READ and PROT_WRITE. */
const PROT_READ_WRITE = 3;

/** What a change does to the actions of some tasks. @param executes whether a task runs another program */
export function changeOf(id: ChangeId, concerns: (pid: number) => boolean, executes: (pid: number) => boolean): Change {
  const act = ACTS[id];
  return (action) => (action.kind === 'hidden' || !concerns(action.pid) ? action : act(action, executes));
}

type Act = (action: Action, executes: (pid: number) => boolean) => Action | null;

const ACTS: Readonly<Record<ChangeId, Act>> = {
  keep(action) {
    if (action.kind !== 'syscall') return action;
    const { name, args, ret } = action;
    const givesBack =
      name === 'munmap' ||
      (name === 'madvise' && isDontneed(args[2])) ||
      (name === 'brk' && args[0] !== 0 && ret === args[0]);
    return givesBack ? null : action;
  },
  free(action) {
    if (action.kind !== 'syscall' || action.name !== 'madvise' || !isDontneed(action.args[2])) return action;
    return { ...action, args: [...action.args.slice(0, 2), MADV_FREE] };
  },
  still(action) {
    if (!isMprotect(action)) return action;
    const [start = 0, length = 0, protection = 0] = action.args;
    return { ...action, args: [start, length, protection | PROT_READ_WRITE] };
  },
  // What is empty costs nothing to protect.
  order: (action) => (isMprotect(action) && action.args[2] === 0 ? null : action),
  spawn(action, executes) {
    if (action.kind !== 'clone' || (action.flags & CLONE_VM) !== 0 || !executes(action.child)) return action;
    return { ...action, flags: action.flags | CLONE_VM | CLONE_VFORK };
  },
  'one-cpu': (action) => action,
};

function isMprotect(action: Action): action is SyscallAction {
  return action.kind === 'syscall' && (action.name === 'mprotect' || action.name === 'pkey_mprotect');
}

function isDontneed(advice: number | undefined): boolean {
  return advice === MADV_DONTNEED;
}
