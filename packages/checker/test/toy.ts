/**
 * Toy: the smallest machine that has all that makes a search hard, run from data. Locks, awaits, store buffers, interrupts,
 * steps with several outcomes, code that depends on what it read.
 *
 *     { memory: 'tso', code: [[['write', 0, 1], ['read', 1]], [['write', 1, 1], ['read', 0]]] }
 */
import { type Explorable, type Locality, type Sharing, TOUCH, type Touch, type Violation } from '../src/explorable.ts';
import { State } from '../src/state.ts';
import { Symmetry } from '../src/symmetry.ts';

/** One step of a CPU. `when`: only if the CPU's last read gave this; else it is passed over without a step. */
export type ToyOp = readonly [
  kind:
    | 'read'
    | 'write'
    | 'add'
    | 'set'
    | 'clear'
    | 'rmw'
    | 'lock'
    | 'unlock'
    | 'await'
    | 'fence'
    | 'check'
    | 'maybe'
    | 'send'
    | 'awaitSent'
    | 'irqOff'
    | 'irqOn'
    | 'again',
  at?: number,
  value?: number,
  when?: number | undefined,
];

/** A program. */
export interface ToyProgram {
  /** Stores take effect at once, or wait in a buffer. */
  readonly memory: 'sc' | 'tso';
  /** Main code of each CPU. */
  readonly code: readonly (readonly ToyOp[])[];
  /** What each CPU runs when it is interrupted. */
  readonly handlers?: readonly (readonly ToyOp[])[];
  /** First values of the cells. */
  readonly cells?: readonly number[];
  /** Groups of CPUs that are taken for one another. */
  readonly identical?: readonly (readonly number[])[];
  /** Wrong: each of their words by itself. */
  readonly wordByWord?: boolean;
  /** The end of an execution: true if it may not end so. */
  readonly bad?: (observation: string) => boolean;
  /** The same, by the cells alone. */
  readonly badEnd?: (cells: string) => boolean;
}

/** Cells of a program. */
export const CELLS = 8;
/** Most ops in one list. */
export const OPS = 16;
const BUFFER = 4;

// Words of each CPU.
const PC = 0; // of the main code
const IRQ_PC = 1; // of the handler, plus 1 while it runs
const LAST = 2; // last value read, main code and handler
const QUEUED = 4;
const IRQ_OFF = 5;
const OUTSTANDING = 6;
const SOURCES = 7; // a bit mask would lose order, so one digit each: source + 1, base 8
const BUFFERED = 8;
const BUFFER_AT = 9;
const READ_AT = BUFFER_AT + 2 * BUFFER; // what each op read: main code, then handler
const CPU_WORDS = READ_AT + 2 * OPS;

const READS: readonly string[] = ['read', 'check', 'maybe', 'await'];
const STORES: readonly string[] = ['write', 'unlock'];
const WRITES: readonly string[] = [...STORES, 'lock', 'add', 'set', 'clear', 'rmw'];

/** A {@link ToyProgram} as a machine. */
export class Toy implements Explorable {
  readonly actors: number;
  violation: Violation | undefined;
  readonly #cpus: number;
  readonly #program: ToyProgram;
  readonly #state: State;
  readonly locality: Locality;
  readonly alike: Symmetry | undefined;
  #sharing: Sharing | undefined;

  constructor(program: ToyProgram) {
    this.#program = program;
    this.#cpus = program.code.length;
    this.actors = 3 * this.#cpus;
    const words = CELLS + this.#cpus * CPU_WORDS;
    this.#state = new State(words, words);
    program.cells?.forEach((value, cell) => this.#state.set(cell, value));
    for (let cpu = 0; cpu < this.#cpus; cpu++) this.#set(cpu, PC, this.#skip(cpu, false, 0));
    this.#state.settle();
    const wordsOf = (cpu: number): Int32Array =>
      Int32Array.from({ length: CPU_WORDS }, (_, i) => CELLS + cpu * CPU_WORDS + i);
    if (program.identical !== undefined) {
      const groups = program.identical.flatMap((cpus) => {
        const own = cpus.map(wordsOf);
        if (program.wordByWord !== true) return [{ cpus, words: own }];
        return Array.from({ length: CPU_WORDS }, (_, i) => ({
          cpus,
          words: own.map((all) => all.subarray(i, i + 1)),
        }));
      });
      this.alike = new Symmetry(this.#state, groups);
    }
    this.locality = {
      words,
      watch: (sharing) => {
        this.#sharing = sharing;
        for (let cpu = 0; cpu < this.#cpus; cpu++) {
          this.#announce(cpu, false);
          if (this.#get(cpu, IRQ_PC) !== 0) this.#announce(cpu, true);
        }
      },
      mayBeLocal: (actor) => this.#isLocal(actor),
      wasLocal: () => true,
    };
  }

  get keyLow(): number {
    return this.#state.keyLow;
  }
  get keyHigh(): number {
    return this.#state.keyHigh;
  }
  mark(): number {
    return this.#state.mark();
  }
  undo(mark: number): void {
    this.#state.undo(mark);
    this.violation = undefined;
  }

  choices(actor: number): number {
    const cpu = actor % this.#cpus;
    if (actor >= 2 * this.#cpus) return this.#get(cpu, BUFFERED) > 0 ? 1 : 0;
    const irq = actor >= this.#cpus;
    if (irq && this.#get(cpu, IRQ_PC) === 0) return this.#get(cpu, QUEUED) > 0 && this.#get(cpu, IRQ_OFF) === 0 ? 1 : 0;
    if (!irq && this.#get(cpu, IRQ_PC) !== 0) return 0;
    const op = this.#op(cpu, irq);
    // The end of a handler is a step of its own.
    if (op === undefined) return irq && this.#get(cpu, BUFFERED) === 0 ? 1 : 0;
    const [kind, at = 0, value = 0] = op;
    const empty = this.#get(cpu, BUFFERED) === 0;
    switch (kind) {
      case 'read':
      case 'check':
      case 'irqOff':
      case 'irqOn':
      case 'again':
        return 1;
      case 'write':
      case 'unlock':
        return this.#get(cpu, BUFFERED) < BUFFER ? 1 : 0;
      case 'await':
        return this.#load(cpu, at) === value ? 1 : 0;
      case 'lock':
        return empty && this.#cell(at) === 0 ? 1 : 0;
      case 'maybe':
        return this.#load(cpu, at) === 0 ? 1 : 2;
      case 'awaitSent':
        return empty && this.#get(cpu, OUTSTANDING) === 0 ? 1 : 0;
      default:
        return empty ? 1 : 0;
    }
  }

  finished(): boolean {
    for (let cpu = 0; cpu < this.#cpus; cpu++) {
      if (
        this.#op(cpu, false) !== undefined ||
        this.#get(cpu, IRQ_PC) !== 0 ||
        this.#get(cpu, QUEUED) !== 0 ||
        this.#get(cpu, BUFFERED) !== 0
      )
        return false;
    }
    return true;
  }

  perform(actor: number, choice: number): void {
    const cpu = actor % this.#cpus;
    if (actor >= 2 * this.#cpus) this.#drain(cpu);
    else if (actor >= this.#cpus && this.#get(cpu, IRQ_PC) === 0) this.#deliver(cpu);
    else this.#run(cpu, actor >= this.#cpus, choice);
  }

  checkEnd(): Violation | undefined {
    if (!this.finished()) return { oracle: 'deadlock', message: 'stuck' };
    const { bad, badEnd } = this.#program;
    const isBad = bad?.(this.observation()) === true || badEnd?.(this.#state.words.subarray(0, CELLS).join()) === true;
    return isBad ? { oracle: 'assert', message: 'bad end' } : undefined;
  }

  footprint(actor: number, touch: Touch): void {
    const cpu = actor % this.#cpus;
    const word = (w: number): number => CELLS + cpu * CPU_WORDS + w;
    if (actor >= 2 * this.#cpus) {
      if (this.#get(cpu, BUFFERED) === 0) return;
      touch(this.#get(cpu, BUFFER_AT), 'write');
      touch(word(BUFFERED), 'write');
      return;
    }
    const irq = actor >= this.#cpus;
    if (irq && this.#get(cpu, IRQ_PC) === 0) {
      if (this.#get(cpu, QUEUED) === 0) return;
      for (const w of [IRQ_PC, QUEUED]) {
        touch(word(w), 'read');
        touch(word(w), 'write');
      }
      return;
    }
    const op = this.#op(cpu, irq);
    if (op === undefined) {
      if (!irq) return;
      touch(word(BUFFERED), 'read');
      touch(word(IRQ_PC), 'write');
      touch(CELLS + (this.#get(cpu, SOURCES) % 8) * CPU_WORDS - CPU_WORDS + OUTSTANDING, 'write');
      touch(word(QUEUED), 'write');
      return;
    }
    const [kind, at = 0] = op;
    const tso = this.#program.memory === 'tso';
    // The interrupt side of a CPU stops its main code.
    if (!irq) touch(word(IRQ_PC), 'read');
    const buffer = (): void => {
      if (tso) touch(word(BUFFERED), 'read');
    };
    switch (kind) {
      case 'read':
      case 'check':
      case 'maybe':
        touch(at, 'read');
        buffer();
        return;
      case 'write':
      case 'unlock':
        if (!tso) touch(at, 'write');
        else {
          buffer();
          touch(word(BUFFERED), 'write');
        }
        return;
      case 'await':
        touch(at, 'read');
        buffer();
        return;
      case 'add':
      case 'set':
      case 'clear':
        touch(at, kind === 'add' ? 'add' : kind === 'set' ? 'or' : 'andNot');
        buffer();
        return;
      case 'lock':
      case 'rmw':
        touch(at, 'write');
        buffer();
        return;
      case 'send':
        buffer();
        touch(CELLS + at * CPU_WORDS + QUEUED, 'write');
        touch(word(OUTSTANDING), 'write');
        return;
      case 'awaitSent':
        buffer();
        touch(word(OUTSTANDING), 'read');
        return;
      case 'irqOff':
      case 'irqOn':
        touch(word(IRQ_PC), 'write');
        return;
      case 'fence':
        buffer();
        return;
      case 'again':
        return;
    }
  }

  observation(): string {
    return this.#state.words.join();
  }

  nextSteps(): string {
    return this.observation();
  }

  /** Of an observation what other machines that run the program see, too: the cells, and what each op read, plus 1. */
  end(observation: string): string {
    const words = observation.split(',');
    const reads = (cpu: number): string[] =>
      words.slice(CELLS + cpu * CPU_WORDS + READ_AT, CELLS + (cpu + 1) * CPU_WORDS);
    return [words.slice(0, CELLS), ...this.#program.code.map((_, cpu) => reads(cpu))].join(' ');
  }

  #run(cpu: number, irq: boolean, choice: number): void {
    const op = this.#op(cpu, irq);
    if (op === undefined) {
      this.#return(cpu);
      return;
    }
    const [kind, at = 0, value = 0] = op;
    const at0 = this.#at(cpu, irq);
    let read: number | undefined;
    let next = at0 + 1;
    switch (kind) {
      case 'read':
      case 'await':
        read = this.#load(cpu, at);
        break;
      case 'check':
        read = this.#load(cpu, at);
        if (read === value) this.violation = { oracle: 'assert', message: `cell ${at} is ${value}` };
        break;
      case 'maybe':
        read = choice === 0 ? this.#load(cpu, at) : 0;
        break;
      case 'write':
        this.#store(cpu, at, value);
        break;
      case 'unlock':
        this.#store(cpu, at, 0);
        break;
      case 'add':
        this.#state.set(at, this.#cell(at) + value);
        break;
      case 'set':
        this.#state.set(at, this.#cell(at) | value);
        break;
      case 'clear':
        this.#state.set(at, this.#cell(at) & ~value);
        break;
      case 'rmw':
        read = this.#cell(at);
        this.#state.set(at, read + value);
        break;
      case 'lock':
        this.#state.set(at, 1);
        break;
      case 'send':
        this.#state.set(CELLS + at * CPU_WORDS + SOURCES, this.#get(at, SOURCES) + (cpu + 1) * 8 ** this.#senders(at));
        this.#set(at, QUEUED, this.#get(at, QUEUED) + 1);
        this.#set(cpu, OUTSTANDING, this.#get(cpu, OUTSTANDING) + 1);
        break;
      case 'irqOff':
        this.#set(cpu, IRQ_OFF, 1);
        break;
      case 'irqOn':
        this.#set(cpu, IRQ_OFF, 0);
        break;
      case 'again':
        next = at;
        break;
      default:
        break;
    }
    if (read !== undefined) {
      this.#set(cpu, LAST + (irq ? 1 : 0), read);
      this.#set(cpu, READ_AT + (irq ? OPS : 0) + at0, read + 1);
    }
    this.#set(cpu, irq ? IRQ_PC : PC, this.#skip(cpu, irq, next) + (irq ? 1 : 0));
    this.#announce(cpu, irq);
  }

  // ---- what is local: as src/local-steps.ts has it, without an MMU ----

  /** Tells what a CPU's next op touches. */
  #announce(cpu: number, irq: boolean): void {
    const op = this.#op(cpu, irq);
    if (this.#sharing === undefined || op === undefined) return;
    const [kind, at = 0] = op;
    const touch = (word: number, how: number): void =>
      this.#sharing!.touch(irq ? this.#cpus + cpu : cpu, word, how, irq ? 0 : this.#position(cpu));
    if (READS.includes(kind)) touch(at, TOUCH.read);
    else if (WRITES.includes(kind)) touch(at, TOUCH.write);
    else if (kind === 'send') touch(this.#queue(at), TOUCH.write);
  }

  /** A position never goes down: there is none in code with loops. */
  #position(cpu: number): number {
    return this.#ops(cpu, false).some(([kind]) => kind === 'again') ? 0 : this.#get(cpu, PC);
  }

  #queue(cpu: number): number {
    return CELLS + cpu * CPU_WORDS + QUEUED;
  }

  #isLocal(actor: number): boolean {
    const cpu = actor % this.#cpus;
    const drain = actor >= 2 * this.#cpus;
    const irq = !drain && actor >= this.#cpus;
    if (irq && this.#get(cpu, IRQ_PC) === 0) return false;
    const exposed = !drain && !irq && this.#get(cpu, IRQ_OFF) === 0 && this.#mayBeCalled(cpu, cpu, false);
    const conflicts = (word: number, write: boolean): boolean =>
      this.#othersMayTouch(cpu, exposed, word, TOUCH.write) ||
      (write && this.#othersMayTouch(cpu, exposed, word, TOUCH.read));
    if (drain) return !conflicts(this.#get(cpu, BUFFER_AT), true);
    const op = this.#op(cpu, irq);
    if (op === undefined) return irq;
    const [kind, at = 0] = op;
    if (STORES.includes(kind) && this.#program.memory === 'tso') return !exposed;
    if (READS.includes(kind)) return !conflicts(at, false);
    if (WRITES.includes(kind)) return !conflicts(at, true);
    if (kind === 'irqOff') return !exposed;
    if (kind === 'irqOn') return this.#get(cpu, IRQ_OFF) === 1;
    return kind !== 'send';
  }

  /** May a CPU be interrupted while another one, or its own main code, is at its step? */
  #mayBeCalled(target: number, own: number, exposed: boolean): boolean {
    if (this.#get(target, QUEUED) > 0) return true;
    const queue = this.#queue(target);
    for (let cpu = 0; cpu < this.#cpus; cpu++) {
      if (cpu !== own && this.#sharing!.mayTouch(cpu, queue, TOUCH.write, this.#position(cpu))) return true;
      if ((cpu !== own || exposed) && this.#sharing!.mayTouch(this.#cpus + cpu, queue, TOUCH.write, 0)) return true;
    }
    return false;
  }

  #othersMayTouch(own: number, exposed: boolean, word: number, how: number): boolean {
    for (let cpu = 0; cpu < this.#cpus; cpu++) {
      if (cpu !== own && this.#sharing!.mayTouch(cpu, word, how, this.#position(cpu))) return true;
      const interrupts = cpu === own ? exposed : this.#get(cpu, IRQ_PC) !== 0 || this.#mayBeCalled(cpu, own, exposed);
      if (interrupts && this.#sharing!.mayTouch(this.#cpus + cpu, word, how, 0)) return true;
      if (cpu === own) continue;
      for (let i = 0; i < this.#get(cpu, BUFFERED); i++) if (this.#get(cpu, BUFFER_AT + 2 * i) === word) return true;
    }
    return false;
  }

  /** Interrupts that are queued or run. */
  #senders(cpu: number): number {
    return this.#get(cpu, QUEUED) + (this.#get(cpu, IRQ_PC) === 0 ? 0 : 1);
  }

  #deliver(cpu: number): void {
    this.#set(cpu, QUEUED, this.#get(cpu, QUEUED) - 1);
    this.#set(cpu, LAST + 1, 0);
    this.#set(cpu, IRQ_PC, this.#skip(cpu, true, 0) + 1);
    this.#announce(cpu, true);
  }

  #return(cpu: number): void {
    const source = (this.#get(cpu, SOURCES) % 8) - 1;
    this.#set(cpu, SOURCES, Math.floor(this.#get(cpu, SOURCES) / 8));
    this.#set(source, OUTSTANDING, this.#get(source, OUTSTANDING) - 1);
    this.#set(cpu, LAST + 1, 0);
    this.#set(cpu, IRQ_PC, 0);
  }

  #drain(cpu: number): void {
    const count = this.#get(cpu, BUFFERED) - 1;
    this.#state.set(this.#get(cpu, BUFFER_AT), this.#get(cpu, BUFFER_AT + 1));
    for (let i = 0; i < 2 * count; i++) this.#set(cpu, BUFFER_AT + i, this.#get(cpu, BUFFER_AT + i + 2));
    for (let i = 2 * count; i < 2 * count + 2; i++) this.#set(cpu, BUFFER_AT + i, 0);
    this.#set(cpu, BUFFERED, count);
  }

  #load(cpu: number, cell: number): number {
    for (let i = this.#get(cpu, BUFFERED) - 1; i >= 0; i--) {
      if (this.#get(cpu, BUFFER_AT + 2 * i) === cell) return this.#get(cpu, BUFFER_AT + 2 * i + 1);
    }
    return this.#cell(cell);
  }

  #store(cpu: number, cell: number, value: number): void {
    if (this.#program.memory === 'sc') {
      this.#state.set(cell, value);
      return;
    }
    const count = this.#get(cpu, BUFFERED);
    this.#set(cpu, BUFFER_AT + 2 * count, cell);
    this.#set(cpu, BUFFER_AT + 2 * count + 1, value);
    this.#set(cpu, BUFFERED, count + 1);
  }

  #at(cpu: number, irq: boolean): number {
    return irq ? this.#get(cpu, IRQ_PC) - 1 : this.#get(cpu, PC);
  }

  #ops(cpu: number, irq: boolean): readonly ToyOp[] {
    return (irq ? this.#program.handlers?.[cpu] : this.#program.code[cpu]) ?? [];
  }

  #op(cpu: number, irq: boolean): ToyOp | undefined {
    return this.#ops(cpu, irq)[this.#at(cpu, irq)];
  }

  /** The first op from a position on that is not passed over. */
  #skip(cpu: number, irq: boolean, from: number): number {
    const ops = this.#ops(cpu, irq);
    let at = from;
    while (at < ops.length && ops[at]![3] !== undefined && ops[at]![3] !== this.#get(cpu, LAST + (irq ? 1 : 0))) at++;
    return at;
  }

  #cell(cell: number): number {
    return this.#state.words[cell]!;
  }
  #get(cpu: number, word: number): number {
    return this.#state.words[CELLS + cpu * CPU_WORDS + word]!;
  }
  #set(cpu: number, word: number, value: number): void {
    this.#state.set(CELLS + cpu * CPU_WORDS + word, value);
  }
}
