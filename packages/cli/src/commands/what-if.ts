/**
 * `replay --what-if`: what the flushes of a recording cost, and what they would elsewhere.
 */
import { writeFileSync } from 'node:fs';
import {
  type ArchCosts,
  COSTS,
  CostsError,
  type MachineFacts,
  readCosts,
  recordedFacts,
  type WhatIf,
  whatIf,
  type WhatIfReport,
} from '@mmu-gather/replay';
import { terminal } from '../human/terminal.ts';
import { whatIfText } from '../human/what-if.ts';
import { exitCode } from '../index.ts';
import { firstLine, Misuse } from '../misuse.ts';
import { alternativesOf } from '../what-if/alternatives.ts';
import { type Pictures, picturesOf } from '../what-if/pictures.ts';
import { reading } from './reading.ts';

/** Options of replay that ask more than how well it predicts. */
export interface WhatIfOptions extends Pictures {
  readonly whatIf?: readonly string[];
  readonly advice?: boolean;
  readonly costs?: string;
  readonly traced?: readonly number[];
  readonly json?: boolean;
}

/** Runs the command. Returns its exit code, and the report. */
export async function runWhatIf(
  trace: string,
  options: WhatIfOptions,
  facts: MachineFacts,
  system: WhatIf,
  headline: (report: WhatIfReport['replay']) => string,
): Promise<{ code: number; report: WhatIfReport }> {
  const costs = costsOf(options.costs);
  const pictures = picturesOf(options);
  const { result: report, stopped } = await reading(async (onProgress) => {
    const known = { ...(await recordedFacts(trace)), ...facts };
    return whatIf(trace, {
      facts: known,
      whatIf: system,
      alternatives: alternativesOf(options.whatIf ?? [], known),
      advise: options.whatIf !== undefined && options.advice !== false,
      costs,
      ...(options.traced && { traced: options.traced }),
      ...(pictures.needsSlices && { onSlices: pictures.take }),
      onProgress,
    });
  });
  if (stopped) {
    process.stderr.write(`mmu-gather: stopped: what was asked about ${trace} is not answered\n`);
    return { code: exitCode.stopped, report };
  }
  pictures.write(report, (file, text) => writeOut(file, text));
  const text =
    options.json === true
      ? JSON.stringify(report, null, 2)
      : `${headline(report.replay)}\n\n${whatIfText(report, terminal())}`;
  process.stdout.write(`${text}\n`);
  return { code: exitCode.expected, report };
}

function costsOf(file: string | undefined): Readonly<Record<string, ArchCosts>> {
  if (file === undefined) return COSTS;
  try {
    return readCosts(file);
  } catch (error) {
    if (error instanceof CostsError) throw new Misuse(`--costs: ${error.message}`, { cause: error });
    throw error;
  }
}

function writeOut(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new Misuse(`${file}: cannot be written: ${firstLine(error)}`, { cause: error });
  }
}
