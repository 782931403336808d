/**
 * Writes a trace.dat of version 7, packed with zstd: what was recorded here can be read by trace-cmd and its friends, too.
 *
 *     head | parts ... | pages of each CPU, in chunks | options: where all that is
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { zstdCompressSync } from 'node:zlib';
import { COMPRESSED, OPTION } from '../read/dat/file.ts';

/** Chunks of one CPU's pages, as they stand in the file. */
export interface CpuChunks {
  readonly cpu: number;
  /** The file that holds them, one after the other. */
  readonly path: string;
  /** How many there are. */
  readonly count: number;
  /** Bytes of them. */
  readonly size: number;
}

/** Pages are copied so many bytes at a time. */
const COPY = 2 ** 20;

/** A chunk of pages: its packed size, its size, and the packed pages. */
export function packChunk(pages: Buffer): Buffer {
  const packed = zstdCompressSync(pages);
  return Buffer.concat([u32(packed.length), u32(pages.length), packed]);
}

/** Writes one file. */
export class DatWriter {
  readonly #fd: number;
  readonly #pageSize: number;
  readonly #options: Buffer[] = [];
  /** Where the place of the options belongs. */
  readonly #place: number;
  #at = 0;

  constructor(path: string, pageSize: number) {
    this.#fd = openSync(path, 'w');
    this.#pageSize = pageSize;
    const { zstd = '1.5' } = process.versions;
    this.#write(Buffer.concat([Buffer.from('\x17\x08\x44tracing7\0', 'latin1'), Buffer.from([0, 8]), u32(pageSize)]));
    this.#write(Buffer.concat([text('zstd'), text(zstd)]));
    this.#place = this.#at;
    this.#write(u64(0));
  }

  /** A fact about the recording. */
  option(id: number, data: Buffer): void {
    this.#options.push(u16(id), u32(data.length), data);
  }

  /** A part of the file, and the option that says where it is. */
  part(id: number, data: Buffer): void {
    this.option(id, u64(this.#section(id, data)));
  }

  /** The pages of all CPUs of the instance. */
  pages(name: string, clock: string, cpus: readonly CpuChunks[]): void {
    const section = this.#at;
    this.#write(sectionHead(OPTION.buffer, COMPRESSED, 0));
    const places: Buffer[] = [];
    for (const { cpu, path, count, size } of cpus) {
      places.push(u32(cpu), u64(this.#at), u64(size));
      this.#write(u32(count));
      this.#copy(path, size);
    }
    const head = sectionHead(OPTION.buffer, COMPRESSED, this.#at - section - SECTION_HEAD);
    writeSync(this.#fd, head, 0, head.length, section);
    const where = [u64(section), text(name), text(clock), u32(this.#pageSize), u32(cpus.length), ...places];
    this.option(OPTION.buffer, Buffer.concat(where));
  }

  /** Writes where everything is, and ends the file. */
  finish(): void {
    this.option(OPTION.done, u64(0));
    const options = this.#section(OPTION.done, Buffer.concat(this.#options));
    writeSync(this.#fd, u64(options), 0, 8, this.#place);
    closeSync(this.#fd);
  }

  /** @returns where it begins */
  #section(id: number, data: Buffer): number {
    const at = this.#at;
    const packed = zstdCompressSync(data);
    this.#write(sectionHead(id, COMPRESSED, packed.length + 8));
    this.#write(Buffer.concat([u32(packed.length), u32(data.length), packed]));
    return at;
  }

  #copy(path: string, size: number): void {
    const from = openSync(path, 'r');
    const bytes = Buffer.allocUnsafe(Math.min(size, COPY));
    for (let done = 0; done < size; ) {
      const got = readSync(from, bytes, 0, bytes.length, done);
      if (got === 0) throw new Error(`${path} became shorter`);
      this.#write(bytes.subarray(0, got));
      done += got;
    }
    closeSync(from);
  }

  #write(bytes: Buffer): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#fd, bytes, done);
    this.#at += bytes.length;
  }
}

const SECTION_HEAD = 16;

function sectionHead(id: number, flags: number, size: number): Buffer {
  return Buffer.concat([u16(id), u16(flags), u32(0), u64(size)]);
}

/** A number of 16 bits, as the file has it. */
export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

/** A number of 32 bits. */
export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** A number of 64 bits. */
export function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

/** A text with its end. */
export function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}
