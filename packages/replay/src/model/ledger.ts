/**
 * Ledger: recorded and predicted flushes of each operation.
 *
 *     exact      one recorded and one predicted flush of the same operation with equal CPU, reason and pages
 *     allowed    what is left over of them: the recorded one is another member of the set that the prediction stands in (allowed.ts),
 *                or the prediction's set says that it may not come, or that it may come although none was predicted
 *     mismatch   the rest. Two leftovers with the same CPU and reason are one: the flush was predicted, with other pages
 *
 * Each flush is in one pair at most. Sets are made of what the recording leaves open, without a look at recorded flushes.
 */
import type { Operation } from '../schedule/action.ts';
import { type Alternatives, NONE } from './allowed.ts';
import type { Flush } from './flush.ts';

/** A difference between recording and prediction. */
export interface Difference {
  readonly operation: Operation;
  readonly recorded: Flush | null;
  readonly predicted: Flush | null;
  /** What was assumed for the operation. */
  readonly notes: readonly string[];
}

interface Account {
  readonly operation: Operation;
  recorded: Flush[];
  predicted: Flush[];
  /** The settling at which it was last used. */
  used: number;
}

/** Counts of one reason. */
export interface Tally {
  recorded: number;
  predicted: number;
  /** Exact pairs. */
  matched: number;
  /** Recorded ones that another member of a set explains. */
  allowed: number;
  /** Predicted ones that stand in a pair of such, or need not come. */
  excused: number;
  /** Members of all sets that were used. */
  members: number;
  /** Sets that were used. */
  sets: number;
}

/** Collects flushes and pairs them. */
export class Ledger {
  readonly #accounts = new Map<number, Account>();
  readonly #alternatives: (operation: Operation) => Alternatives;
  #round = 0;
  /** Counts by reason of the workload proper. */
  readonly proper: Map<number, Tally> = new Map<number, Tally>();
  /** Counts by reason of what came before. */
  readonly early: Map<number, Tally> = new Map<number, Tally>();
  /** In the order in which operations were settled. */
  readonly differences: Difference[] = [];

  /** @param alternatives what the recording leaves open of an operation that is over */
  constructor(alternatives: (operation: Operation) => Alternatives = () => NONE) {
    this.#alternatives = alternatives;
  }

  /** A flush that was recorded. */
  record(operation: Operation, flush: Flush): void {
    this.#account(operation).recorded.push(flush);
  }

  /** A flush that the running code made. */
  predict(operation: Operation, flush: Flush): void {
    this.#account(operation).predicted.push(flush);
  }

  /** Whether the running code made such a flush in an operation. */
  predicted({ id }: Operation, { reason, pages }: Pick<Flush, 'reason' | 'pages'>): boolean {
    const account = this.#accounts.get(id);
    return account?.predicted.some((flush) => flush.reason === reason && flush.pages === pages) === true;
  }

  /** Pairs the flushes of operations that nothing was heard of since the last call but one; at the end, of all. */
  settle(end: boolean): void {
    this.#round++;
    for (const [id, account] of this.#accounts) {
      if (!end && account.used >= this.#round - 1) continue;
      this.#accounts.delete(id);
      this.#pair(account);
    }
  }

  #account(operation: Operation): Account {
    let account = this.#accounts.get(operation.id);
    if (account === undefined) {
      account = { operation, recorded: [], predicted: [], used: 0 };
      this.#accounts.set(operation.id, account);
    }
    account.used = this.#round;
    return account;
  }

  #pair({ operation, recorded, predicted }: Account): void {
    if (recorded.length === predicted.length && recorded.every((flush, at) => equal(predicted[at]!, flush))) {
      for (const flush of recorded) this.#exact(flush);
      return;
    }
    const open = [...predicted];
    for (const flush of predicted) this.#tally(flush).predicted++;
    const missed: Flush[] = [];
    for (const flush of recorded) {
      this.#tally(flush).recorded++;
      if (take(open, flush, equal) === null) missed.push(flush);
      else this.#tally(flush).matched++;
    }
    if (missed.length === 0 && open.length === 0) return;
    const notes = operation.assumed ?? [];
    for (const flush of this.#allow(operation, missed, open, predicted)) {
      this.differences.push({ operation, recorded: flush, predicted: take(open, flush, alike), notes });
    }
    for (const flush of open) this.differences.push({ operation, recorded: null, predicted: flush, notes });
  }

  /** Takes out of both lists what sets explain. @returns the recorded ones that are left */
  #allow(operation: Operation, missed: readonly Flush[], open: Flush[], predicted: readonly Flush[]): Flush[] {
    const alternatives = this.#alternatives(operation);
    const left = missed.filter((flush) => {
      const stands = open.find((other) => alike(other, flush) && other.where === flush.where);
      const pages = stands === undefined ? alternatives.unforeseen(flush, predicted) : alternatives.instead(stands);
      if (!pages.includes(flush.pages)) return true;
      if (stands !== undefined) open.splice(open.indexOf(stands), 1);
      this.#excuse(flush, stands, pages.length);
      return false;
    });
    for (const flush of open.slice()) {
      const pages = alternatives.instead(flush);
      if (!pages.includes(null)) continue;
      open.splice(open.indexOf(flush), 1);
      this.#excuse(null, flush, pages.length);
    }
    return left;
  }

  /** A pair in which both are the same. */
  #exact(flush: Flush): void {
    const tally = this.#tally(flush);
    tally.recorded++;
    tally.predicted++;
    tally.matched++;
  }

  #excuse(recorded: Flush | null, predicted: Flush | undefined, members: number): void {
    if (recorded !== null) this.#tally(recorded).allowed++;
    if (predicted !== undefined) this.#tally(predicted).excused++;
    const tally = this.#tally((recorded ?? predicted)!);
    tally.sets++;
    tally.members += members;
  }

  #tally({ early, reason }: Flush): Tally {
    const tallies = early ? this.early : this.proper;
    let tally = tallies.get(reason);
    if (tally === undefined) {
      tally = { recorded: 0, predicted: 0, matched: 0, allowed: 0, excused: 0, members: 0, sets: 0 };
      tallies.set(reason, tally);
    }
    return tally;
  }
}

function equal(a: Flush, b: Flush): boolean {
  return a.pages === b.pages && a.where === b.where && alike(a, b);
}

function alike(a: Flush, b: Flush): boolean {
  return a.reason === b.reason && a.cpu === b.cpu && a.early === b.early;
}

/** Takes the first flush out of a list that is like the given one. */
function take(list: Flush[], flush: Flush, like: (a: Flush, b: Flush) => boolean): Flush | null {
  const at = list.findIndex((other) => like(other, flush));
  return at < 0 ? null : list.splice(at, 1)[0]!;
}
