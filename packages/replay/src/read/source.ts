/**
 * Source: a binary recording read at any place, as one needs that holds the data of each CPU behind that of the last.
 *
 * A packed file is unpacked into a temporary file first, so that memory does not grow with it; on Linux that file has no
 * name any more once it is open.
 */
import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bytes, Cut } from './bytes.ts';
import { TraceError } from './error.ts';

/** How a file that ends too early is mended. */
export const COPY_AGAIN = 'copy the file again, or record anew';

/** A file that can be read at any place. */
export class Source {
  /** The file that the user named. */
  readonly file: string;
  /** Bytes in it, unpacked. */
  readonly size: number;
  readonly #fd: number;

  private constructor(file: string, fd: number) {
    this.file = file;
    this.#fd = fd;
    this.size = fstatSync(fd).size;
  }

  /** Opens a file. @param bytes what is in it, unpacked */
  static async open(file: string, { packed, chunks, close }: Bytes): Promise<Source> {
    if (!packed) {
      close();
      return new Source(file, openSync(file, 'r'));
    }
    const folder = mkdtempSync(join(tmpdir(), 'mmu-gather-unpack-'));
    let fd = -1;
    try {
      fd = openSync(join(folder, 'unpacked'), 'wx+');
      for await (const chunk of chunks) writeSync(fd, chunk);
      return new Source(file, fd);
    } catch (error) {
      if (fd >= 0) closeSync(fd);
      throw error instanceof Cut ? new TraceError(file, null, 'packed data that are cut off', COPY_AGAIN) : error;
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  /** Bytes from a place on, `length` of them. @throws TraceError if the file ends before */
  read(offset: number, length: number, what: string): Buffer {
    if (length > this.size - offset) throw this.error(offset, `${what}: ${length} bytes are named, and the file ends`);
    const bytes = Buffer.allocUnsafeSlow(length);
    this.readInto(bytes, offset, length);
    return bytes;
  }

  /** The same, into a buffer; the place is known to be in the file. */
  readInto(bytes: Uint8Array, offset: number, length: number): void {
    for (let done = 0; done < length; ) {
      const got = readSync(this.#fd, bytes, done, length - done, offset + done);
      if (got === 0) throw this.error(offset + done, 'the file became shorter while it was read');
      done += got;
    }
  }

  /** A mistake in the file. */
  error(offset: number | null, what: string, mend: string = COPY_AGAIN): TraceError {
    return new TraceError(this.file, null, what, mend, offset);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
