/**
 * The kernel versions.
 */
import type { KernelId, ProfileSpec } from './spec.ts';

function kernel(id: KernelId, title: string, source: string): ProfileSpec {
  return { id, title, source, kernel: id, switches: {}, backend: {} };
}

/** In the order of history. */
export const LINUX: readonly ProfileSpec[] = [
  kernel('linux-5.11', 'the five batching schemes, when the RFC was written', 'Linux 5.11 (February 2021)'),
  kernel('linux-6.1', 'mprotect gathers, PTEs that need no flush, reclaim counts', 'Linux 6.1 (December 2022)'),
  kernel('linux-6.12', 'delayed rmap, per-VMA locks, RCU walks of PTE tables', 'Linux 6.12 (November 2024)'),
  kernel('linux-6.18', 'PT_RECLAIM, tables freed by RCU, CPUs that stay in the mask', 'Linux 6.18 (November 2025)'),
];
