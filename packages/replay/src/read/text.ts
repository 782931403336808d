/**
 * Text with an event a line: tracefs (the file `trace`), `trace-cmd report` and `perf script` have it in common.
 *
 *     lines    batches of them              head    task, CPU, time
 *     body     what happened                here    the rest: comments, lost events, the end
 */
import { readBody } from './body.ts';
import { excerpt, TraceError } from './error.ts';
import type { Head, Lost, TaskEvent, TraceEvent } from './event.ts';
import { formatOf, MEND } from './format.ts';
import { headReader } from './head.ts';
import { linesOf, type Lines } from './lines.ts';
import { StackLines } from './stacks.ts';
import { batchesOf, type Clock, type Header, type Trace } from './trace.ts';

/** Opens text, and reads up to its first event. @throws TraceError if it is none */
export async function openText(file: string, chunks: AsyncIterable<Buffer>): Promise<Trace> {
  const source = linesOf(file, chunks);
  const header: Header = { tracer: null, inBuffer: null, written: null, cpus: null };
  const head = headReader();
  const opening: Lines[] = [];
  let event: string | undefined;
  while (event === undefined) {
    const next = await source.next();
    if (next.done) break;
    opening.push(next.value);
    for (const line of next.value.lines) {
      if (readHeader(line, header) || line === '' || lostOf(line, 0) !== null) continue;
      event = line;
      break;
    }
  }
  const first = opening[0]?.lines[0] ?? opening[0]?.rest ?? '';
  if (opening.every(({ lines, end, rest }) => lines.length === 0 && end !== 'cut' && !rest)) {
    throw new TraceError(file, null, 'an empty file', 'record again, and copy the trace before the buffer is cleared');
  }
  const clock: Clock = { ticksPerSecond: null };
  if (event !== undefined && head.read(event, 1) !== null && head.fraction > 0)
    clock.ticksPerSecond = 10 ** head.fraction;

  async function* all(): AsyncGenerator<Lines> {
    yield* opening;
    yield* source;
  }
  const format = formatOf(first, event);
  return {
    file,
    format,
    clock,
    header,
    facts: {},
    traced: null,
    processes: [],
    assumes: [],
    ...batchesOf(() => events(file, all(), header)),
  };
}

/** The events of a file's lines. */
async function* events(file: string, source: AsyncIterable<Lines>, header: Header): AsyncGenerator<TraceEvent[]> {
  const head = headReader();
  let number = 0;
  let entries = 0;
  let fraction: number | undefined;
  let afterMark = false;
  const stacks = new StackLines();
  /** Time of each CPU's last event. */
  const times: number[] = [];

  /** A line's event; null if it has none. */
  function eventOf(line: string): TaskEvent | Lost | null {
    let at = head.read(line, number);
    if (at === null) {
      if (isComment(line) || afterMark) return null;
      const lost = lostOf(line, number);
      if (lost === null) throw new TraceError(file, number, `no event of a trace: ${excerpt(line)}`, MEND);
      return lost;
    }
    const text = line.slice(head.bodyAt);
    for (; at !== null; at = head.read(line, number, head.cpuAt + 1)) {
      const event = perfRecord(line, at) ?? readBody(line, head.bodyAt, at);
      if (event === null) continue;
      fraction ??= head.fraction;
      if (fraction !== head.fraction)
        throw new TraceError(
          file,
          number,
          `a time stamp of another clock: ${excerpt(line)}`,
          'give one recording at a time',
        );
      if (event.kind !== 'lost') inOrder(event, line);
      return event;
    }
    throw new TraceError(file, number, `an event without its values: ${excerpt(text)}`, MEND);
  }

  function inOrder({ cpu, time }: TaskEvent, line: string): void {
    if (time < (times[cpu] ?? -Infinity)) {
      const mend = 'give the lines in the order in which they were recorded';
      throw new TraceError(file, number, `time goes back on CPU ${cpu}: ${excerpt(line)}`, mend);
    }
    times[cpu] = time;
  }

  function perfRecord(line: string, at: Head): Lost | TaskEvent | null {
    if (!line.startsWith('PERF_RECORD_', head.bodyAt)) return null;
    const [name = '', text = ''] = line.slice(head.bodyAt).split(/ (.*)/);
    const count = /^lost (\d+)/.exec(text);
    if (count !== null) return { kind: 'lost', line: at.line, cpu: at.cpu, count: Number(count[1]) };
    return { ...at, kind: 'other', name, text };
  }

  for await (const { lines, end, rest } of source) {
    const batch: TraceEvent[] = [];
    try {
      for (let line of lines) {
        number++;
        if (line === '') continue;
        if (line.charCodeAt(line.length - 1) === CARRIAGE_RETURN) line = line.slice(0, -1);
        const event = eventOf(line);
        if (event === null) {
          stacks.line(line);
          continue;
        }
        if (event.kind === 'lost') batch.push(...stacks.end(), event);
        else {
          batch.push(...stacks.event(event));
          if (event.kind !== 'stack') batch.push(event);
          entries++;
        }
        afterMark = event.kind === 'mark';
      }
      if (end !== undefined) batch.push(...stacks.end());
      if (end === 'cut' && rest && entries + 1 === header.inBuffer) {
        // somebody's editor took the last line end away, and nothing else
        number++;
        batch.push(eventOf(rest)!);
      } else if (end === 'cut') {
        batch.push({
          kind: 'truncated',
          line: number + 1,
          what: rest ? `the last line is cut off: ${excerpt(rest)}` : 'the file is cut off',
        });
      } else if (end === 'whole' && header.inBuffer !== null && entries < header.inBuffer) {
        batch.push({
          kind: 'truncated',
          line: number,
          what: `the header names ${header.inBuffer} entries, here are ${entries}`,
        });
      }
    } catch (error) {
      if (batch.length > 0) yield batch;
      throw error;
    }
    if (batch.length > 0) yield batch;
  }
}

const CARRIAGE_RETURN = 13;
const HASH = 35;

/** Comments, what trace-cmd says on top, and the lines of a call stack under an event. */
function isComment(line: string): boolean {
  return line.charCodeAt(0) === HASH || /^(cpus=|version = )\d+$|^\s*=> |^\t|^\s+[0-9a-f]{8,16} /.test(line);
}

/** Takes note of a comment at the top; false if the line is no comment. */
function readHeader(line: string, header: Header): boolean {
  const entries = /^# entries-in-buffer\/entries-written: (\d+)\/(\d+) +#P:(\d+)/.exec(line);
  if (entries !== null) {
    header.inBuffer = Number(entries[1]);
    header.written = Number(entries[2]);
    header.cpus = Number(entries[3]);
  }
  const tracer = /^# tracer: (.*)/.exec(line);
  if (tracer !== null) header.tracer = tracer[1]!.trim();
  const cpus = /^cpus=(\d+)/.exec(line);
  if (cpus !== null) header.cpus = Number(cpus[1]);
  return isComment(line);
}

/** `CPU:1 [LOST 15 EVENTS]` of tracefs, `CPU:1 [15 EVENTS DROPPED]` and `CPU 1 is empty` of trace-cmd. */
function lostOf(text: string, line: number): Lost | null {
  const dropped = /^\s*CPU:(\d+) \[(?:LOST )?(\d+ )?EVENTS(?: DROPPED)?\]/.exec(text);
  if (dropped !== null)
    return { kind: 'lost', line, cpu: Number(dropped[1]), count: dropped[2] === undefined ? null : Number(dropped[2]) };
  const empty = /^\s*CPU (\d+) is empty/.exec(text);
  return empty === null ? null : { kind: 'lost', line, cpu: Number(empty[1]), count: 0 };
}
