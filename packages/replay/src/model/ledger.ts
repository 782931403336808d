/**
 * Ledger: recorded and predicted flushes of each operation, and what had to be assumed for it.
 *
 * A pair is one recorded and one predicted flush of the same operation with equal CPU, reason and pages; each flush is in
 * one pair at most. What is left over is a mismatch. Two leftovers of one operation with the same CPU and reason are one
 * mismatch: the flush was predicted, with other pages.
 */
import type { Operation } from '../schedule/action.ts';

/** One tlb_flush event, recorded or predicted. */
export interface Flush {
  readonly time: number;
  readonly cpu: number;
  readonly reason: number;
  readonly pages: number;
  /** Before the workload proper began. */
  readonly early: boolean;
}

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
  notes: Set<string> | null;
  /** The settling at which it was last used. */
  used: number;
}

/** Counts of one reason. */
export interface Tally {
  recorded: number;
  predicted: number;
  matched: number;
}

/** Collects flushes and pairs them. */
export class Ledger {
  readonly #accounts = new Map<number, Account>();
  #round = 0;
  /** Counts by reason of the workload proper. */
  readonly proper: Map<number, Tally> = new Map<number, Tally>();
  /** Counts by reason of what came before. */
  readonly early: Map<number, Tally> = new Map<number, Tally>();
  /** In the order in which operations were settled. */
  readonly differences: Difference[] = [];

  /** A flush that was recorded. */
  record(operation: Operation, flush: Flush): void {
    this.#account(operation).recorded.push(flush);
  }

  /** A flush that the running code made. */
  predict(operation: Operation, flush: Flush): void {
    this.#account(operation).predicted.push(flush);
  }

  /** An assumption that an operation rests on. */
  note(operation: Operation, text: string): void {
    const account = this.#account(operation);
    (account.notes ??= new Set()).add(text);
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
      account = { operation, recorded: [], predicted: [], notes: null, used: 0 };
      this.#accounts.set(operation.id, account);
    }
    account.used = this.#round;
    return account;
  }

  #pair({ operation, recorded, predicted, notes }: Account): void {
    const open = [...predicted];
    for (const flush of predicted) this.#tally(flush).predicted++;
    const missed: Flush[] = [];
    for (const flush of recorded) {
      this.#tally(flush).recorded++;
      if (take(open, flush, equal) === null) missed.push(flush);
      else this.#tally(flush).matched++;
    }
    if (missed.length === 0 && open.length === 0) return;
    const why = notes === null ? [] : [...notes];
    for (const flush of missed) {
      this.differences.push({ operation, recorded: flush, predicted: take(open, flush, alike), notes: why });
    }
    for (const flush of open) this.differences.push({ operation, recorded: null, predicted: flush, notes: why });
  }

  #tally({ early, reason }: Flush): Tally {
    const tallies = early ? this.early : this.proper;
    let tally = tallies.get(reason);
    if (tally === undefined) tallies.set(reason, (tally = { recorded: 0, predicted: 0, matched: 0 }));
    return tally;
  }
}

function equal(a: Flush, b: Flush): boolean {
  return a.pages === b.pages && alike(a, b);
}

function alike(a: Flush, b: Flush): boolean {
  return a.reason === b.reason && a.cpu === b.cpu && a.early === b.early;
}

/** Takes the first flush out of a list that is like the given one. */
function take(list: Flush[], flush: Flush, like: (a: Flush, b: Flush) => boolean): Flush | null {
  const at = list.findIndex((other) => like(other, flush));
  return at < 0 ? null : list.splice(at, 1)[0]!;
}
