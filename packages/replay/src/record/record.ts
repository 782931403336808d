/**
 * Record: what a replay needs of this machine, with the kernel's own means, into one file.
 *
 *     instance     events, which tasks ──> ring buffer of each CPU ──> spool
 *     this machine facts, processes, names, symbols                ──> trace.dat
 *
 * Whatever happens, the instance and the spools are gone afterwards.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { arch, availableParallelism, freemem, hostname, release } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { OPTION } from '../read/dat/file.ts';
import { fieldsIn } from '../read/dat/layout.ts';
import type { RecorderFile } from '../read/recorder-notes.ts';
import { DatWriter, text, u32, u64 } from './dat-writer.ts';
import { RecordError } from './error.ts';
import { EVENTS, MADE, MADE_SYSTEM, NEEDED, SYSCALLS } from './events.ts';
import { machineFacts } from './machine.ts';
import { allProcesses, familyOf, type Process, processOf, recordedProcesses, taskNames } from './processes.ts';
import { Spool } from './spool.ts';
import { findTracefs, Instance } from './tracefs.ts';

/** A command, with all that it makes, until it ends. */
export interface CommandSubject {
  /** The program, and its arguments. */
  readonly command: readonly [string, ...string[]];
}

/** A process, with all that it made and makes, until it ends or time is up. */
export interface ProcessSubject {
  /** Its id. */
  readonly pid: number;
  /** For how long. */
  readonly seconds?: number;
}

/** The whole machine. */
export interface MachineSubject {
  /** For how long. */
  readonly seconds: number;
}

/** What to record. */
export type Subject = CommandSubject | ProcessSubject | MachineSubject;

/** How to record. */
export interface RecordOptions {
  /** The file to write. */
  readonly output: string;
  /** What to record. */
  readonly subject: Subject;
  /** MiB of each CPU's ring buffer. */
  readonly bufferMiB?: number;
  /** Also who asks: the stack of user mode with each event, and the kernel's with each flush. */
  readonly stacks?: boolean;
  /** Ends the recording early; what was recorded by then is written. */
  readonly signal?: AbortSignal;
  /** Where tracefs may be mounted; for tests. */
  readonly places?: readonly string[];
}

/** What was recorded. */
export interface Recorded {
  /** Seconds that were recorded. */
  readonly seconds: number;
  /** Events. */
  readonly events: number;
  /** Events that the ring buffers had no room for. */
  readonly lost: number;
  /** Events that this kernel does not have, of those without which a replay says little. */
  readonly missing: readonly string[];
  /** How the command ended; null if there was none, or it goes on. */
  readonly exitCode: number | null;
}

/** MiB of each CPU's ring buffer, if there is as much memory. */
const BUFFER_MIB = 16;
/** How often pages are taken from the kernel. */
const DRAIN_MS = 500;
/** How long a command may take to get as far as its first instruction. */
const START_MS = 10_000;
const CLOCKS: readonly string[] = ['mono', 'global', 'local'];

/** Records. @throws RecordError if it cannot */
export async function record(options: RecordOptions): Promise<Recorded> {
  const { subject, places } = options;
  const tracefs = findTracefs(places);
  const child = 'command' in subject ? await startStopped(subject.command) : null;
  const instance = makeInstance(tracefs, child);
  const spools: Spool[] = [];
  const clear = (): void => {
    if (child !== null) end(child);
    for (const spool of spools.splice(0)) spool.remove();
    rmSync(partOf(options.output), { force: true });
    instance.remove();
  };
  // Someone may end this process in a hurry.
  process.once('exit', clear);
  try {
    return await recordInto(instance, spools, child, options);
  } finally {
    process.off('exit', clear);
    clear();
  }
}

function makeInstance(tracefs: string, child: ChildProcess | null): Instance {
  try {
    return new Instance(tracefs);
  } catch (error) {
    if (child !== null) end(child);
    throw error;
  }
}

/** A command that goes on ends with its recording, whether it is stopped or runs. */
function end(child: ChildProcess): void {
  if (hasEnded(child)) return;
  child.kill('SIGTERM');
  child.kill('SIGCONT');
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** What is written has another name until it is whole. */
function partOf(output: string): string {
  return `${output}.part`;
}

async function recordInto(
  instance: Instance,
  spools: Spool[],
  child: ChildProcess | null,
  { output, subject, bufferMiB = roomForBuffers(), stacks = false, signal }: RecordOptions,
): Promise<Recorded> {
  const root = child?.pid ?? ('pid' in subject ? subject.pid : null);
  const all = allProcesses();
  if (root !== null && !all.some(({ pid }) => pid === root)) throw new RecordError(`there is no process ${root}`);
  const recorded = root === null ? all.filter(({ kernel }) => !kernel) : familyOf(root, all);
  const traced = root === null ? null : tracedIds(recorded, all);
  const clock = setUp(instance, bufferMiB, traced);
  const missing = enable(instance);
  const stackEvents = stacks ? enableStacks(instance) : [];
  const facts = machineFacts(root);
  const notes: RecorderFile = { version: 1, facts, traced, processes: recordedProcesses(recorded) };
  openSpools(instance, output, spools);
  const started = performance.now();
  instance.put('tracing_on', 1);
  child?.kill('SIGCONT');
  await drainUntil(spools, endOf(child, subject, signal));
  instance.put('tracing_on', 0);
  const seconds = (performance.now() - started) / 1000;
  drain(spools);
  const { events, lost, texts } = statistics(instance);
  write(partOf(output), instance, clock, spools, notes, texts, all, stackEvents);
  renameSync(partOf(output), output);
  return { seconds, events, lost, missing, exitCode: child?.exitCode ?? null };
}

/** What buffers may take of the memory that is free. */
function roomForBuffers(): number {
  const each = freemem() / 8 / availableParallelism() / 2 ** 20;
  return Math.max(1, Math.min(BUFFER_MIB, Math.floor(each)));
}

/** All threads of a family, and those of the kernel, whose work borrows address spaces and answers requests to flush. */
function tracedIds(family: readonly Process[], all: readonly Process[]): number[] {
  const kernel = all.filter((process) => process.kernel);
  return [0, ...[...family, ...kernel].flatMap(({ threads }) => threads)];
}

/** Starts a command that waits before its first instruction. */
async function startStopped(command: readonly [string, ...string[]]): Promise<ChildProcess> {
  const [name] = command;
  if (!isProgram(name)) throw new RecordError(`${name}: there is no such program: give its path`);
  const child = spawn('/bin/sh', ['-c', 'kill -STOP $$; exec "$@"', 'sh', ...command], { stdio: 'inherit' });
  child.on('error', () => {});
  const deadline = performance.now() + START_MS;
  while (processOf(child.pid ?? 0)?.state !== 'T') {
    if (performance.now() > deadline || child.pid === undefined) throw new RecordError(`${name} did not start`);
    await sleep(2);
  }
  return child;
}

function isProgram(name: string): boolean {
  const paths = name.includes('/') ? [name] : (process.env['PATH'] ?? '').split(':').map((path) => join(path, name));
  return paths.some((path) => {
    try {
      accessSync(path, constants.X_OK);
      return statSync(path).isFile();
    } catch {
      return false;
    }
  });
}

/** @returns the clock */
function setUp(instance: Instance, bufferMiB: number, traced: readonly number[] | null): string {
  instance.put('tracing_on', 0);
  const clock = CLOCKS.find((name) => instance.try('trace_clock', name));
  if (clock === undefined) throw new RecordError('this kernel has no clock that all CPUs share');
  // The oldest events go first if the buffer overflows: the kernel then says so in the pages themselves.
  instance.put('options/overwrite', 1);
  instance.put('options/event-fork', 1);
  instance.try('options/record-cmd', 1);
  try {
    instance.put('buffer_size_kb', bufferMiB * 1024);
  } catch {
    throw new RecordError(`there is no room for ring buffers of ${bufferMiB} MiB a CPU: give less with --buffer`);
  }
  if (traced !== null) instance.put('set_event_pid', traced.join(' '));
  return clock;
}

/** @returns what the kernel does not have of what is needed */
function enable(instance: Instance): string[] {
  for (const [name, definition] of MADE) instance.make(`${MADE_SYSTEM}/${name}`, definition);
  const wanted = [
    ...EVENTS,
    ...[...MADE.keys()].map((name) => `${MADE_SYSTEM}/${name}`),
    ...SYSCALLS.flatMap((name) => [`syscalls/sys_enter_${name}`, `syscalls/sys_exit_${name}`]),
  ];
  const missing = wanted.filter((event) => !instance.try(`events/${event}/enable`, 1));
  return missing.filter((event) => NEEDED.includes(event));
}

/** @returns the events that the kernel writes stacks as */
function enableStacks(instance: Instance): string[] {
  const user = instance.try('options/userstacktrace', 1);
  const kernel = instance.try('events/tlb/tlb_flush/trigger', 'stacktrace');
  if (!user && !kernel) throw new RecordError('this kernel writes no stacks: leave --stacks out');
  return [...(user ? ['user_stack'] : []), ...(kernel ? ['kernel_stack'] : [])];
}

function openSpools(instance: Instance, output: string, spools: Spool[]): void {
  const pageSize = pageSizeOf(instance);
  const cpus = instance.list('per_cpu').map((name) => Number(name.replace('cpu', '')));
  for (const cpu of cpus.toSorted((a, b) => a - b)) {
    const path = `${output}.cpu${cpu}.part`;
    spools.push(new Spool(cpu, instance.path(`per_cpu/cpu${cpu}/trace_pipe_raw`), path, pageSize));
  }
}

/** Bytes of a page of the ring buffers. */
function pageSizeOf(instance: Instance): number {
  const data = fieldsIn(instance.get('events/header_page')).get('data');
  return data === undefined ? 4096 : data.offset + data.size;
}

function drain(spools: readonly Spool[]): void {
  for (const spool of spools) spool.drain();
}

async function drainUntil(spools: readonly Spool[], over: Promise<void>): Promise<void> {
  const ended = over.then(() => true);
  const soon = (): Promise<boolean> => sleep(DRAIN_MS, false, { ref: false });
  do drain(spools);
  while (!(await Promise.race([ended, soon()])));
  drain(spools);
}

/** When the recording is over. */
async function endOf(child: ChildProcess | null, subject: Subject, signal?: AbortSignal): Promise<void> {
  const stop = new AbortController();
  const ends: Promise<unknown>[] = [];
  if (child !== null)
    ends.push(hasEnded(child) ? Promise.resolve() : new Promise((resolve) => child.once('exit', resolve)));
  if ('seconds' in subject && subject.seconds !== undefined)
    ends.push(sleep(subject.seconds * 1000, undefined, { signal: stop.signal }));
  if ('pid' in subject) ends.push(gone(subject.pid, stop.signal));
  if (signal !== undefined)
    ends.push(
      new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener('abort', () => resolve(), { once: true });
      }),
    );
  await Promise.race(ends.map((each) => each.catch(() => undefined)));
  stop.abort();
}

async function gone(pid: number, signal: AbortSignal): Promise<void> {
  while (processOf(pid) !== null) await sleep(50, undefined, { signal });
}

/** What the ring buffers say of themselves. */
function statistics(instance: Instance): { events: number; lost: number; texts: string[] } {
  const texts = instance.list('per_cpu').map((cpu) => `CPU: ${cpu.slice(3)}\n${instance.get(`per_cpu/${cpu}/stats`)}`);
  const sum = (names: RegExp): number =>
    texts.flatMap((stats) => [...stats.matchAll(names)]).reduce((total, [, count]) => total + Number(count), 0);
  const lost = sum(/^(?:overrun|commit overrun|dropped events): (\d+)/gm);
  return { events: sum(/^(?:read events|entries): (\d+)/gm), lost, texts };
}

function write(
  path: string,
  instance: Instance,
  clock: string,
  spools: readonly Spool[],
  notes: RecorderFile,
  stats: readonly string[],
  before: readonly Process[],
  stackEvents: readonly string[],
): void {
  const chunks = spools.map((spool) => spool.end());
  const page = Buffer.from(instance.get('events/header_page'), 'latin1');
  const event = Buffer.from(instance.get('events/header_event'), 'latin1');
  const writer = new DatWriter(path, pageSizeOf(instance));
  const headers = [text('header_page'), u64(page.length), page, text('header_event'), u64(event.length), event];
  writer.part(OPTION.headers, Buffer.concat(headers));
  const ftrace = ['print', 'raw_data', ...stackEvents].map((name) => formatOf(instance, 'ftrace', name));
  writer.part(OPTION.ftraceFormats, Buffer.concat([u32(ftrace.length), ...ftrace]));
  writer.part(OPTION.formats, formats(instance));
  const symbols = functions();
  writer.part(OPTION.kallsyms, Buffer.concat([u32(symbols.length), symbols]));
  writer.part(OPTION.printk, u32(0));
  const names = Buffer.from(namesOf(instance, before));
  writer.part(OPTION.cmdlines, Buffer.concat([u64(names.length), names]));
  writer.option(OPTION.clock, text(`[${clock}]`));
  writer.option(OPTION.uname, text(`Linux ${hostname()} ${release()} ${arch()}`));
  writer.option(OPTION.cpuCount, u32(chunks.length));
  for (const each of stats) writer.option(OPTION.cpuStats, text(each));
  writer.option(OPTION.recorder, text(JSON.stringify(notes)));
  writer.pages('', clock, chunks);
  writer.finish();
}

/** Formats of the events that were enabled, by system. */
function formats(instance: Instance): Buffer {
  const systems = new Map<string, string[]>();
  for (const name of instance.get('set_event').split('\n')) {
    const [system = '', event = ''] = name.split(':');
    if (event !== '') systems.set(system, [...(systems.get(system) ?? []), event]);
  }
  const parts = [u32(systems.size)];
  for (const [system, events] of systems)
    parts.push(text(system), u32(events.length), ...events.map((event) => formatOf(instance, system, event)));
  return Buffer.concat(parts);
}

function formatOf(instance: Instance, system: string, event: string): Buffer {
  const format = Buffer.from(instance.get(`events/${system}/${event}/format`), 'latin1');
  return Buffer.concat([u64(format.length), format]);
}

/** The kernel's functions, without its data. */
function functions(): Buffer {
  const lines = readFileSync('/proc/kallsyms', 'latin1').split('\n');
  return Buffer.from(
    lines
      .filter((line) => /^\S+ [tTwW] /.test(line))
      .join('\n')
      .concat('\n'),
    'latin1',
  );
}

/** Names of tasks: those that were there, those that the kernel noted on the way, and those that are there now. */
function namesOf(instance: Instance, before: readonly Process[]): string {
  const noted = instance.getCommon('saved_cmdlines').split('\n');
  const names = new Map<string, string>();
  for (const line of [...taskNames(before), ...noted, ...taskNames(allProcesses())]) {
    const [pid = '', ...name] = line.split(' ');
    if (name.length > 0 && name[0] !== '<...>') names.set(pid, name.join(' '));
  }
  return [...names].map(([pid, name]) => `${pid} ${name}\n`).join('');
}
