/**
 * Flows: the main code of every CPU and its interrupt side, from step to step.
 *
 *     begin      a body starts, and runs to its first step
 *     step       a step takes effect, its result is fed to the process, which runs to its next one
 *     deliver    a CPU takes an interrupt: the handler begins
 *
 * Logs of what processes were fed are here; what of it is part of the key is in histories.ts.
 */
import type { Cpu, Kernel } from '@mmu-gather/core/stepped';
import type { Effects } from './effects.ts';
import type { Violation } from './explorable.ts';
import { Histories } from './histories.ts';
import type { Interrupts } from './interrupts.ts';
import type { LocalSteps } from './local-steps.ts';
import type { Memory } from './memory.ts';
import type { Mmu } from './mmu/mmu.ts';
import { OP } from './op.ts';
import type { Oracles } from './oracles.ts';
import { type Body, NotRepeatable, Process, type ProcessHost } from './process.ts';
import type { Races } from './races.ts';
import { Pauses } from './script.ts';
import { placeIn } from './site.ts';
import { CPU, PROCESS, PROCESS_WORDS, QUIET, QUIET_WORDS, type Words } from './words.ts';

/** What flows need of the machine. */
export interface FlowsHost {
  readonly kernel: Kernel;
  readonly words: Words;
  readonly pauses: Pauses;
  readonly memory: Memory;
  readonly races: Races;
  readonly interrupts: Interrupts;
  readonly effects: Effects;
  readonly mmu: Mmu;
  readonly oracles: Oracles;
  readonly localSteps: LocalSteps;
  /** Words of the arena. */
  readonly arenaWords: number;
  /** Does the kernel of the machine have anything to do? If not, programs are of bare accesses. */
  readonly hasKernel: boolean;
  /** Note where code calls its steps. */
  readonly notesSites: boolean;
  /** Has the present step broken something? */
  isBroken(): boolean;
  /** The present step breaks something. */
  breaks(violation: Violation): void;
  /** Kernel code passes a tracepoint. */
  trace(cpu: number, event: string, values: readonly number[]): void;
}

/** The processes of one machine. */
export class Flows {
  /** CPU c's main code is c, its interrupt side n + c. */
  readonly processes: readonly Process[];
  readonly #host: FlowsHost;
  readonly #words: Words;
  readonly #cpus: number;
  readonly #histories: Histories;
  readonly #logs: Int32Array[] = [];
  readonly #lastResult: number[] = [];
  readonly #bodies: (Body | undefined)[];
  readonly #handlers = new Map<number, Body>();

  constructor(host: FlowsHost) {
    this.#host = host;
    this.#words = host.words;
    this.#cpus = host.words.cpus;
    this.#histories = new Histories(host.words);
    const count = 2 * this.#cpus;
    const ofProcesses = this.#processHost();
    this.processes = Array.from({ length: count }, (_, i) => new Process(i, i % this.#cpus, host.kernel, ofProcesses));
    this.#logs = Array.from({ length: count }, () => new Int32Array(256));
    this.#bodies = Array.from({ length: this.#cpus }, () => undefined);
  }

  /** The main code of a CPU begins, or it has none. */
  begin(cpu: number, body: Body | undefined): void {
    this.#bodies[cpu] = body;
    if (body !== undefined) this.#start(cpu, body);
  }

  /** Forgets what processes did: the setup is over. */
  reset(): void {
    const words = this.#words;
    for (let i = 0; i < 2 * this.#cpus; i++) {
      for (let w = 0; w < PROCESS_WORDS; w++) words.state.set(words.processAt(i, w), 0);
      for (let w = 0; w < QUIET_WORDS; w++) words.setQuiet(i, w, 0);
    }
  }

  /** What the last step of a process returned. */
  lastResult(number: number): number {
    return this.#lastResult[number] ?? 0;
  }

  /** Performs the step that a process is at. */
  step(number: number, cpu: number, choice: number): void {
    const { effects, races } = this.#host;
    const kind = this.#words.kind(number);
    const { weak } = effects;
    if (weak?.spins(number, cpu, choice) === true) {
      weak.spin(number, cpu);
      return;
    }
    races.stepped(number);
    if (kind === OP.irqReturn) {
      this.#irqReturn(cpu);
      return;
    }
    const process = this.processes[number]!;
    const body = number < this.#cpus ? this.#bodies[number]! : this.#handler(cpu);
    if (process.wantStacks) process.noteStack(body);
    const value = effects.perform(number, cpu, choice);
    this.#lastResult[number] = value;
    if (this.#host.isBroken()) return;
    this.#histories.stepped(number, kind, value);
    let done: boolean;
    try {
      done = process.resume(body, value);
    } catch (error) {
      if (error instanceof NotRepeatable) throw error;
      this.#host.breaks({ oracle: 'assert', message: thrown(error) });
      return;
    }
    this.#paused(number, process, done);
  }

  /** A CPU takes an interrupt. */
  deliver(cpu: number): void {
    this.#host.effects.weak?.taken(cpu);
    this.#host.interrupts.take(cpu);
    this.#start(this.#cpus + cpu, this.#handler(cpu));
  }

  #irqReturn(cpu: number): void {
    const { effects, interrupts, mmu, oracles } = this.#host;
    effects.weak?.returned(cpu);
    interrupts.end(cpu);
    for (let w = 0; w < PROCESS_WORDS; w++) this.#words.state.set(this.#words.processAt(this.#cpus + cpu, w), 0);
    effects.irqReturned(cpu);
    if (!interrupts.inUser(cpu)) return;
    mmu.entersUser(cpu);
    oracles.userMode(cpu);
  }

  /** One body per handler and argument, so that a rebuild finds the one that ran. */
  #handler(cpu: number): Body {
    const handler = this.#words.cpu(cpu, CPU.inIrq) - 1;
    const argument = this.#words.cpu(cpu, CPU.irqArgument);
    const key = handler * this.#host.arenaWords + argument;
    let body = this.#handlers.get(key);
    if (body === undefined)
      this.#handlers.set(key, (body = (port: Cpu) => this.#host.kernel.handlers[handler]!(port, argument)));
    return body;
  }

  #start(number: number, body: Body): void {
    const words = this.#words;
    words.setQuiet(number, QUIET.logBase, words.quiet(number, QUIET.logLength));
    words.setQuiet(number, QUIET.segmentLength, 0);
    words.state.set(words.processAt(number, PROCESS.running), 1);
    this.#histories.begin(number);
    const process = this.processes[number]!;
    this.#paused(number, process, process.start(body));
  }

  /** Notes where a process is now. */
  #paused(number: number, process: Process, done: boolean): void {
    const words = this.#words;
    if (!done) {
      words.setQuiet(number, QUIET.pause, process.pause);
      this.#host.localSteps.announced(number);
      return;
    }
    words.setQuiet(number, QUIET.pause, number < this.#cpus ? Pauses.NONE : Pauses.IRQ_RETURN);
    if (number < this.#cpus) words.state.set(words.processAt(number, PROCESS.running), 0);
  }

  // ---- what processes ask for ----

  #processHost(): ProcessHost {
    const host = this.#host;
    const words = this.#words;
    const { effects, races, memory, localSteps, oracles, pauses, notesSites } = host;
    const plain = (process: Process, cell: number, write: boolean): void => {
      effects.touched(process.cpuId, cell);
      races.plain(process.number, cell, write);
    };
    return {
      notesSites,
      pauses,
      fences: effects.weak !== undefined,
      plainRead: (process, cell) => {
        plain(process, cell, false);
        const value = memory.loadPlain(process.cpuId, cell);
        localSteps.plain(process.number, cell, false);
        this.#histories.loaded(process.number, value);
        return value;
      },
      plainWrite: (process, cell, value) => {
        plain(process, cell, true);
        memory.storePlain(process.cpuId, cell, value);
        localSteps.plain(process.number, cell, true);
      },
      claimsOf: (process) => localSteps.noting(process.number, oracles.claimsOf(process.cpuId, process.number)),
      forget: (process, progress, live) => {
        if (host.hasKernel) throw new Error('forget is for programs of bare accesses');
        this.#histories.forget(process.number, progress, live);
      },
      trace: (process, event, values) => host.trace(process.cpuId, event, values),
      logLength: ({ number }) => words.quiet(number, QUIET.logLength) - words.quiet(number, QUIET.logBase),
      logged: ({ number }, i) => this.#logs[number]![words.quiet(number, QUIET.logBase) + i]!,
      append: ({ number }, value) => this.#append(number, value),
      pauseOf: ({ number }) => words.quiet(number, QUIET.pause),
    };
  }

  #append(number: number, value: number): void {
    const length = this.#words.quiet(number, QUIET.logLength);
    let log = this.#logs[number]!;
    if (length >= log.length) {
      const bigger = new Int32Array(log.length * 2);
      bigger.set(log);
      this.#logs[number] = log = bigger;
    }
    log[length] = value;
    this.#words.setQuiet(number, QUIET.logLength, length + 1);
  }
}

/** What code threw, and where. */
function thrown(error: unknown): string {
  if (!(error instanceof Error)) return `the code throws ${String(error)}`;
  const { site } = placeIn(error.stack ?? '');
  return `the code throws ${error.name}: ${error.message}${site === '' ? '' : ` (${site})`}`;
}
