/**
 * Replay: a recording drives the running mm, core and x86 code, and its flushes are compared with those that were recorded.
 */
import type { Architecture } from './arch/arch.ts';
import { type MachineFacts, machineOf, type WhatIf } from './facts.ts';
import { type Alternatives, NONE } from './model/allowed.ts';
import { Ledger } from './model/ledger.ts';
import type { Build } from './model/library.ts';
import { Model } from './model/model.ts';
import type { TraceEvent } from './read/event.ts';
import { openTrace } from './read/open.ts';
import { interruptScore, type ReplayReport, scores } from './report.ts';
import type { Action, Operation, Step } from './schedule/action.ts';
import { tellsOfFlush } from './schedule/context.ts';
import { Forks } from './schedule/forks.ts';
import { LeftOut } from './schedule/left-out.ts';
import { Probes } from './schedule/probes.ts';
import { Schedule } from './schedule/schedule.ts';
import type { Change, Watching } from './watching.ts';

/** How to replay. */
export interface ReplayOptions {
  /** What is known of the machine. */
  readonly facts?: MachineFacts;
  /** What runs instead of the recorded kernel. The scores then say how much it differs, and the costs what it costs. */
  readonly whatIf?: WhatIf;
  /**
   * Tasks that the recorder was told to trace (`set_event_pid`), with what they made; it left out all others but kernel threads.
   * If nobody says it: what the recording says, or all.
   */
  readonly traced?: readonly number[];
  /** Count exact pairs alone: sets of what the recording leaves open (model/allowed.ts) excuse nothing. */
  readonly exact?: boolean;
  /**
   * Score without any event that is compared: requests to flush and their arrival (csd, ipi and call_function events) are left out, which else
   * tell when a call took effect, and which CPUs were not idle. Whom a call asks is predicted in either case.
   */
  readonly withoutInterrupts?: boolean;
  /**
   * Which build of the kernel code runs what need not wait for another CPU: the direct one, or, for comparison, the stepped one, where all
   * that interrupts others waits for them.
   */
  readonly build?: Build;
  /** Called now and then with the number of events so far. Returns false to end there, and report what is known. */
  readonly onProgress?: (events: number) => boolean | void;
}

/** Events after which operations that nothing was heard of any more are compared, and forgotten. */
const SETTLE = 100_000;

/** Stamps with microseconds: what clocks that only count are taken for. */
const MICROSECONDS = 1_000_000;

/**
 * Replays a recording; memory does not grow with the file.
 * @throws TraceError if it cannot be read: one line that says where, what and how to mend it
 */
export function replay(path: string, options: ReplayOptions = {}): Promise<ReplayReport> {
  return replayWatched(path, options);
}

/** Replays a recording that is watched, or changed on its way; else as {@link replay}. */
export async function replayWatched(path: string, options: ReplayOptions & Watching): Promise<ReplayReport> {
  const started = performance.now();
  const trace = await openTrace(path);
  const facts = { ...trace.facts, ...options.facts };
  const { recorded, ...rest } = await machineOf(facts, trace.header.cpus, options.whatIf);
  const changed = options.change !== undefined || options.filter !== undefined;
  const machine = { ...rest, recorded: recorded && !changed };
  const ticks = trace.clock.ticksPerSecond ?? MICROSECONDS;
  const alternatives = (operation: Operation): Alternatives =>
    options.exact === true ? NONE : model.alternatives(operation);
  const ledger = new Ledger(alternatives);
  const interrupts = new Ledger(alternatives);
  const model: Model = new Model(machine, ledger, interrupts, ticks, options.build ?? 'direct', trace.processes);
  const schedule = new Schedule(trace.processes);
  const forks = new Forks();
  const probes = new Probes();
  const traced = options.traced ?? trace.traced;
  const leftOut = traced === null ? null : new LeftOut(traced);
  let events = 0;
  let settled = 0;
  let settlings: readonly number[] = [-Infinity, -Infinity, -Infinity];
  const drain = (end: boolean): void => {
    for (let step = schedule.next(end); step !== null; step = schedule.next(end)) {
      if (options.change !== undefined) changeStep(step, options.change);
      if (step.kind === 'mark' && !model.begun) options.observer?.workload();
      model.take(step);
    }
    if (end) model.end();
    if (!end && events - settled < SETTLE) return;
    settled = events;
    ledger.settle(end);
    interrupts.settle(end);
    // Two settlings back nothing is open any more.
    model.forget(settlings[0]!);
    settlings = [settlings[1]!, settlings[2]!, model.now];
  };
  options.observer?.begin(model.host, ticks);
  for await (const batch of trace.batches()) {
    const all = translated(forks.complete(batch), machine.arch, probes);
    const known = options.withoutInterrupts === true ? all.filter((event) => !tellsOfFlush(event)) : all;
    leftOut?.take(known);
    const said = options.filter === undefined ? known : options.filter(known);
    options.observer?.read(said);
    schedule.take(said);
    model.learn(said);
    events += batch.length;
    drain(false);
    if (options.onProgress?.(events) === false) break;
  }
  schedule.end();
  drain(true);
  const seconds = (performance.now() - started) / 1000;
  return {
    schema: 1,
    file: path,
    arch: machine.arch.id,
    reasons: machine.arch.names,
    events,
    ...scores(ledger, model.begun, ticks),
    interrupts: interruptScore(interrupts, ledger, model.begun, ticks),
    costs: model.host.costs(!model.begun),
    seconds,
    eventsPerSecond: events / seconds,
    ...(trace.assumes.length > 0 ? { mismatches: [] } : {}),
    assumes: trace.assumes,
    assumed: machine.assumed,
    adjustments: model.adjustments,
    lost: schedule.gaps,
    gaps: schedule.lost.map(({ line, cpu, count }) => ({ line, cpu, count })),
    truncated: schedule.truncated === null ? null : { line: schedule.truncated.line, what: schedule.truncated.what },
  };
}

/** Events in the model's words; most are already. */
function translated(events: readonly TraceEvent[], arch: Architecture, probes: Probes): readonly TraceEvent[] {
  let all: TraceEvent[] | null = null;
  for (let at = 0; at < events.length; at++) {
    const event = events[at]!;
    const { kind } = event;
    if (kind !== 'other') {
      probes.pass(kind);
      continue;
    }
    const said = probes.complete(arch.recorded(event));
    if (said !== event) (all ??= [...events])[at] = said;
  }
  return all ?? events;
}

function changeStep(step: Step, change: Change): void {
  const changed = (actions: Action[] | null): Action[] | null =>
    actions?.map(change).filter((action) => action !== null) ?? null;
  step.before = changed(step.before);
  step.after = changed(step.after);
}
