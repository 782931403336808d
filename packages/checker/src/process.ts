/**
 * Process: one flow of kernel code, the main code of a CPU or its interrupt side, and the port as that flow sees it.
 *
 * A generator cannot be cloned, but it is a function of the values it was fed. A process keeps the log of these values; to
 * go back, the machine shortens the log, and the generator is made anew and fed from the log only when the process runs
 * again. Steps take effect in the machine, so being fed has none; plain loads are answered from the log, plain stores and claims
 * are left out. The step that the process ends up at must be the one that was recorded: if not, the run fails loudly, for
 * the code depends on something it may not.
 */
import type { Cell, Claims, Cpu, Kernel, Step, Steps } from '@mmu-gather/core/stepped';
import { ARGUMENTS, OP_NAMES } from './op.ts';
import { makePort } from './port.ts';

/** What a process needs from the machine while its code runs between two steps. */
export interface ProcessHost {
  /** Plain load by a process. */
  plainRead(process: Process, cell: Cell): number;
  /** Plain store by a process. */
  plainWrite(process: Process, cell: Cell, value: number): void;
  /** Are fences steps of their own? */
  readonly fences: boolean;
  /** The oracles behind the claims of a process. */
  claimsOf(process: Process): Claims;
  /** A tracepoint. */
  trace(process: Process, event: string, values: readonly number[]): void;
  /** Number of log entries of this process on the current path. */
  logLength(process: Process): number;
  /** Where the log of the process's present body begins. */
  logBase(process: Process): number;
  /** Appends a value that the process was fed. */
  append(process: Process, value: number): void;
  /** The step that the process was paused before when its log had its present length: kind, then arguments. */
  recordedStep(process: Process, word: number): number;
}

/** A process did something else when it was fed the same values again. */
export class NotRepeatable extends Error {
  /** Name in messages. */
  override readonly name = 'NotRepeatable';
}

/** The body of a process. */
export type Body = (cpu: Cpu) => Steps<unknown>;

/** One flow of kernel code on one CPU. */
export class Process implements Step {
  /** Number among all processes: CPU c's main code is c, its interrupt side n + c. */
  readonly number: number;
  /** The CPU it runs on. */
  readonly cpuId: number;
  readonly #host: ProcessHost;
  readonly #claims: Claims;
  /** The port as this process sees it. */
  readonly port: Cpu;
  /** Whether to note where the code is at every call: slow, for diagrams. */
  wantStacks = false;
  /** Stack of the call that was performed last, if stacks are wanted. */
  performedStack = '';
  #stack = '';

  /** Kind of the step that the process is paused before (its port call). */
  kind = 0;
  /** Arguments of that step. */
  readonly args: Int32Array = new Int32Array(ARGUMENTS);
  #result = 0;
  #performed = false;
  /** A call was announced and has not returned. */
  #open = false;

  #steps: Steps<unknown> | undefined;
  #body: Body | undefined;
  #position = -1;
  #base = -1;
  #log: Int32Array = new Int32Array(0);
  #feeding = false;
  /** What the body returned, once it has. */
  returned: unknown;

  constructor(number: number, cpuId: number, kernel: Kernel, host: ProcessHost) {
    this.number = number;
    this.cpuId = cpuId;
    this.#host = host;
    this.#claims = host.claimsOf(this);
    this.port = makePort(this, kernel);
  }

  /**
   * Brings the process to where its log ends and then, with `value`, one step further.
   * @returns true if the body has returned
   */
  resume(body: Body, log: Int32Array, value: number): boolean {
    const base = this.#host.logBase(this);
    const length = this.#host.logLength(this);
    if (this.#steps === undefined || this.#position !== length || this.#base !== base || this.#body !== body) {
      this.#rebuild(body, log, base, length);
    }
    this.performedStack = this.#stack;
    this.#host.append(this, value);
    this.#position = length + 1;
    return this.#feed(value);
  }

  /** Starts a body. @returns true if it returned at once */
  start(body: Body): boolean {
    this.#body = body;
    this.#open = false;
    this.#base = this.#position = this.#host.logLength(this);
    this.#steps = body(this.port);
    return this.#next();
  }

  /** Forgets the generator: it is made anew when next needed. */
  drop(): void {
    this.#steps = undefined;
  }

  /** Answers the call that the process is paused at, and runs to the next one. */
  #feed(value: number): boolean {
    this.#result = value;
    this.#performed = true;
    return this.#next();
  }

  #next(): boolean {
    try {
      const r = this.#steps!.next();
      if (r.done === true) this.returned = r.value;
      return r.done === true;
    } catch (error) {
      this.#steps = undefined;
      throw error;
    }
  }

  #rebuild(body: Body, log: Int32Array, base: number, length: number): void {
    this.#body = body;
    this.#base = base;
    this.#log = log;
    this.#position = base;
    this.#open = false;
    this.#feeding = true;
    try {
      this.#steps = body(this.port);
      let done = this.#next();
      while (this.#position < length) {
        if (done) throw new NotRepeatable(`CPU ${this.cpuId} returned where it went on before`);
        done = this.#feed(log[this.#position++]!);
      }
    } finally {
      this.#feeding = false;
    }
    let same = this.kind === this.#host.recordedStep(this, 0);
    for (let i = 0; same && i < ARGUMENTS; i++) same = this.args[i] === this.#host.recordedStep(this, 1 + i);
    if (same) return;
    const before = Array.from({ length: ARGUMENTS }, (_, i) => this.#host.recordedStep(this, 1 + i));
    throw new NotRepeatable(
      `CPU ${this.cpuId} is at ${describe(this.kind, this.args)} where it was at ${describe(this.#host.recordedStep(this, 0), before)} before; step functions may depend on nothing but what the port returned`,
    );
  }

  // ---- for the port ----

  /** The announcement: what every marked port call does. */
  announce(kind: number, a: number, b: number, c: number): void {
    if (this.#open)
      throw new Error(
        `${OP_NAMES[this.kind]} was called and not run before ${OP_NAMES[kind]}: a yield* is missing, or steps were made early and run late`,
      );
    this.#open = true;
    this.kind = kind;
    const args = this.args;
    args[0] = a;
    args[1] = b;
    args[2] = c;
    args.fill(0, 3);
    this.#performed = false;
    if (this.wantStacks) this.#stack = new Error('here').stack ?? '';
  }

  /** Are fences steps of their own? */
  get fences(): boolean {
    return this.#host.fences;
  }

  /** A call that is no step: it has its result at once. */
  nothing(): void {
    this.#open = true;
    this.#result = 0;
    this.#performed = true;
  }

  /** The announced call is asked to go on: has the machine performed it? */
  get performed(): boolean {
    return this.#performed;
  }

  /** The call returns. */
  takeResult(): number {
    this.#performed = false;
    this.#open = false;
    return this.#result;
  }

  /** Plain load. */
  plainRead(cell: Cell): number {
    if (this.#feeding) return this.#log[this.#position++]!;
    const value = this.#host.plainRead(this, cell);
    this.#host.append(this, value);
    this.#position++;
    return value;
  }

  /** Plain store. */
  plainWrite(cell: Cell, value: number): void {
    if (!this.#feeding) this.#host.plainWrite(this, cell, value);
  }

  /** A claim: checked once, not while the code is rebuilt. */
  claim(check: (claims: Claims) => void): void {
    if (!this.#feeding) check(this.#claims);
  }

  /** A tracepoint. */
  trace(event: string, values: readonly number[]): void {
    if (!this.#feeding) this.#host.trace(this, event, values);
  }
}

function describe(kind: number, args: ArrayLike<number>): string {
  return `${OP_NAMES[kind] ?? 'no step'}(${Array.from(args).join(', ')})`;
}
