/**
 * Ahead: what faults tell that come after a call of which no recording holds the range, or after one that is not recorded at all.
 *
 *     ioctl UFFDIO_WRITEPROTECT               a task falls into the sleep of a disk's work, and no call is recorded
 *     write faults that wait, though          write faults at pages that were there, and could be written to:
 *       the page is there: protected            what was dirty was written out before, by fsync
 *
 * A step waits until AHEAD more events were read, or one says that what comes later tells nothing of it: another call that protects, another
 * such sleep. Only page faults, calls and switches are looked at, never recorded flushes.
 */
import type { PageFault, SysEnter } from '../read/event.ts';
import type { Step } from './action.ts';

/** Events that are read beyond a step that waits for what they tell. */
export const AHEAD: number = 8192;
/** Steps that wait so at the same time; the one that waits longest goes on without more. */
const MOST = 64;

/** A write fault at a page that was there. */
export interface Denied {
  readonly pid: number;
  readonly address: number;
}

/** What later faults told: complete once the step that it was asked for is passed on. */
export interface Hindsight {
  /** Faults in their order, one for each page. */
  readonly faults: Denied[];
  /** Calls in a row that they tell of: which call it was for which page is not known. */
  calls: number;
}

interface Look extends Hindsight {
  readonly steps: Step[];
  /** Whose call of userfaultfd it is; `sleep`: a sleep of whoever. */
  readonly of: number | null | 'sleep';
  /** Pages that faulted since, in whichever way. */
  readonly pages: Set<string>;
  /** The number of the last event that is looked at. */
  readonly until: number;
}

/** The smallest pages that there are: each address of one counts once. */
const PAGE = 4096;
/** Error code: the page was present, and the access a write. */
const DENIED = 3;

/** Calls that write files out, or take rights away. */
const PROTECTS: ReadonlySet<string> = new Set(['fdatasync', 'fsync', 'mprotect', 'msync', 'sync_file_range']);
/** Calls that take pages away. */
const REMOVES: ReadonlySet<string> = new Set(['madvise', 'mremap', 'munmap']);

/** Lets steps wait for what comes after them. */
export class Ahead {
  #looks: Look[] = [];
  #events = 0;

  /** An event was read. */
  pass(): void {
    if (this.#looks.length === 0) return;
    this.#events++;
    if (this.#looks[0]!.until < this.#events) this.#close((look) => look.until < this.#events);
  }

  /** A process protects pages from here on. @returns what is learned of it, and the number of this call of those in a row */
  protects(step: Step, process: number | null): { readonly hindsight: Hindsight; readonly index: number } {
    const known = this.#looks.find(({ of }) => of === process);
    if (known !== undefined && known.faults.length === 0) {
      step.holds++;
      known.steps.push(step);
      return { hindsight: known, index: known.calls++ };
    }
    this.#close((look) => look === known);
    return { hindsight: this.#open(step, process), index: 0 };
  }

  /** A task sleeps, and nothing says why. What faults tell from here on is of this sleep, and no more of those before. */
  sleeps(step: Step): Hindsight {
    this.#close(({ of }) => of === 'sleep');
    return this.#open(step, 'sleep');
  }

  /** A fault waits for userfaultfd. */
  waits(fault: PageFault): void {
    if ((fault.errorCode & DENIED) !== DENIED) return;
    for (const look of this.#looks) if (look.of === fault.tgid) note(look, fault, true);
  }

  /** A task faults. */
  faults(fault: PageFault): void {
    for (const look of this.#looks) if (look.of === 'sleep') note(look, fault, (fault.errorCode & DENIED) === DENIED);
  }

  /** A process calls. Pages that are away fault in another way the next time: that tells nothing of why a task slept. */
  calls({ tgid, name }: SysEnter): void {
    if (this.#looks.length === 0) return;
    const protects = PROTECTS.has(name);
    if (!protects && !REMOVES.has(name)) return;
    this.#close(({ of }) => (of === 'sleep' ? protects : of === tgid));
  }

  #open(step: Step, of: Look['of']): Hindsight {
    if (this.#looks.length === MOST) this.#close((look) => look === this.#looks[0]);
    step.holds++;
    const look: Look = { steps: [step], of, faults: [], pages: new Set(), calls: 1, until: this.#events + AHEAD };
    this.#looks.push(look);
    return look;
  }

  #close(which: (look: Look) => boolean): void {
    const closed = this.#looks.filter(which);
    if (closed.length === 0) return;
    this.#looks = this.#looks.filter((look) => !closed.includes(look));
    for (const { steps } of closed) for (const step of steps) step.holds--;
  }
}

/** The first fault of a page counts. @param tells it is of the kind that is looked for */
function note({ pages, faults }: Look, { tgid, pid, address }: PageFault, tells: boolean): void {
  const page = `${tgid} ${Math.floor(address / PAGE)}`;
  if (pages.has(page)) return;
  pages.add(page);
  if (tells) faults.push({ pid, address });
}
