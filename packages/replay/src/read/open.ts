import { contentOf } from './content.ts';
import { openDat } from './dat/trace.ts';
import { Source } from './source.ts';
import { openStrace } from './strace/trace.ts';
import { openText } from './text.ts';
import type { Trace } from './trace.ts';

/** Opens a recording, finds out its form, and reads up to its first event. Throws a TraceError if it is none. */
export async function openTrace(file: string): Promise<Trace> {
  const content = await contentOf(file);
  if (content.kind === 'trace.dat') return openDat(await Source.open(file, content));
  if (content.kind === 'strace') return openStrace(file, content.chunks);
  return openText(file, content.chunks);
}
