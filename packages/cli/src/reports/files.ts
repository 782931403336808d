/**
 * Files: what a run leaves beside what it prints. One line a kind.
 */
import { writeFileSync } from 'node:fs';
import type { Report } from '@mmu-gather/conformance';
import { firstLine, Misuse } from '../misuse.ts';
import type { Coverage } from './coverage.ts';
import { junitOf } from './junit.ts';

/** Which files to write. */
export interface Files {
  readonly junit?: string;
  /** Without a name it is shown. */
  readonly coverage?: string | true;
}

/** Writes them. @param exercised what was exercised, if `coverage` asks for it. @throws Misuse if one cannot be written */
export function writeFiles(report: Report, { junit, coverage }: Files, exercised: Coverage | undefined): void {
  if (junit !== undefined) write('--junit', junit, junitOf(report));
  if (typeof coverage === 'string') write('--coverage', coverage, `${JSON.stringify(exercised, null, 2)}\n`);
}

/** Fails early if a file cannot be written: nobody wants to hear that after an hour. */
export function mustBeWritable({ junit, coverage }: Files): void {
  if (junit !== undefined) write('--junit', junit, '');
  if (typeof coverage === 'string') write('--coverage', coverage, '');
}

function write(option: string, file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new Misuse(`${option}: ${file} cannot be written: ${firstLine(error)}: name another file`, { cause: error });
  }
}
