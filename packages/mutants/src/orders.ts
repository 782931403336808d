/**
 * What the thread that leads a campaign asks a worker thread, and what that answers: plain data.
 *
 *     leader                                worker
 *     Assignment (its workerData)      ->   loads the instrumented suite
 *                                      <-   ready
 *     baseline of a group of cells     ->   runs them without mutants
 *                                      <-   baseline
 *     a mutant and cells               ->   runs one after the other until the mutant is killed
 *                                      <-   alive (after each cell) ..., then tried
 *     a mutant that survived and cells ->   counts what they cost with it
 *                                      <-   alive (after each cell) ..., then costed
 *     ... and what may cover it        ->   tries both together
 *                                      <-   alive (after each cell) ..., then covered
 *     a swap that survived and cells   ->   compares the ends with it and without
 *                                      <-   alive (after each cell) ..., then compared
 */
import type { Selection } from '@mmu-gather/conformance';
import type { Baseline, Difference, Kill, Part } from './campaign.ts';

/** What a worker is started with. */
export interface Assignment {
  /** Cells: one architecture's. */
  readonly selection: Selection;
  /** A cell with more states is no part of the campaign. */
  readonly mostStates: number;
}

/** A cell to try a mutant in. */
export interface Trial {
  /** Number of the cell. */
  readonly cell: number;
  /** States that it has without a mutant. */
  readonly states: number;
}

/** What a worker is told. */
export type Order =
  | { readonly kind: 'baseline'; readonly group: number }
  | {
      readonly kind: 'cost';
      /** The mutant. */
      readonly mutant: number;
      /** Cells to count. */
      readonly cells: readonly number[];
    }
  | {
      readonly kind: 'cover';
      /** The mutant. */
      readonly mutant: number;
      /** Cells, each with what may cover the mutant there. */
      readonly trials: readonly (Trial & { readonly candidates: readonly number[] })[];
      /** So many states of each cell may be visited. */
      readonly budget: number;
    }
  | {
      readonly kind: 'ends';
      /** The mutant. */
      readonly mutant: number;
      /** Cells to compare. */
      readonly cells: readonly number[];
    }
  | {
      readonly kind: 'try';
      /** The mutant, or two. */
      readonly mutants: readonly [number, number?];
      /** In this order. */
      readonly trials: readonly Trial[];
      /** Not another cell once so many states were visited. */
      readonly budget: number;
    };

/** What came of a mutant. */
export interface Tried {
  /** What killed it, and where; undefined if it survived. */
  readonly kill?: Kill & { readonly cell: number };
  /** Cells that were run. */
  readonly ran: number;
  /** Those of them that had too many states to be explored with it. */
  readonly tooLarge: number;
  /** States that were visited. */
  readonly states: number;
  /** Each cell that was run has as many states as without it. */
  readonly same: boolean;
}

/** What covers a mutant. */
export interface Cover {
  /** The mutant that takes away what covers it. */
  readonly mutant: number;
  /** What both together are killed by, and where. */
  readonly kill: Kill & { readonly cell: number };
}

/** What a worker says. */
export type Answer =
  | { readonly kind: 'ready'; readonly groups: readonly Part[]; readonly weak: boolean }
  | { readonly kind: 'baseline'; readonly cells: readonly Baseline[] }
  | { readonly kind: 'alive' }
  | { readonly kind: 'tried'; readonly tried: Tried }
  | { readonly kind: 'costed'; readonly differences: readonly Difference[] }
  | { readonly kind: 'covered'; readonly cover: Cover | undefined }
  | { readonly kind: 'compared'; readonly same: number; readonly differ: number };
