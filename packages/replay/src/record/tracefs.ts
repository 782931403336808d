/**
 * tracefs: an instance of our own. Nothing outside it is changed, and it is gone afterwards.
 *
 * A run that was killed cannot remove its own: the next one does.
 */
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RecordError } from './error.ts';

/** Where tracefs may be. */
const PLACES: readonly string[] = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'];
const NAME = 'mmu-gather-';

/** Finds tracefs. @throws RecordError if there is none that can be used: what to do */
export function findTracefs(places: readonly string[] = PLACES): string {
  const found = places.find((place) => existsSync(join(place, 'instances')));
  if (found !== undefined) return found;
  if (process.platform !== 'linux') throw new RecordError('recording needs Linux: record on the machine in question');
  if (process.getuid?.() !== 0) throw new RecordError('recording needs root: run it with sudo');
  throw new RecordError(`tracefs is not mounted: mount -t tracefs nodev ${places[0]}`);
}

/** A tracing instance. */
export class Instance {
  /** Its name. */
  readonly name: string;
  readonly #path: string;
  readonly #tracefs: string;
  readonly #made: string[] = [];

  /** Makes one. @throws RecordError if that is not allowed */
  constructor(tracefs: string) {
    this.#tracefs = tracefs;
    removeLeftOvers(tracefs);
    this.name = `${NAME}${process.pid}`;
    this.#path = join(tracefs, 'instances', this.name);
    try {
      mkdirSync(this.#path);
    } catch (error) {
      const { code = String(error) } = error as NodeJS.ErrnoException;
      const mend = process.getuid?.() === 0 ? 'give this container the privilege to trace' : 'run it with sudo';
      throw new RecordError(`${tracefs} cannot be used (${code}): ${mend}`);
    }
  }

  /**
   * Makes an event for this instance, which all instances then have; a kernel that cannot leaves it out.
   * @param name `system/event`
   * @param definition a line of dynamic_events
   */
  make(name: string, definition: string): void {
    if (this.#change(definition)) this.#made.push(name);
  }

  #change(line: string): boolean {
    try {
      appendFileSync(join(this.#tracefs, 'dynamic_events'), `${line}\n`);
      return true;
    } catch {
      return false;
    }
  }

  /** Sets a file of the instance. */
  put(file: string, value: string | number): void {
    writeFileSync(join(this.#path, file), String(value));
  }

  /** Sets a file if the kernel has it and takes the value. */
  try(file: string, value: string | number): boolean {
    try {
      this.put(file, value);
      return true;
    } catch {
      return false;
    }
  }

  /** Where a file of the instance is. */
  path(file: string): string {
    return join(this.#path, file);
  }

  /** What is in a file of the instance. */
  get(file: string): string {
    return readFileSync(this.path(file), 'latin1');
  }

  /** What is in a file that all instances have in common. */
  getCommon(file: string): string {
    return readFileSync(join(this.#tracefs, file), 'latin1');
  }

  /** Names in a folder of the instance. */
  list(folder: string): string[] {
    return readdirSync(this.path(folder), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  }

  /** Ends tracing, and removes the instance. Its files must be closed. */
  remove(): void {
    removeInstance(this.#path);
    // Those that another recording uses stay until it ends.
    for (const name of this.#made.splice(0)) this.#change(`-:${name}`);
  }
}

function removeInstance(path: string): void {
  for (const [file, value] of [
    ['tracing_on', '0'],
    ['events/enable', '0'],
  ] as const) {
    try {
      writeFileSync(join(path, file), value);
    } catch {
      // One that is half made may have no files.
    }
  }
  rmdirSync(path);
}

/** Instances of runs that are no more. */
function removeLeftOvers(tracefs: string): void {
  for (const name of readdirSync(join(tracefs, 'instances'))) {
    if (!name.startsWith(NAME) || existsSync(`/proc/${name.slice(NAME.length)}`)) continue;
    removeInstance(join(tracefs, 'instances', name));
  }
}
