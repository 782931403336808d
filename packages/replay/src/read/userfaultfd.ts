/**
 * Userfaultfd in recordings: ioctl(2) says which of its requests is made, and keeps for whom in memory.
 */
import type { SysEnter } from './event.ts';

/** The type of its requests (USERFAULTFD_IOC), where _IOC puts it. */
const TYPE = 0xaa00;

/** Numbers of its requests. */
export const UFFDIO: {
  readonly COPY: number;
  readonly ZEROPAGE: number;
  readonly WRITEPROTECT: number;
  readonly CONTINUE: number;
} = { COPY: 3, ZEROPAGE: 4, WRITEPROTECT: 6, CONTINUE: 7 };

/** The number of a request of ioctl; null if it is none of userfaultfd. */
export function uffdRequest([, request = 0]: readonly number[]): number | null {
  const low = request % 0x10000;
  return low - (low % 0x100) === TYPE ? low % 0x100 : null;
}

/** Whether a process works with userfaultfd from here on. */
export function isUserfaultfd({ name, args }: SysEnter): boolean {
  return name === 'ioctl' && uffdRequest(args) !== null;
}
