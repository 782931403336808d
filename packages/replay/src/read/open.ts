import type { MachineFacts } from '../facts.ts';
import { contentOf } from './content.ts';
import { openDat } from './dat/trace.ts';
import { Source } from './source.ts';
import { openStrace } from './strace/trace.ts';
import { openText } from './text.ts';
import type { Trace } from './trace.ts';

/** What a recording says of the machine that it was made on; nothing unless `mmu-gather record` or trace-cmd made it. @throws TraceError as openTrace does */
export async function recordedFacts(file: string): Promise<MachineFacts> {
  const trace = await openTrace(file);
  // Ends the reading, which closes the file.
  for await (const _ of trace.batches()) break;
  return trace.facts;
}

/** Opens a recording, finds out its form, and reads up to its first event. Throws a TraceError if it is none. */
export async function openTrace(file: string): Promise<Trace> {
  const content = await contentOf(file);
  if (content.kind === 'trace.dat') return openDat(await Source.open(file, content));
  if (content.kind === 'strace') return openStrace(file, content.chunks);
  return openText(file, content.chunks);
}
