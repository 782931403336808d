/**
 * Userfaultfds: which faults of a process wait for userfaultfd, and what its ioctls answer.
 *
 *     UFFDIO_COPY, ZEROPAGE, CONTINUE     the fault that has waited longest
 *     UFFDIO_WRITEPROTECT                 the same; if none waits, it protects
 */
import type { PageFault } from '../read/event.ts';
import { UFFDIO, uffdRequest } from '../read/userfaultfd.ts';

/** Requests that let a fault go on. */
const ANSWERS: ReadonlySet<number> = new Set([UFFDIO.COPY, UFFDIO.ZEROPAGE, UFFDIO.CONTINUE, UFFDIO.WRITEPROTECT]);

/** Follows faults that wait. */
export class Userfaultfds {
  readonly #processes = new Set<number | null>();
  /** Addresses of faults that wait, by process. */
  readonly #waiting = new Map<number | null, Set<number>>();

  /** A process lets others answer its faults. */
  uses(process: number | null): void {
    this.#processes.add(process);
  }

  /** Whether faults of a process may wait. */
  has(process: number | null): boolean {
    return this.#processes.has(process);
  }

  /** A fault waits. */
  waits({ tgid, address }: PageFault): void {
    const waiting = this.#waiting.get(tgid);
    if (waiting === undefined) this.#waiting.set(tgid, new Set([address]));
    else waiting.add(address);
  }

  /** An ioctl with these arguments is over. @returns what it did; null if it is none of these requests */
  answers(process: number | null, args: readonly number[]): 'answers' | 'protects' | null {
    const request = uffdRequest(args);
    if (request === null || !ANSWERS.has(request)) return null;
    const waiting = this.#waiting.get(process);
    const [first] = waiting ?? [];
    if (first !== undefined) waiting!.delete(first);
    return first === undefined && request === UFFDIO.WRITEPROTECT ? 'protects' : 'answers';
  }
}
