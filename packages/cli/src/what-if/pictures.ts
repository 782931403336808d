/**
 * Pictures: the files that `replay` writes beside its report.
 */
import { csvOf, perfettoTrace, type Slice, whatIfPage, type WhatIfReport } from '@mmu-gather/replay';

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
export function picturesOf({ csv, html, perfetto }: Pictures): Painter {
  let trace = '';
  return {
    needsSlices: perfetto !== undefined,
    take(slices, ticksPerSecond) {
      trace = JSON.stringify(perfettoTrace(slices, ticksPerSecond));
    },
    write(report, put) {
      if (csv !== undefined) put(csv, csvOf(report));
      if (html !== undefined) put(html, whatIfPage(report));
      if (perfetto !== undefined) put(perfetto, trace);
    },
  };
}
