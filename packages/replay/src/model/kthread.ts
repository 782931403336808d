/**
 * Kernel threads by name: a recording tells who is one only by what it is called.
 */

/** What comes before a CPU or another number: `kworker/1:1H`, `migration/0`, `irq/24-ahci`, `jbd2/vda1-8`. */
const FAMILIES: ReadonlySet<string> = new Set([
  'cpuhp',
  'idle_inject',
  'irq',
  'jbd2',
  'ksoftirqd',
  'kworker',
  'migration',
  'napi',
  'rcuc',
  'rcub',
  'rcuog',
  'rcuop',
  'rcuos',
  'swapper',
  'watchdog',
]);

/** Whole names, without the digits at their end. */
const NAMES: ReadonlySet<string> = new Set([
  'kauditd',
  'kcompactd',
  'kdamond',
  'kdamond.',
  'kdevtmpfs',
  'khugepaged',
  'khungtaskd',
  'kintegrityd',
  'kpsmoused',
  'kprobe-optimizer',
  'ksmd',
  'kswapd',
  'kthreadd',
  'oom_reaper',
  'pool_workqueue_',
  'psimon',
  'scsi_eh_',
  'watchdogd',
  'writeback',
]);

/** Whether a task of this name is a kernel thread. */
export function isKernelThread(comm: string): boolean {
  const slash = comm.indexOf('/');
  if (slash >= 0) return FAMILIES.has(comm.slice(0, slash));
  return comm.startsWith('rcu_') || NAMES.has(comm.replace(/\d+$/, ''));
}
