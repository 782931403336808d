/**
 * A historical bug, as the catalogue has it. Scenarios refer to it by its id (`Scenario.bug`), so that what a bug was stands in one place.
 */
import type { Property } from '../property.ts';

/** A bug of the past. */
export interface Bug {
  /** `B02`. */
  readonly id: string;
  /** When it was found or mended; not if the source gives no date. */
  readonly year?: number;
  /** One line. */
  readonly title: string;
  /** What its buggy form violates: one of these, or all of them by turns. */
  readonly properties: readonly Property[];
  /** Commit, CVE or advisory. */
  readonly source: string;
  /** Which systems had it. */
  readonly scope: string;
  /** What went wrong, in a few sentences. */
  readonly what: string;
  /** What mended it, and why that is enough. */
  readonly fix: string;
  /** Why no scenario shows it, in one line, if none does. */
  readonly notModelled?: string;
}
