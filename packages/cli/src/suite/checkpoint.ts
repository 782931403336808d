/**
 * Checkpoint: a file that keeps what a run has finished, so that the same run, started again, goes on from there.
 *
 *     { "mmu-gather": "checkpoint", "schema": 1, "identity": ..., "shard": "2/4" }     which run
 *     { "cell": 3, "ran": ... }                                                        one line a cell, as they finish
 *
 * A line is written at once. So kill -9 loses nothing that was finished; a last line that was cut short is dropped.
 */
import { appendFileSync, closeSync, openSync, readFileSync, truncateSync } from 'node:fs';
import type { Identity, Ran } from '@mmu-gather/conformance';
import { Misuse } from '../misuse.ts';
import { difference } from './identity.ts';
import type { Shard } from './shard.ts';

const SCHEMA = 1;

interface Header {
  readonly 'mmu-gather': 'checkpoint';
  readonly schema: typeof SCHEMA;
  readonly identity: Identity;
  readonly shard?: string;
}

/** The file of one run. */
export class Checkpoint {
  /** What is finished, by number of the cell. */
  readonly known: ReadonlyMap<number, Ran>;
  /** Whether a last line was dropped. */
  readonly torn: boolean;
  readonly #descriptor: number;

  private constructor(descriptor: number, known: ReadonlyMap<number, Ran>, torn: boolean) {
    this.#descriptor = descriptor;
    this.known = known;
    this.torn = torn;
  }

  /**
   * Opens a file, which need not be there.
   * @throws Misuse if it cannot be written, is none, or belongs to another run
   */
  static open(file: string, identity: Identity, shard: Shard | undefined): Checkpoint {
    const header: Header = {
      'mmu-gather': 'checkpoint',
      schema: SCHEMA,
      identity,
      ...(shard !== undefined && { shard: `${shard.index}/${shard.count}` }),
    };
    const first = line(header);
    const { descriptor, text } = opened(file);
    if (first.startsWith(text)) {
      truncateSync(file, 0);
      appendFileSync(descriptor, first);
      return new Checkpoint(descriptor, new Map(), false);
    }
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    const [head = '', ...lines] = whole.split('\n').slice(0, -1);
    mustFit(file, parsed<Header>(head), header);
    const known = new Map(lines.map((each, i) => entry(file, i + 2, each)));
    if (whole.length < text.length) truncateSync(file, Buffer.byteLength(whole));
    return new Checkpoint(descriptor, known, whole.length < text.length);
  }

  /** Keeps a cell. */
  add(cell: number, ran: Ran): void {
    appendFileSync(this.#descriptor, line({ cell, ran }));
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

function opened(file: string): { descriptor: number; text: string } {
  try {
    const descriptor = openSync(file, 'a+');
    return { descriptor, text: readFileSync(file, 'utf8') };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'EISDIR' ? 'a folder' : code === 'ENOENT' ? 'no such folder' : `cannot be written (${code})`;
    throw new Misuse(`--checkpoint: ${file}: ${why}: name a file that is new, or one of this run`, { cause: error });
  }
}

function parsed<T>(text: string): Partial<T> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Is it a checkpoint, and of this run? */
function mustFit(file: string, found: Partial<Header> | undefined, wanted: Header): void {
  if (found?.['mmu-gather'] !== 'checkpoint' || found.schema !== SCHEMA || found.identity === undefined)
    throw new Misuse(`--checkpoint: ${file}: no checkpoint of this version: name another file`);
  const why =
    difference(found.identity, wanted.identity) ??
    (found.shard === wanted.shard ? undefined : `shard ${found.shard ?? 'none'} there, ${wanted.shard ?? 'none'} here`);
  if (why !== undefined)
    throw new Misuse(`--checkpoint: ${file}: of another run (${why}): name another file, or delete it to begin anew`);
}

function entry(file: string, number: number, text: string): [cell: number, ran: Ran] {
  const found = parsed<{ cell: number; ran: Ran }>(text);
  if (typeof found?.cell !== 'number' || typeof found.ran?.result !== 'object')
    throw new Misuse(`--checkpoint: ${file}:${number}: damaged: delete this line, and its cell runs again`);
  return [found.cell, found.ran];
}
