/**
 * Runner: jobs that run at once, and jobs that wait while the recording goes on.
 *
 *     CPU 0 (mprotect)                          CPU 1
 *     csd_queue_cpu: the job starts, sends
 *       its interrupts, and waits
 *                                               sched_switch to idle: takes effect
 *                                               csd_function_entry: the interrupt is delivered, and finds it lazy
 *     the task's next event: the job is over
 *
 * A job that interrupts others is run in steps, unless nothing happens before they answer (answers.ts), and so is every job that
 * starts while another one waits: it may find a lock taken, or a gather open. When a task goes on, its job must be over, and when it asks once
 * more, what it asked before is answered: interrupts whose arrival the recording does not show are delivered then.
 */
import type { OnIpi, PendingIpi } from '@mmu-gather/counting/stepped';
import { type Cpu, finish, type Step } from '@mmu-gather/core/stepped';
import type { Operation } from '../schedule/action.ts';
import { type Answers, Rounds } from './answers.ts';
import type { Files } from './files.ts';
import type { Host } from './host.ts';
import { type Build, type Call, type Job, runDirect, stepsOf } from './library.ts';

/** A job that waits. */
interface Waiting {
  readonly operation: Operation;
  readonly cpu: number;
  readonly pid: number;
  readonly steps: Iterator<Step, unknown>;
  quiet: boolean;
}

/** Runs jobs, at once or in steps. */
export class Runner {
  readonly #host: Host;
  readonly #files: Files;
  /** Whether an interrupt that arrives on a CPU without a line is one whose flush has no line either. */
  readonly #silent: (cpu: number) => boolean;
  readonly #build: Build;
  #waiting: Waiting[] = [];
  /** Those that wait for their answer, and of which the recording has shown that they were sent. */
  readonly #queued = new WeakSet<PendingIpi>();
  /** The recording shows requests that are queued. */
  #showsQueues = false;
  /** Answers to the job that runs at once; null if none are recorded. */
  #rounds: Rounds | null = null;
  /** Interrupts whose arrival was not recorded. */
  unseen = 0;
  /** Jobs that still waited for a lock when their task went on. */
  stuck = 0;

  constructor(host: Host, files: Files, build: Build, silent: (cpu: number) => boolean) {
    this.#host = host;
    this.#files = files;
    this.#build = build;
    this.#silent = silent;
    const onIpi: OnIpi = {
      arrives: (target) => this.#arrivesAtOnce(target),
      handled: () => this.#rounds !== null && host.handled(),
      awaited: () => this.#rounds?.end(),
    };
    host.direct.onIpi = onIpi;
    host.stepped.onIpi = onIpi;
  }

  /** Nothing waits. */
  get atRest(): boolean {
    return this.#waiting.length === 0;
  }

  /**
   * Runs a job of a task.
   * @param interrupts the recording shows that it interrupts other CPUs
   * @param answers how they answer; null if it has to wait for them
   */
  run(operation: Operation, cpu: number, pid: number, job: Job, interrupts: boolean, answers: Answers | null): void {
    const waits = interrupts && (answers === null || this.#build === 'stepped');
    if (waits || !this.atRest) this.#start(operation, cpu, pid, job);
    else this.#runAtOnce(operation, cpu, job, answers);
  }

  #runAtOnce(operation: Operation, cpu: number, job: Job, answers: Answers | null): void {
    this.#rounds = answers === null ? null : new Rounds(answers);
    const results = job.calls.map((call) => {
      this.#host.begin(operation, call.quiet);
      return this.#atOnce(call, cpu);
    });
    this.#host.end();
    this.#rounds = null;
    job.done?.(results);
  }

  /** Starts a job that has to wait. */
  #start(operation: Operation, cpu: number, pid: number, job: Job): void {
    const port = this.#host.stepped.cpus[cpu]!;
    const waiting: Waiting = {
      operation,
      cpu,
      pid,
      steps: this.#sequence(job, port, () => waiting),
      quiet: false,
    };
    this.#waiting.push(waiting);
    this.#pump();
  }

  /** Makes a call that need not wait: its interrupts are handled the moment they are sent. */
  #atOnce(call: Call, cpu: number): unknown {
    if (this.#build === 'direct') return runDirect(call, this.#host.cpu(cpu), this.#files);
    const { stepped } = this.#host;
    stepped.holdIpis = false;
    const steps = stepsOf(call, stepped.cpus[cpu]!, this.#files.stepped(this.#host));
    let result = steps.next();
    while (result.done !== true) result = steps.next();
    stepped.holdIpis = true;
    return result.value;
  }

  /** An interrupt of the job that runs at once arrives. */
  #arrivesAtOnce(target: number): void {
    if (this.#rounds === null) return;
    const { time, seen } = this.#rounds.arrival(target);
    if (!seen) this.unseen++;
    this.#host.arrives(time, !seen && this.#silent(target));
  }

  /** A request to flush begins to run on a CPU. @returns false if none of those that wait is for it */
  arrive(cpu: number): boolean {
    const ipi = this.#host.stepped.pending.find(({ target }) => target === cpu);
    if (ipi === undefined) return false;
    this.#deliver(ipi, false);
    // Where requests are recorded, the sender goes on to the next one when that is queued.
    if (!this.#showsQueues) this.#pump();
    return true;
  }

  /** A CPU is about to ask another one to flush. If it asked that one before, it has all its answers to that, recorded or not. */
  queues(from: number, target: number): void {
    this.#showsQueues = true;
    if (this.atRest) return;
    const { pending } = this.#host.stepped;
    if (pending.some((ipi) => ipi.from === from && ipi.target === target && this.#queued.has(ipi))) {
      for (const ipi of pending.filter((asked) => asked.from === from)) this.#deliverUnseen(ipi);
    }
    this.#pump();
    const ipi = pending.find((asked) => asked.from === from && asked.target === target);
    if (ipi !== undefined) this.#queued.add(ipi);
  }

  /** A task goes on: its job is over. @param sleeps it only left its CPU, so the job may still wait for a lock, or be about to ask somebody */
  goesOn(pid: number, sleeps: boolean): void {
    for (;;) {
      if (!sleeps || !this.#showsQueues) this.#pump();
      const own = this.#waiting.filter((waiting) => waiting.pid === pid);
      if (own.length === 0) return;
      const { pending } = this.#host.stepped;
      const asked = (ipi: PendingIpi): boolean =>
        own.some(({ cpu }) => cpu === ipi.from) && (!sleeps || this.#mayBeSent(ipi));
      const ipi = pending.find(asked) ?? (sleeps ? undefined : pending[0]);
      if (ipi === undefined) {
        if (!sleeps) this.#giveUp(pid);
        return;
      }
      this.#deliverUnseen(ipi);
    }
  }

  /** No more events will come. */
  end(): void {
    const waiting = this.#waiting.map(({ pid }) => pid);
    for (const pid of waiting) this.goesOn(pid, false);
  }

  /** Where the recording shows requests, those that it has not shown are not sent yet. */
  #mayBeSent(ipi: PendingIpi): boolean {
    return !this.#showsQueues || this.#queued.has(ipi);
  }

  #deliverUnseen(ipi: PendingIpi): void {
    this.unseen++;
    this.#deliver(ipi, this.#silent(ipi.target));
  }

  #deliver(ipi: PendingIpi, quiet: boolean): void {
    const sender = this.#waiting.findLast(({ cpu }) => cpu === ipi.from);
    this.#host.run(sender?.operation ?? null, quiet || sender?.quiet === true, () =>
      finish(this.#host.stepped.deliver(ipi)),
    );
  }

  /** Takes every job as far as it gets. */
  #pump(): void {
    for (let moved = true; moved; ) {
      moved = false;
      for (const waiting of this.#waiting) {
        if (this.#host.stepped.pending.some(({ from }) => from === waiting.cpu)) continue;
        const { done } = waiting.steps.next();
        if (done !== true) continue;
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        moved = true;
      }
    }
  }

  #giveUp(pid: number): void {
    this.stuck++;
    this.#waiting = this.#waiting.filter((waiting) => waiting.pid !== pid);
  }

  /** The steps of all calls of a job. */
  *#sequence(job: Job, cpu: Cpu, self: () => Waiting): Generator<Step, void> {
    const files = this.#files.stepped(this.#host);
    const results: unknown[] = [];
    for (const call of job.calls) {
      const waiting = self();
      waiting.quiet = call.quiet;
      const steps = stepsOf(call, cpu, files);
      const next = (): IteratorResult<Step, unknown> =>
        this.#host.run(waiting.operation, call.quiet, () => steps.next());
      let result = next();
      while (result.done !== true) {
        yield result.value;
        result = next();
      }
      results.push(result.value);
    }
    job.done?.(results);
  }
}
