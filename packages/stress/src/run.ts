/**
 * A stress run, from the thread that watches: it starts the CPUs, ends them when the time is over, and never waits for ever.
 */
import { Machine, spawn, type Thread } from '@mmu-gather/threads';
import type { StressConfig } from './config.ts';
import { type EventLine, lineOf } from './event-lines.ts';
import { type Count, machineOptions, sharedWords } from './space.ts';
import type { Assignment, Told } from './worker.ts';

/** What has been done so far. */
export interface Progress {
  /** Seconds since the CPUs were started. */
  readonly seconds: number;
  /** Operations of mm. */
  readonly operations: number;
  /** Accesses of user code. */
  readonly accesses: number;
  /** Operations of each CPU. */
  readonly each: readonly number[];
}

/** How a run ended. */
export interface StressResult extends Progress {
  /**
   * `clean`: nothing was found in the whole time. `violation`: an oracle found something. `failed`: a thread died, or a CPU came to a
   * standstill. `stopped`: from outside.
   */
  readonly outcome: 'clean' | 'violation' | 'failed' | 'stopped';
  /** What was found or failed, in a line; empty if nothing. */
  readonly message: string;
  /** The oracle that found it. */
  readonly oracle?: string;
  /** The CPU that found it. */
  readonly cpu?: number;
  /** The last events of all CPUs by time. */
  readonly events: readonly EventLine[];
}

/** How to run. */
export interface StressOptions {
  /** How long the CPUs work, in milliseconds; each does something, however short that is. */
  readonly time: number;
  /** A CPU that finishes no operation in so many milliseconds stands still; 30 s if not given. */
  readonly patience?: number;
  /** Told a few times a second. */
  readonly onProgress?: (progress: Progress) => void;
  /** Ends the run when it is aborted. */
  readonly signal?: AbortSignal;
  /** The module of the threads; {@link WORKER_MODULE} if not given. */
  readonly module?: URL;
}

/** The module that each thread runs: beside this one. */
export const WORKER_MODULE: URL = new URL(
  import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js',
  import.meta.url,
);

const PATIENCE = 30_000;
/** Threads have so many milliseconds to start, however short the patience with them is afterwards. */
const START = 60_000;
/** Milliseconds between two looks at the run. */
const TICK = 100;

/** Runs. @throws RangeError if there is no such architecture */
export async function stress(config: StressConfig, options: StressOptions): Promise<StressResult> {
  const run = new Run(config, options);
  try {
    return await run.result();
  } finally {
    run.end();
  }
}

class Run {
  readonly #config: StressConfig;
  readonly #options: StressOptions;
  readonly #machine: Machine;
  readonly #threads: Thread[];
  /** When all CPUs had started; then their time begins. */
  #began = Infinity;
  readonly #made = performance.now();
  /** Of each CPU: how many operations it had done when last it had done more, and when that was. */
  readonly #last: { operations: number; since: number }[];
  #started = 0;
  readonly #done: Set<number> = new Set();
  #failed = '';

  constructor(config: StressConfig, options: StressOptions) {
    this.#config = config;
    this.#options = options;
    this.#machine = new Machine(machineOptions(config));
    this.#last = Array.from({ length: config.cpus }, () => ({ operations: -1, since: this.#made }));
    this.#threads = Array.from({ length: config.cpus }, (_, id) => this.#spawn(id));
  }

  /** Looks at the run until it is over. */
  async result(): Promise<StressResult> {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, TICK));
      const over = this.#look();
      if (over !== undefined) return over;
    }
  }

  /** Ends all threads, wherever they are. */
  end(): void {
    for (const thread of this.#threads) thread.terminate();
  }

  #spawn(id: number): Thread {
    const data: Assignment = { config: this.#config, buffer: this.#machine.memory.buffer, id };
    return spawn(this.#options.module ?? WORKER_MODULE, data, {
      message: (value) => this.#told(id, value as Told),
      failed: (message) => this.#died(id, message),
      ended: () => {
        if (!this.#done.has(id)) this.#died(id, 'it ended before its work was done');
      },
    });
  }

  #died(id: number, message: string): void {
    this.#failed ||= `the thread of CPU ${id} died: ${message}`;
    this.#machine.stop();
  }

  #told(id: number, what: Told): void {
    if (what === 'done') this.#done.add(id);
    else if (++this.#started === this.#config.cpus) this.#begin();
  }

  #begin(): void {
    this.#began = performance.now();
    for (const last of this.#last) last.since = this.#began;
  }

  /** @returns how it ended, if it did */
  #look(): StressResult | undefined {
    this.#options.onProgress?.(this.#progress());
    const found = this.#machine.finding();
    if (this.#failed !== '') return this.#ended('failed', this.#failed);
    if (found !== undefined && this.#allDone()) return this.#ended('violation', found.message, found);
    if (this.#options.signal?.aborted === true) return this.#ended('stopped', 'it was stopped');
    if (this.#done.size === this.#config.cpus) return this.#ended('clean', '');
    if (this.#seconds() * 1000 >= this.#options.time && this.#allWorked()) this.#write('over', 1);
    const stuck = this.#stuck();
    return stuck === '' ? undefined : this.#ended('failed', stuck);
  }

  #allDone(): boolean {
    return this.#done.size === this.#config.cpus || this.#stuck() !== '';
  }

  #allWorked(): boolean {
    return this.#last.every((_, cpu) => this.#count(cpu, 'operations') > 0);
  }

  #seconds(): number {
    return Math.max(0, performance.now() - this.#began) / 1000;
  }

  #ended(outcome: StressResult['outcome'], message: string, found?: { oracle: string; cpu: number }): StressResult {
    this.#machine.stop();
    const { kernel } = this.#machine.memory;
    const noted = this.#last.flatMap((_, cpu) => this.#machine.events(cpu)).toSorted((a, b) => a.time - b.time);
    const events = noted.map((event) => lineOf(event, kernel));
    return { ...this.#progress(), outcome, message, events, ...(found && { oracle: found.oracle, cpu: found.cpu }) };
  }

  #progress(): Progress {
    return {
      seconds: this.#seconds(),
      operations: this.#sum('operations'),
      accesses: this.#sum('accesses'),
      each: this.#last.map((_, cpu) => this.#count(cpu, 'operations')),
    };
  }

  #sum(of: Count): number {
    return this.#last.reduce((sum, _, cpu) => sum + this.#count(cpu, of), 0);
  }

  #count(cpu: number, of: Count): number {
    const { words, own } = this.#machine.memory;
    return words.load(sharedWords(own).count(cpu, of));
  }

  #write(word: 'over', value: number): void {
    const { words, own } = this.#machine.memory;
    words.store(sharedWords(own)[word], value);
  }

  /** Which CPU stands still, in a line; empty if none does. */
  #stuck(): string {
    const now = performance.now();
    const { patience = PATIENCE } = this.#options;
    if (this.#started < this.#config.cpus) return now - this.#made > START ? 'its threads do not start' : '';
    for (const [cpu, last] of this.#last.entries()) {
      const operations = this.#count(cpu, 'operations');
      if (operations !== last.operations) this.#last[cpu] = { operations, since: now };
      else if (now - last.since > patience) return this.#standstill(cpu, patience);
    }
    return '';
  }

  #standstill(cpu: number, patience: number): string {
    const waits = this.#last.map((_, each) => `CPU ${each} waits for ${this.#machine.waits(each)}`);
    return `CPU ${cpu} has finished no operation for ${Math.round(patience / 1000)} s: ${waits.join(', ')}`;
  }
}
