/**
 * A trace.dat as a whole: where things are in it (trace-cmd.dat.v6(5), trace-cmd.dat.v7(5)).
 *
 *     version 6    one part after the other, options, then where the pages of each CPU are
 *     version 7    options say where each part is; parts and pages may be compressed
 *
 * Read here is everything but the pages. Sizes and places that the file names are checked before they are used.
 */
import type { Source } from '../source.ts';
import { Cursor } from './cursor.ts';
import { unpack, type Packing, packingOf } from './packing.ts';

/** What there is in a trace.dat. */
export interface DatFile {
  /** Byte order of its numbers. */
  readonly little: boolean;
  /** Bytes of a page of the ring buffers. */
  readonly pageSize: number;
  /** How pages and parts are packed. */
  readonly packing: Packing | null;
  /** CPUs of the machine; null if it does not say. */
  cpus: number | null;
  /** The kernel's events/header_page. */
  headerPage: string;
  /** The kernel's format files of all events. */
  readonly formats: string[];
  /** The kernel's symbols (/proc/kallsyms), or what there is of them. */
  kallsyms: Buffer | null;
  /** Names of tasks, `pid name` a line. */
  cmdlines: string;
  /** Ring buffers that have pages here. */
  readonly buffers: DatBuffer[];
  /** How cycles become nanoseconds. */
  tsc: Tsc | null;
  /** The names that uname printed. */
  uname: string | null;
  /** What `mmu-gather record` wrote beside the trace, as JSON. */
  recorder: string | null;
}

/** One tracing instance. */
export interface DatBuffer {
  /** Empty for the top-level buffer. */
  readonly name: string;
  /** Its clock. */
  readonly clock: string;
  /** Where the pages of each CPU are. */
  readonly cpus: readonly CpuData[];
}

/** The pages of one CPU. */
export interface CpuData {
  /** The CPU. */
  readonly cpu: number;
  /** Where they begin in the file. */
  readonly offset: number;
  /** Bytes that they have there. */
  readonly size: number;
  /** In chunks that are compressed. */
  readonly packed: boolean;
}

/** ns = (cycles * multiplier >> shift) + offset */
export interface Tsc {
  readonly multiplier: number;
  readonly shift: number;
  readonly offset: number;
}

/** Options and parts of a trace.dat by number; in version 7 those from 16 on, and that of pages, are also the numbers of the parts that they point to. */
export const OPTION = {
  done: 0,
  cpuStats: 2,
  buffer: 3,
  clock: 4,
  uname: 5,
  cpuCount: 8,
  tsc: 14,
  headers: 16,
  ftraceFormats: 17,
  formats: 18,
  kallsyms: 19,
  printk: 20,
  cmdlines: 21,
  /** Ours: no other program knows it. */
  recorder: 0x6d67,
} as const;

/** A part's flag: it is compressed. */
export const COMPRESSED = 1;
/** What pages may be: the kernel's own, or sub-buffers of up to 64 KiB on machines with 64 KiB pages, and some more. */
const PAGE_SIZES = { least: 1024, most: 2 ** 22 } as const;
/** No machine has as many CPUs. */
const MOST_CPUS = 65_536;
/** Options and parts of version 7 form a list; one that is longer runs in a circle. */
const MOST_LISTS = 4096;

const RECORD = 'record anew with trace-cmd 2.9 or newer';

/** Reads all but the pages. @throws TraceError: where the file is damaged, and how to mend it */
export function readDatFile(source: Source): DatFile {
  const cursor = new Cursor(source, 10, true);
  const version = cursor.string('the version');
  if (version !== '6' && version !== '7')
    throw source.error(10, `a trace.dat of version ${JSON.stringify(version.slice(0, 20))}`, 'give version 6 or 7');
  const [order = 2, long = 0] = cursor.bytes(2, 'byte order and size of a long');
  if (order > 1) throw source.error(cursor.at - 2, `byte order ${order}: it is 0 or 1`);
  if (long !== 8)
    throw source.error(cursor.at - 1, `longs of ${long} bytes`, 'give a recording of a machine with 64 bits');
  const head = new Cursor(source, cursor.at, order === 0);
  const pageSize = head.u32('the size of a page');
  if (pageSize < PAGE_SIZES.least || pageSize > PAGE_SIZES.most || (pageSize & (pageSize - 1)) !== 0)
    throw source.error(head.at - 4, `pages of ${pageSize} bytes`);
  const packing = version === '7' ? packingOf(source, head) : null;
  const file: DatFile = {
    little: order === 0,
    pageSize,
    packing,
    cpus: null,
    headerPage: '',
    formats: [],
    kallsyms: null,
    cmdlines: '',
    buffers: [],
    tsc: null,
    uname: null,
    recorder: null,
  };
  if (version === '6') readSequence(source, head, file);
  else readLists(source, head, file);
  return file;
}

/** Version 6. */
function readSequence(source: Source, head: Cursor, file: DatFile): void {
  readHeaders(head, file);
  readFtraceFormats(head, file);
  readFormats(head, file);
  readKallsyms(head, file);
  head.bytes(head.u32('the size of printk formats'), 'printk formats');
  readCmdlines(head, file);
  file.cpus = head.u32('the number of CPUs');
  if (file.cpus > MOST_CPUS) throw source.error(head.at - 4, `${file.cpus} CPUs`);
  let clock = 'local';
  const instances: { name: string; at: number }[] = [];
  let kind = head.bytes(10, 'the kind of data').toString('latin1');
  if (kind === 'options  \0') {
    for (;;) {
      const id = head.u16('an option');
      if (id === OPTION.done) break;
      const place = head.at;
      const data = head.bytes(head.u32('the size of an option'), 'an option');
      const option = new Cursor(source, place, file.little, data);
      if (id === OPTION.clock) clock = clockOf(data);
      else if (id === OPTION.buffer) instances.push({ at: option.u64('the place of a buffer'), name: nameOf(option) });
      else readOption(id, option, data, file);
    }
    kind = head.bytes(10, 'the kind of data').toString('latin1');
  }
  if (kind !== 'flyrecord\0') {
    if (kind !== 'latency  \0') throw source.error(head.at - 10, `data of the kind ${JSON.stringify(kind)}`);
    throw source.error(head.at - 10, 'a trace.dat of a latency tracer: it has no events in it', RECORD);
  }
  file.buffers.push({ name: '', clock, cpus: readCpus(source, head, file.cpus) });
  for (const { name, at } of instances) {
    const buffer = new Cursor(source, at, file.little);
    buffer.expect('flyrecord\0', `the buffer ${JSON.stringify(name)}`);
    file.buffers.push({ name, clock, cpus: readCpus(source, buffer, file.cpus) });
  }
}

/** The name of an instance: old versions of trace-cmd do not end it. */
function nameOf(option: Cursor): string {
  return option.bytes(option.left, 'the name of a buffer').toString('utf8').split('\0')[0]!;
}

/** Version 6: where the pages of each CPU are. */
function readCpus(source: Source, cursor: Cursor, cpus: number): CpuData[] {
  return Array.from({ length: cpus }, (_, cpu) => {
    const place = cursor.place;
    const offset = cursor.u64('the place of pages');
    const size = cursor.u64('the size of pages');
    return within(source, place, { cpu, offset, size, packed: false });
  });
}

function within(source: Source, place: number, data: CpuData): CpuData {
  if (data.offset + data.size <= source.size) return data;
  const what = `CPU ${data.cpu} has pages up to byte ${data.offset + data.size}, and the file ends at ${source.size}`;
  throw source.error(place, what);
}

/** Version 7: lists of options, each naming the place of the next. */
function readLists(source: Source, head: Cursor, file: DatFile): void {
  let at = head.u64('the place of the options');
  for (let lists = 0; at !== 0; lists++) {
    if (lists === MOST_LISTS) throw source.error(at, 'lists of options that name one another in a circle');
    const list = section(source, at, 0, file);
    at = 0;
    while (list.left > 0 && at === 0) {
      const id = list.u16('an option');
      const place = list.place;
      const data = list.bytes(list.u32('the size of an option'), 'an option');
      const option = new Cursor(source, place, file.little, data);
      if (id === OPTION.done) {
        at = data.length >= 8 ? option.u64('the place of more options') : 0;
        break;
      }
      if (id === OPTION.buffer) readBuffer(source, option, file);
      else if (id >= OPTION.headers && id <= OPTION.cmdlines)
        readPart(id, section(source, option.u64('the place of a part'), id, file), file);
      else readOption(id, option, data, file);
    }
  }
}

/** A part of version 7, unpacked. */
function section(source: Source, at: number, id: number, file: DatFile): Cursor {
  const head = new Cursor(source, at, file.little);
  const found = head.u16('the number of a part');
  if (found !== id) throw source.error(at, `a part ${found} where part ${id} should be`);
  const flags = head.u16('the flags of a part');
  head.u32('the name of a part');
  const size = head.u64('the size of a part');
  const place = head.at;
  if ((flags & COMPRESSED) === 0) return new Cursor(source, place, file.little, head.bytes(size, `part ${id}`));
  const packed = head.u32('the packed size of a part');
  const unpacked = head.u32('the unpacked size of a part');
  const bytes = unpack(source, place, file.packing, head.bytes(packed, `part ${id}`), unpacked);
  return new Cursor(source, place, file.little, bytes);
}

function readBuffer(source: Source, option: Cursor, file: DatFile): void {
  const at = option.u64('the place of a buffer');
  const name = option.string('the name of a buffer');
  const clock = option.string('the clock of a buffer');
  const pageSize = option.u32('the size of a page');
  if (pageSize !== file.pageSize)
    throw source.error(option.place, `pages of ${pageSize} bytes in a file of pages of ${file.pageSize}`);
  const count = option.u32('the number of CPUs');
  const head = new Cursor(source, at, file.little);
  const id = head.u16('the number of a part');
  if (id !== OPTION.buffer) throw source.error(at, `a part ${id} where the pages of ${JSON.stringify(name)} should be`);
  const packed = (head.u16('the flags of a part') & COMPRESSED) !== 0;
  const cpus: CpuData[] = [];
  for (let i = 0; i < count; i++) {
    const place = option.place;
    const cpu = option.u32('a CPU');
    const offset = option.u64('the place of pages');
    const size = option.u64('the size of pages');
    if (cpu > MOST_CPUS) throw source.error(place, `a CPU ${cpu}`);
    cpus.push(within(source, place, { cpu, offset, size, packed }));
  }
  file.buffers.push({ name, clock, cpus });
}

function readPart(id: number, part: Cursor, file: DatFile): void {
  if (id === OPTION.headers) readHeaders(part, file);
  else if (id === OPTION.ftraceFormats) readFtraceFormats(part, file);
  else if (id === OPTION.formats) readFormats(part, file);
  else if (id === OPTION.kallsyms) readKallsyms(part, file);
  else if (id === OPTION.cmdlines) readCmdlines(part, file);
}

function readOption(id: number, option: Cursor, data: Buffer, file: DatFile): void {
  if (id === OPTION.cpuCount) file.cpus = option.u32('the number of CPUs');
  else if (id === OPTION.uname) file.uname = textOf(data);
  else if (id === OPTION.recorder) file.recorder = textOf(data);
  else if (id === OPTION.tsc) {
    const multiplier = option.u32('the multiplier of cycles');
    const shift = option.u32('the shift of cycles');
    file.tsc = { multiplier, shift, offset: option.u64('the offset of cycles') };
  }
}

function textOf(data: Buffer): string {
  return data.toString('utf8').split('\0')[0]!.trim();
}

/** The clock that is chosen of `local [mono] boot`. */
function clockOf(data: Buffer): string {
  return /\[([\w-]+)\]/.exec(textOf(data))?.[1] ?? 'local';
}

function readHeaders(part: Cursor, file: DatFile): void {
  part.expect('header_page\0', 'header_page');
  file.headerPage = part.bytes(part.u64('the size of header_page'), 'header_page').toString('latin1');
  part.expect('header_event\0', 'header_event');
  part.bytes(part.u64('the size of header_event'), 'header_event');
}

function readFtraceFormats(part: Cursor, file: DatFile): void {
  const count = part.u32('the number of formats');
  for (let i = 0; i < count; i++) file.formats.push(readFormat(part));
}

function readFormats(part: Cursor, file: DatFile): void {
  const systems = part.u32('the number of systems');
  for (let i = 0; i < systems; i++) {
    part.string('the name of a system');
    const count = part.u32('the number of formats');
    for (let event = 0; event < count; event++) file.formats.push(readFormat(part));
  }
}

function readFormat(part: Cursor): string {
  return part.bytes(part.u64('the size of a format'), 'a format').toString('latin1');
}

function readKallsyms(part: Cursor, file: DatFile): void {
  file.kallsyms = part.bytes(part.u32('the size of kallsyms'), 'kallsyms');
}

function readCmdlines(part: Cursor, file: DatFile): void {
  file.cmdlines = part.bytes(part.u64('the size of names of tasks'), 'names of tasks').toString('utf8');
}
