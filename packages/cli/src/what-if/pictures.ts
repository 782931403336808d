/**
 * Pictures: the files that `replay` writes beside its report.
 */
import { csvOf, type Slice, type WhatIfReport } from '@mmu-gather/replay';

/** Files to write. */
export interface Pictures {
  readonly csv?: string;
  readonly html?: string;
  readonly perfetto?: string;
}

/** What makes them. */
export interface Painter {
  /** Whether single flushes are needed. */
  readonly needsSlices: boolean;
  /** Given them. */
  readonly take: (slices: readonly Slice[], ticksPerSecond: number) => void;
  /** Writes what was asked for. */
  write(report: WhatIfReport, put: (file: string, text: string) => void): void;
}

/** What makes the files that were asked for. */
export function picturesOf({ csv }: Pictures): Painter {
  return {
    needsSlices: false,
    take: () => {},
    write(report, put) {
      if (csv !== undefined) put(csv, csvOf(report));
    },
  };
}
