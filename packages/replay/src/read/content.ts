/**
 * Content: what kind of recording a file is, by what it begins with.
 */
import { type Bytes, openBytes } from './bytes.ts';
import { refuseForeign } from './format.ts';
import { straceLine } from './strace/line.ts';

/** What is in a file. */
export interface Content extends Bytes {
  readonly kind: 'trace.dat' | 'strace' | 'text';
}

const DAT = '\x17\x08\x44tracing';

/** Opens a file. @throws TraceError if it cannot be read, or is known to be something else than a recording */
export async function contentOf(file: string): Promise<Content> {
  const bytes = await openBytes(file);
  const beginning = bytes.beginning.toString('latin1');
  if (beginning.startsWith(DAT)) return { ...bytes, kind: 'trace.dat' };
  const [first = ''] = beginning.split('\n', 1);
  if (straceLine(first) !== null) return { ...bytes, kind: 'strace' };
  refuseForeign(file, beginning);
  return { ...bytes, kind: 'text' };
}
