import { createReadStream } from 'node:fs';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { TraceError } from './error.ts';

/** The bytes of a file, unpacked. */
export interface Bytes {
  /** The file is packed: what is read is not what stands in it. */
  readonly packed: boolean;
  /** The first of them, as many as came at once. */
  readonly beginning: Buffer;
  /** All of them, a chunk at a time; once. If packed data were cut off, all that they still hold, and then `Cut`. */
  readonly chunks: AsyncGenerator<Buffer>;
  /** Ends the reading of them before their end. */
  readonly close: () => void;
}

/** Small enough that a chunk of a recording unpacks to a megabyte or so. */
const CHUNK = 65_536;

/** The end of packed data that were cut off. */
export class Cut extends Error {}

type Unpacker = ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress>;

interface Packing {
  readonly name: string;
  readonly begins: readonly number[];
  readonly unpacker: () => Unpacker;
}

/** Packings, told by their first bytes. */
const PACKINGS: readonly Packing[] = [
  { name: 'gzip', begins: [0x1f, 0x8b], unpacker: () => createGunzip({ chunkSize: 4 * CHUNK }) },
  {
    name: 'zstd',
    begins: [0x28, 0xb5, 0x2f, 0xfd],
    unpacker: () => createZstdDecompress({ chunkSize: 4 * CHUNK }),
  },
];

/** Opens a file, and unpacks it if it is packed. @throws TraceError if it cannot be read */
export async function openBytes(path: string): Promise<Bytes> {
  let name = 'packed';
  const failed = (error: unknown): unknown => readable(error, path, name);
  try {
    const file = createReadStream(path, { highWaterMark: CHUNK });
    const close = (): void => void file.destroy();
    const raw = await peek(file as AsyncIterable<Buffer>);
    const packing = PACKINGS.find(({ begins }) => begins.every((byte, at) => raw.first[at] === byte));
    if (packing === undefined) return { packed: false, beginning: raw.first, chunks: renamed(raw.all, failed), close };
    name = packing.name;
    const unpacked = await peek(unpack(raw.all, packing.unpacker()));
    return { packed: true, beginning: unpacked.first, chunks: renamed(unpacked.all, failed), close };
  } catch (error) {
    throw failed(error);
  }
}

/** The first chunk, and all chunks including it. What ends them ends them again. */
async function peek(chunks: AsyncIterable<Buffer>): Promise<{ first: Buffer; all: AsyncGenerator<Buffer> }> {
  const iterator = chunks[Symbol.asyncIterator]();
  let failure: unknown;
  const first = await iterator.next().catch((error: unknown) => {
    if (!(error instanceof Cut)) throw error;
    failure = error;
  });
  async function* all(): AsyncGenerator<Buffer> {
    if (first === undefined) throw failure;
    try {
      for (let next = first; !next.done; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  }
  return { first: first === undefined || first.done === true ? Buffer.alloc(0) : first.value, all: all() };
}

/** The same chunks, with other errors. */
async function* renamed(chunks: AsyncGenerator<Buffer>, failed: (error: unknown) => unknown): AsyncGenerator<Buffer> {
  try {
    yield* chunks;
  } catch (error) {
    throw failed(error);
  }
}

/**
 * zlib's stream is driven by hand: read as a stream, it drops what it has unpacked but not handed out when an error
 * ends it, and the end of a file cut off is an error.
 */
async function* unpack(packed: AsyncIterable<Buffer>, stream: Unpacker): AsyncGenerator<Buffer> {
  const ready: Buffer[] = [];
  let failure: (Error & { code?: string }) | undefined;
  stream.on('data', (data: Buffer) => ready.push(data));
  stream.on('error', (error: Error) => (failure = error));
  const closed = new Promise((resolve) => stream.once('close', resolve));
  for await (const chunk of packed) {
    await Promise.race([closed, new Promise((resolve) => stream.write(chunk, resolve))]);
    yield* ready.splice(0);
    if (failure) break;
  }
  if (!failure) stream.end();
  await closed;
  yield* ready.splice(0);
  if (failure) throw failure.code === 'Z_BUF_ERROR' ? new Cut() : failure;
}

function readable(error: unknown, path: string, packing: string): unknown {
  const { code, message } = error as { code?: string; message: string };
  if (code === 'ENOENT') return new TraceError(path, null, 'no such file', 'give the path of a recording');
  if (code === 'EISDIR') return new TraceError(path, null, 'is a directory', 'give the path of one recording in it');
  if (code === 'EACCES' || code === 'EPERM')
    return new TraceError(path, null, 'may not be read', 'change its permissions');
  if (code?.startsWith('Z_') || code?.startsWith('ZSTD_'))
    return new TraceError(path, null, `damaged ${packing} data (${message})`, 'copy the file again, or record anew');
  return error;
}
