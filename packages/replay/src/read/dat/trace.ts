/**
 * trace.dat: what `trace-cmd record` and `mmu-gather record` write, read without another program.
 *
 *     file       where things are            layout, symbols, heads    what records mean
 *     pages      of one CPU, some at a time
 *     records    of one CPU                  merge    of all CPUs, by time
 */
import type { Lost, TraceEvent } from '../event.ts';
import type { Source } from '../source.ts';
import { recorderFacts, type RecorderNotes } from '../recorder-notes.ts';
import { batchesOf, type Trace } from '../trace.ts';
import { type Decoder, decoderOf } from './decode.ts';
import { type DatFile, readDatFile } from './file.ts';
import { Heads, TaskNames } from './heads.ts';
import { fieldsIn, type Layout, layoutOf } from './layout.ts';
import { Merge } from './merge.ts';
import { type PageLayout, pageLayout, Records } from './records.ts';
import { Symbols } from './symbols.ts';
import type { RecordBytes } from './values.ts';

/** Clocks that count something else than time. */
const COUNTING: ReadonlySet<string> = new Set(['counter', 'uptime', 'x86-tsc', 'ppc-tb']);
const NANOSECONDS = 1e9;

/** Events handed out at once: so few that they are still at hand, in the processor's cache, for whoever takes them. */
const BATCH = 512;
/** Pages of a CPU that are read at once, and of all CPUs together. */
const PAGES = { each: 64, all: 2048 } as const;

/** What makes events of records. */
interface Meaning {
  readonly heads: Heads | null;
  readonly layouts: ReadonlyMap<number, Layout>;
  readonly symbols: Symbols;
  readonly tasks: TaskNames;
  readonly decoders: (Decoder | undefined)[];
  readonly little: boolean;
}

/** Opens a trace.dat. @throws TraceError where it is damaged */
export function openDat(source: Source): Trace {
  try {
    return traceOf(source);
  } catch (error) {
    source.close();
    throw error;
  }
}

function traceOf(source: Source): Trace {
  const file = readDatFile(source);
  const layout = pageLayout(fieldsIn(file.headerPage), file.pageSize, file.little);
  const notes = recorderFacts(source.file, file.recorder);
  const used = file.buffers.filter(({ cpus }) => cpus.some(({ size }) => size > 0));
  const clock = used[0]?.clock ?? 'local';
  const counts = COUNTING.has(clock) && file.tsc === null;
  return {
    file: source.file,
    format: notes === null ? 'trace.dat' : 'mmu-gather',
    clock: { ticksPerSecond: counts ? null : NANOSECONDS },
    header: { tracer: null, inBuffer: null, written: null, cpus: notes?.facts.cpus ?? file.cpus },
    facts: { ...(file.uname === null ? {} : kernelOf(file.uname)), ...notes?.facts },
    traced: notes?.traced ?? null,
    processes: notes?.processes ?? [],
    assumes: [],
    ...batchesOf(() => events(source, file, layout, meaningOf(file, notes))),
  };
}

/** The release in what uname prints: `Linux host 6.18.44 x86_64`. */
function kernelOf(uname: string): { kernel?: string } {
  const kernel = uname.split(' ').find((word) => /^\d+\.\d+/.test(word));
  return kernel === undefined ? {} : { kernel };
}

function meaningOf(file: DatFile, notes: RecorderNotes | null): Meaning {
  const layouts = new Map<number, Layout>();
  for (const format of file.formats) {
    const layout = layoutOf(format);
    if (layout !== null) layouts.set(layout.id, layout);
  }
  const tasks = new TaskNames(file.cmdlines, notes?.tgids ?? []);
  const any = [...layouts.values()].find(({ fields }) => fields.has('common_pid'));
  const heads = any === undefined ? null : Heads.of(any, file.little, tasks);
  return { heads, layouts, symbols: new Symbols(file.kallsyms), tasks, decoders: [], little: file.little };
}

async function* events(
  source: Source,
  file: DatFile,
  layout: PageLayout,
  meaning: Meaning,
): AsyncGenerator<TraceEvent[]> {
  try {
    const data = file.buffers.flatMap(({ cpus }) => cpus);
    const pages = Math.max(1, Math.min(PAGES.each, Math.floor(PAGES.all / Math.max(1, data.length))));
    const merge = new Merge(data.map((cpu) => new Records(source, layout, file.packing, cpu, pages)));
    const record: RecordBytes = { view: new DataView(new ArrayBuffer(0)), at: 0, length: 0 };
    const toTime = timeOf(file);
    let line = 0;
    for (let cpu = merge.first; cpu !== null; ) {
      const batch: TraceEvent[] = [];
      for (; cpu !== null && batch.length < BATCH; cpu = merge.first) {
        line++;
        if (cpu.lost !== 0) batch.push(lost(line, cpu));
        record.view = cpu.view;
        record.at = cpu.at;
        record.length = cpu.length;
        const event = eventOf(source, meaning, record, line, toTime(cpu.time), cpu.cpu);
        if (event !== null) batch.push(event);
        merge.next();
      }
      yield batch;
    }
  } finally {
    source.close();
  }
}

function lost(line: number, { cpu, lost: count }: Records): Lost {
  return { kind: 'lost', line, cpu, count };
}

/** Time as the recording's clock counts it: cycles only become nanoseconds if the file says how. */
function timeOf({ tsc }: DatFile): (time: number) => number {
  if (tsc === null) return (time) => time;
  const { multiplier, shift, offset } = tsc;
  return (time) => Number((BigInt(time) * BigInt(multiplier)) >> BigInt(shift)) + offset;
}

function eventOf(
  source: Source,
  { heads, layouts, symbols, tasks, decoders, little }: Meaning,
  record: RecordBytes,
  line: number,
  time: number,
  cpu: number,
): TraceEvent | null {
  const head = heads?.read(record, line, time, cpu) ?? null;
  if (heads === null || head === null) throw broken(source, line, cpu, 'has no head');
  const type = heads.type(record);
  let decoder = decoders[type];
  if (decoder === undefined) {
    const layout = layouts.get(type);
    if (layout === undefined) throw broken(source, line, cpu, `is of an event ${type} that the file does not describe`);
    decoders[type] = decoder = decoderOf(layout, little, symbols);
  }
  const event = decoder(head, record);
  if (event === null) throw broken(source, line, cpu, `is too short for ${layouts.get(type)?.name}`);
  if (event.kind === 'taskNewtask') tasks.made(event.pid, event.childPid, event.cloneFlags);
  return event;
}

function broken(source: Source, line: number, cpu: number, what: string): Error {
  return source.error(null, `record ${line}, of CPU ${cpu}, ${what}`);
}
