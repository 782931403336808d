import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { TraceError } from './error.ts';

/**
 * The bytes of a file, a chunk at a time, unpacked if they are gzip (told by the first two bytes).
 *
 * A gzip file that was cut off yields all that it still holds; then `Cut` is thrown.
 */
export async function* bytesOf(path: string): AsyncGenerator<Buffer> {
  try {
    const file = createReadStream(path, { highWaterMark: CHUNK }) as AsyncIterable<Buffer>;
    const [first, all] = await peek(file);
    yield* first?.[0] === 0x1f && first[1] === 0x8b ? gunzip(all) : all;
  } catch (error) {
    throw readable(error, path);
  }
}

/** Small enough that a chunk of a recording unpacks to a megabyte or so. */
const CHUNK = 65_536;

/** The end of a gzip file that was cut off. */
export class Cut extends Error {}

/** The first chunk, and all chunks including it. */
async function peek(chunks: AsyncIterable<Buffer>): Promise<[Buffer | undefined, AsyncIterable<Buffer>]> {
  const iterator = chunks[Symbol.asyncIterator]();
  const first = await iterator.next();
  async function* all(): AsyncGenerator<Buffer> {
    try {
      for (let next = first; !next.done; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  }
  return [first.done ? undefined : first.value, all()];
}

/**
 * zlib's stream is driven by hand: read as a stream, it drops what it has unpacked but not handed out when an error
 * ends it, and the end of a file cut off is an error.
 */
async function* gunzip(packed: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const stream = createGunzip({ chunkSize: 4 * CHUNK });
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

function readable(error: unknown, path: string): unknown {
  const { code, message } = error as { code?: string; message: string };
  if (code === 'ENOENT') return new TraceError(path, null, 'no such file', 'give the path of a recording');
  if (code === 'EISDIR') return new TraceError(path, null, 'is a directory', 'give the path of one recording in it');
  if (code === 'EACCES' || code === 'EPERM')
    return new TraceError(path, null, 'may not be read', 'change its permissions');
  if (code?.startsWith('Z_'))
    return new TraceError(path, null, `damaged gzip data (${message})`, 'copy the file again, or record anew');
  return error;
}
