/**
 * Process: one flow of kernel code, the main code of a CPU or its interrupt side, and the port as that flow sees it.
 *
 * A generator cannot be cloned, but it is a function of the values it was fed. A process keeps the log of these values, and what its
 * code did with them (script.ts). To go back, the machine shortens the log. To go on where the code was often enough, the process
 * repeats what it did; elsewhere the generator is made anew, fed from the log, and runs on.
 *
 *     fed from the log     steps took effect in the machine, so there is none now; plain loads are answered, the rest left out
 *     behind the log       plain loads and stores, claims and traces take effect
 *
 * Code that runs where it was before is compared with what it did then: if it does anything else, the run fails loudly, for the code
 * depends on something it may not.
 */
import type { Cell, Claims, Cpu, Kernel, Step, Steps } from '@mmu-gather/core/stepped';
import { ARGUMENTS, OP_NAMES } from './op.ts';
import { makePort } from './port.ts';
import { placeIn } from './site.ts';
import { type Deed, ENDING, Passage, type Pauses } from './script.ts';

/** What a process needs from the machine while its code runs between two steps. */
export interface ProcessHost {
  /** The steps that processes were seen to pause before. */
  readonly pauses: Pauses;
  /** Plain load by a process. */
  plainRead(process: Process, cell: Cell): number;
  /** Plain store by a process. */
  plainWrite(process: Process, cell: Cell, value: number): void;
  /** Are fences steps of their own? */
  readonly fences: boolean;
  /** The oracles behind the claims of a process. */
  claimsOf(process: Process): Claims;
  /** Of what the process was fed only these values live on. */
  forget(process: Process, progress: number, live: readonly number[]): void;
  /** A tracepoint. */
  trace(process: Process, event: string, values: readonly number[]): void;
  /** Whether to note where code calls its steps. */
  readonly notesSites: boolean;
  /** Number of values in the log of the process's present body on the current path. */
  logLength(process: Process): number;
  /** One of them. */
  logged(process: Process, i: number): number;
  /** Appends a value that the process was fed. */
  append(process: Process, value: number): void;
  /** The number of the pause that the process is at. */
  pauseOf(process: Process): number;
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
  /** The port as this process sees it. */
  readonly port: Cpu;
  /** Whether to run the code even where it is known what it does. */
  runsAlways = false;
  /** Whether to run it always, and note where it is at every call: slow, for diagrams. */
  wantStacks = false;
  /** Stack of the call that was performed last, or went wrong; see {@link Process.noteStack}. */
  performedStack = '';
  /** Number of the pause that the process has come to; see {@link Process.resume}. */
  pause = 0;
  /** What the body returned, if it has. */
  returned: unknown;

  /** Kind of the step that the code announced last (its port call). */
  kind = 0;
  /** Arguments of that step. */
  readonly args: Int32Array = new Int32Array(ARGUMENTS);
  readonly #host: ProcessHost;
  readonly #claims: Claims;
  #stack = '';
  #site = '';
  #result = 0;
  #performed = false;
  /** A call was announced and has not returned. */
  #open = false;

  /** What each body was seen to begin with. */
  readonly #scripts = new Map<Body, Passage>();
  #steps: Steps<unknown> | undefined;
  #body: Body | undefined;
  /** Values that the generator was fed, and those that there are. */
  #fed = 0;
  #length = 0;
  /** Where its code is, and how many deeds of that it has done; and whether it is there for the first time. */
  #passage = new Passage();
  #deeds = 0;
  #isNew = true;

  constructor(number: number, cpuId: number, kernel: Kernel, host: ProcessHost) {
    this.number = number;
    this.cpuId = cpuId;
    this.#host = host;
    this.#claims = host.claimsOf(this);
    this.port = makePort(this, kernel);
  }

  /** Starts a body, whose log is empty. @returns true if it returned at once, else it is at `pause` */
  start(body: Body): boolean {
    const first = this.#scripts.get(body);
    if (first !== undefined && this.#isKnown(first)) return this.#repeat(first, body, undefined);
    this.#length = 0;
    return this.#run(body, undefined);
  }

  /** Notes the stack of the step that the process is at, which is about to be performed. */
  noteStack(body: Body): void {
    this.#length = this.#host.logLength(this);
    const at = this.#host.pauses.passage(this.#host.pauseOf(this));
    if (this.#steps === undefined || this.#passage !== at || this.#body !== body) this.#run(body, undefined);
    this.performedStack = this.#stack;
  }

  /**
   * Takes the process on from the pause that it is at, with the result of the step. @returns true if the body has returned, else it
   * is at `pause`
   */
  resume(body: Body, value: number): boolean {
    const from = this.#host.pauses.passage(this.#host.pauseOf(this));
    this.#host.append(this, value);
    const next = from.after(value);
    if (next !== undefined && this.#isKnown(next)) return this.#repeat(next, body, from);
    this.#length = this.#host.logLength(this);
    return this.#run(body, from);
  }

  /** Forgets the generator: it is made anew when next needed. */
  drop(): void {
    this.#steps = undefined;
  }

  #isKnown(passage: Passage): boolean {
    return passage.certain && !this.runsAlways && !this.wantStacks;
  }

  /** Does what the code did in a passage, and in those after it, up to a pause or to where it must be run. */
  #repeat(first: Passage, body: Body, from: Passage | undefined): boolean {
    for (let passage = first; ; ) {
      for (const deed of passage.deeds) this.#do(deed);
      if (passage.ending !== ENDING.read) return this.#arrive(passage);
      const value = this.#host.plainRead(this, passage.word);
      this.#host.append(this, value);
      const next = passage.after(value);
      if (next === undefined || !next.certain) {
        this.#length = this.#host.logLength(this);
        return this.#run(body, from);
      }
      passage = next;
    }
  }

  #do(deed: Deed): void {
    if (deed.kind === 'write') this.#host.plainWrite(this, deed.cell, deed.value);
    else if (deed.kind === 'claim') deed.check(this.#claims);
    else if (deed.kind === 'forget') this.#host.forget(this, deed.progress, deed.live);
    else this.#host.trace(this, deed.event, deed.values);
  }

  /** The end of a passage that is no load. */
  #arrive(passage: Passage): boolean {
    if (passage.ending === ENDING.thrown) throw passage.what;
    if (passage.ending === ENDING.step) {
      this.pause = passage.word;
      return false;
    }
    this.returned = passage.what;
    return true;
  }

  /** Runs the code from where the generator is, if that is `from`, or else from its beginning, to where its log ends. */
  #run(body: Body, from: Passage | undefined): boolean {
    if (from === undefined || this.#steps === undefined || this.#passage !== from || this.#body !== body)
      this.#begin(body);
    while (this.#fed < this.#length) {
      if (this.#passage.ending !== ENDING.step)
        throw new NotRepeatable(`CPU ${this.cpuId} returned where it went on before`);
      const value = this.#host.logged(this, this.#fed++);
      this.#enter(value);
      this.#result = value;
      this.#performed = true;
      this.#goOn();
    }
    return this.#arrive(this.#passage);
  }

  #begin(body: Body): void {
    let first = this.#scripts.get(body);
    this.#isNew = first === undefined;
    if (first === undefined) this.#scripts.set(body, (first = new Passage()));
    this.#passage = first;
    this.#deeds = 0;
    this.#fed = 0;
    this.#body = body;
    this.#open = false;
    this.#steps = body(this.port);
    this.#goOn();
  }

  /** Lets the code run to its next pause. */
  #goOn(): void {
    try {
      const { done, value } = this.#steps!.next();
      if (done === true) this.#end(ENDING.returned, 0, value);
      else this.#pauseHere();
    } catch (error) {
      this.#steps = undefined;
      if (error instanceof NotRepeatable) throw error;
      this.#end(ENDING.thrown, 0, error);
    }
  }

  // ---- the script, as the code runs ----

  /** The code was fed a value. */
  #enter(value: number): void {
    const next = this.#passage.after(value);
    this.#isNew = next === undefined;
    this.#passage = next ?? this.#passage.add(value);
    this.#deeds = 0;
  }

  /** The code does something. @returns whether it takes effect */
  #does(deed: Deed): boolean {
    const { deeds } = this.#passage;
    if (this.#isNew) deeds.push(deed);
    else if (!isSame(deed, deeds[this.#deeds]))
      throw this.#different(textOf(deed), deeds[this.#deeds] === undefined ? undefined : textOf(deeds[this.#deeds]!));
    this.#deeds++;
    return this.#fed === this.#length;
  }

  #pauseHere(): void {
    const passage = this.#passage;
    const { pauses } = this.#host;
    if (this.#isNew) {
      const pause = pauses.add(this.kind, this.args, passage);
      if (this.#host.notesSites) pauses.note(pause, this.#site);
      this.#end(ENDING.step, pause, undefined);
      return;
    }
    const { word } = passage;
    let same = passage.ending === ENDING.step && this.kind === pauses.kind(word);
    for (let i = 0; same && i < ARGUMENTS; i++) same = this.args[i] === pauses.arg(word, i);
    if (!same) throw this.#different(`${OP_NAMES[this.kind]}(${this.args.join(', ')})`);
    this.#end(ENDING.step, word, undefined);
  }

  #end(ending: number, word: number, what: unknown): void {
    const passage = this.#passage;
    if (this.#isNew) {
      passage.ending = ending;
      passage.word = word;
    } else if (passage.ending !== ending || passage.word !== word || passage.deeds.length !== this.#deeds)
      throw this.#different(
        ending === ENDING.read ? `a load of ${word}` : ending === ENDING.step ? 'a step' : 'its end',
      );
    else passage.certain = true;
    passage.what = what;
  }

  #different(now: string, deed?: string): NotRepeatable {
    const { ending, word } = this.#passage;
    const { pauses } = this.#host;
    const args = Array.from({ length: ARGUMENTS }, (_, i) => (ending === ENDING.step ? pauses.arg(word, i) : 0));
    const end =
      ending === ENDING.step
        ? `${OP_NAMES[pauses.kind(word)]}(${args.join(', ')})`
        : ending === ENDING.read
          ? `a load of ${word}`
          : 'its end';
    return new NotRepeatable(
      `CPU ${this.cpuId} is at ${now} where it was at ${deed ?? end} before; step functions may depend on nothing but what the port returned`,
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
    if (this.#host.notesSites && this.#isNew) this.#site = placeIn(new Error('here').stack ?? '').site;
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
    this.#end(ENDING.read, cell, undefined);
    if (this.#fed === this.#length) {
      this.#host.append(this, this.#host.plainRead(this, cell));
      this.#length++;
    }
    const value = this.#host.logged(this, this.#fed++);
    this.#enter(value);
    return value;
  }

  /** Plain store. */
  plainWrite(cell: Cell, value: number): void {
    if (this.#does({ kind: 'write', cell, value })) this.#host.plainWrite(this, cell, value);
  }

  /** A claim. */
  claim(check: (claims: Claims) => void): void {
    if (this.#does({ kind: 'claim', check })) check(this.#claims);
  }

  /** Of what the code was fed only these values live on. */
  forget(progress: number, live: readonly number[]): void {
    if (this.#does({ kind: 'forget', progress, live })) this.#host.forget(this, progress, live);
  }

  /** A tracepoint. */
  trace(event: string, values: readonly number[]): void {
    if (this.#does({ kind: 'trace', event, values })) this.#host.trace(this, event, values);
  }
}

/** Closures cannot be compared: of claims it is enough that there is one. */
function isSame(deed: Deed, before: Deed | undefined): boolean {
  if (deed.kind !== before?.kind) return false;
  if (deed.kind === 'forget' && before.kind === 'forget')
    return deed.progress === before.progress && deed.live.join() === before.live.join();
  return deed.kind !== 'write' || before.kind !== 'write' || (deed.cell === before.cell && deed.value === before.value);
}

function textOf(deed: Deed): string {
  return deed.kind === 'write' ? `a store of ${deed.value} to ${deed.cell}` : `a ${deed.kind}`;
}
