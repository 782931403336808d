/**
 * What the thread that writes pages is told, and what it says.
 */
import type { CellResult } from '@mmu-gather/conformance';
import type { Request } from '../suite/request.ts';

/** Where pages go. */
export interface PagesOrder {
  /** The run: which files hold scenarios and backends, and what was selected. */
  readonly request: Request;
  /** Results of the run that have a page. */
  readonly results: readonly CellResult[];
  /** The folder. */
  readonly folder: string;
  /** The command that reruns an id. */
  readonly command: string;
}

/** The end of it. */
export type PagesReply =
  | { readonly kind: 'written'; readonly pages: number }
  | { readonly kind: 'misuse'; readonly message: string };
