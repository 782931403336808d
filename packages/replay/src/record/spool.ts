/**
 * Spool: takes the pages of one CPU out of the kernel while a recording runs, and keeps them packed in a file.
 */
import { closeSync, constants, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { type CpuChunks, packChunk } from './dat-writer.ts';

/** Pages in a chunk. */
const CHUNK = 32;

/** One CPU's pages. */
export class Spool {
  readonly #cpu: number;
  readonly #path: string;
  readonly #pageSize: number;
  readonly #from: number;
  readonly #to: number;
  readonly #pages: Buffer;
  #filled = 0;
  #count = 0;
  #size = 0;

  /** @param from the CPU's trace_pipe_raw. @param path the file to keep them in */
  constructor(cpu: number, from: string, path: string, pageSize: number) {
    this.#cpu = cpu;
    this.#path = path;
    this.#pageSize = pageSize;
    this.#pages = Buffer.alloc(CHUNK * pageSize);
    this.#to = openSync(path, 'w');
    this.#from = openSync(from, constants.O_RDONLY | constants.O_NONBLOCK);
  }

  /** Takes all that there is now. */
  drain(): void {
    while (this.#read()) {
      this.#filled += this.#pageSize;
      if (this.#filled === this.#pages.length) this.#flush();
    }
  }

  #read(): boolean {
    try {
      this.#pages.fill(0, this.#filled, this.#filled + this.#pageSize);
      return readSync(this.#from, this.#pages, this.#filled, this.#pageSize, null) > 0;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return false;
      throw error;
    }
  }

  #flush(): void {
    if (this.#filled === 0) return;
    const chunk = packChunk(this.#pages.subarray(0, this.#filled));
    for (let done = 0; done < chunk.length; ) done += writeSync(this.#to, chunk, done);
    this.#size += chunk.length;
    this.#count++;
    this.#filled = 0;
  }

  /** No more will be taken: where they are. */
  end(): CpuChunks {
    this.#flush();
    return { cpu: this.#cpu, path: this.#path, count: this.#count, size: this.#size };
  }

  /** Closes all files, and removes that of the pages. */
  remove(): void {
    closeSync(this.#from);
    closeSync(this.#to);
    rmSync(this.#path, { force: true });
  }
}
