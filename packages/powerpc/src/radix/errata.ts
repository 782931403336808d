/**
 * Errata of POWER9 (PPC_FEATURE P9_TLBIE_ERAT_BUG, P9_TLBIE_STQ_BUG): tlbsync may return before the last tlbie is done everywhere, unless it was
 * repeated behind a ptesync:
 *
 *     erat    by one of another PID, for which the kernel's serves
 *     stq     by one of the same PID
 *
 * On a machine that has them tlbsync waits for nothing unless that was done: the worst that can come of them, not what one tlbie in a million does.
 */
import { type Cpu } from '@mmu-gather/core/stepped';
import { RADIX_KERNEL_PID } from './isa.ts';
import { radixOf } from './state.ts';

/** What one broadcast has issued so far, in order: the PID of each tlbie that is subject to errata, or {@link SYNC}. */
export type Issued = number[];

/** A ptesync. */
export const SYNC: number = -1;

/** Is this erratum worked around here? */
export function worksAround(cpu: Cpu, erratum: 'stq' | 'erat'): boolean {
  const { errata, fixups } = radixOf(cpu).switches;
  return fixups && (errata === erratum || errata === 'both');
}

/** Does tlbsync wait for what was issued? */
export function isSettled(cpu: Cpu, issued: Issued): boolean {
  const { errata } = radixOf(cpu).switches;
  let last: number | undefined;
  let [synced, other, same] = [false, false, false];
  for (const pid of issued) {
    const repeated = pid !== SYNC && synced && last !== undefined;
    if (pid !== SYNC) {
      [other, same] = [repeated && (other || pid === RADIX_KERNEL_PID), repeated && (same || pid === last)];
      if (!repeated) last = pid;
    }
    synced = pid === SYNC;
  }
  return errata === 'none' || last === undefined || ((errata === 'stq' || other) && (errata === 'erat' || same));
}
