/**
 * A machine for unit tests of backends: one thing at a time, memory is an array, and what a CPU asks for is written down as one line each, in
 * the words of its architecture ({@link Words}).
 *
 * An interrupt runs its handler at once. `before` is called ahead of every line, so that a test can let another CPU run in the middle of a function.
 */
import {
  type Address,
  type Backend,
  type BackendSpec,
  bootKernel,
  type BootOptions,
  type CacheName,
  cacheFields,
  type Cell,
  type Claims,
  type Cpu,
  FAULT,
  finish,
  FOUR_LEVELS,
  type Geometry,
  type Kernel,
  LINUX_6_18,
  Mm,
  type OracleId,
  type Profile,
  type Scope,
  type Steps,
  type Test,
} from '@mmu-gather/core/stepped';

/** A test body, run to its end in either build. */
export function run(body: () => Steps<void>): () => void {
  return () => finish(body());
}

/** What an architecture calls what its CPUs do. */
export interface Words {
  /** An invalidation. */
  readonly scope: (scope: Scope) => string;
  /** A context load; `root` is the name of the mm, null for no user part. */
  readonly context: (root: string | null, asid: number, noflush: boolean) => string;
  /** smp_mb. */
  readonly mb: (of?: 'stores') => string;
  /** smp_wmb; no line if not given. */
  readonly wmb?: string;
  /** The wait for broadcasts; no line if not given. */
  readonly barrier?: string;
  /** An entry is changed and purged in one step. */
  readonly change?: (cell: string, scope: Scope) => string;
}

/** What a machine is made of. */
export interface FakeOptions {
  /** Its backend. */
  readonly backend: BackendSpec;
  /** Its words. */
  readonly words: Words;
  /** Number of CPUs; 2 if not given. */
  readonly cpus?: number;
  /** Shape of page tables; four levels if not given. */
  readonly geometry?: Geometry;
  /** Switches of core and mm, where they are other than in Linux 6.18. */
  readonly profile?: Partial<Profile>;
}

/** The machine. `B` is its backend, linked. */
export class FakeMachine<B extends Backend = Backend> {
  readonly kernel: Kernel;
  readonly cpus: readonly FakeCpu[];
  /** Memory. */
  readonly words: number[] = [0];
  /** What each word is called. */
  readonly names: string[] = ['NULL'];
  /** What happened on all CPUs: `0: read a.cpumask`. */
  readonly log: string[] = [];
  /** Claims that failed. */
  readonly broken: OracleId[] = [];
  /** Tracepoints: event and values. */
  readonly events: string[] = [];
  before: ((cpu: FakeCpu, line: string) => void) | undefined;
  readonly #options: BootOptions;

  constructor({ backend, words, cpus = 2, geometry = FOUR_LEVELS, profile = {} }: FakeOptions) {
    this.#options = { cpus, geometry, backend, profile: { ...LINUX_6_18, ...profile } };
    this.kernel = bootKernel(this, this.#options);
    this.cpus = Array.from({ length: cpus }, (_, id) => new FakeCpu(this, id, words));
  }

  /** The backend. */
  get backend(): B {
    return this.kernel.backend as B;
  }

  reserve(name: string, fields: readonly string[]): Address {
    const address = this.words.length;
    for (const field of fields) {
      this.words.push(0);
      this.names.push(field === '' ? name : `${name}.${field}`);
    }
    return address;
  }

  initialise(cell: Cell, value: number): void {
    this.words[cell] = value;
  }

  /** Allocates an object. */
  take(cache: CacheName, name: string): Address {
    return this.reserve(name, cacheFields(this.#options, cache));
  }

  /** The ports of all CPUs. */
  get ports(): readonly Cpu[] {
    return this.cpus.map((cpu) => cpu.port);
  }

  /** The port of a CPU, as functions under test get it. */
  port(cpu: number): Cpu {
    return this.cpus[cpu]!.port;
  }

  /** A new mm with one user, whose top table is all there is. */
  *mm(name: string): Steps<Mm> {
    const mm = Mm.at(this.take('mm', name));
    this.words[mm.pgd] = this.take('table', `${name}.pgd`);
    this.words[mm.mmUsers] = 1;
    yield* this.kernel.backend.initNewContext(this.port(0), mm);
    return mm;
  }

  /** Switches a CPU to an mm, as the scheduler does. */
  *switchTo(cpu: number, mm: Mm): Steps<void> {
    const { backend } = this.kernel;
    yield* backend.switchMm(this.port(cpu), mm);
    if (backend.finishArchPostLockSwitch !== null) yield* backend.finishArchPostLockSwitch(this.port(cpu), mm);
  }

  /** What happened since the last call. */
  takeLog(): string[] {
    return this.log.splice(0);
  }
}

/** One CPU. What is not here no backend asks for. */
export class FakeCpu {
  readonly id: number;
  readonly kernel: Kernel;
  readonly claim: Claims;
  readonly #machine: FakeMachine;
  readonly #words: Words;

  constructor(machine: FakeMachine, id: number, words: Words) {
    this.#machine = machine;
    this.#words = words;
    this.id = id;
    this.kernel = machine.kernel;
    this.claim = {
      that: (holds: boolean, oracle: OracleId) => {
        if (!holds) machine.broken.push(oracle);
      },
      finished: () => {},
    } as unknown as Claims;
  }

  /** As the port of functions under test. */
  get port(): Cpu {
    return this as unknown as Cpu;
  }

  #note(line: string): void {
    this.#machine.before?.(this, line);
    this.#machine.log.push(`${this.id}: ${line}`);
  }
  #name(cell: Cell): string {
    return this.#machine.names[cell] ?? `word ${cell}`;
  }

  read(cell: Cell): number {
    return this.#machine.words[cell]!;
  }
  write(cell: Cell, value: number): void {
    this.#machine.words[cell] = value;
  }
  *readOnce(cell: Cell): Steps<number> {
    this.#note(`read ${this.#name(cell)}`);
    return this.read(cell);
  }
  *writeOnce(cell: Cell, value: number): Steps<void> {
    this.#note(`write ${this.#name(cell)}`);
    this.write(cell, value);
  }
  loadAcquire(cell: Cell): Steps<number> {
    return this.readOnce(cell);
  }
  storeRelease(cell: Cell, value: number): Steps<void> {
    return this.writeOnce(cell, value);
  }
  *xchg(cell: Cell, value: number): Steps<number> {
    this.#note(`xchg ${this.#name(cell)}`);
    const old = this.read(cell);
    this.write(cell, value);
    return old;
  }
  *cmpxchg(cell: Cell, old: number, value: number): Steps<number> {
    this.#note(`cmpxchg ${this.#name(cell)}`);
    const seen = this.read(cell);
    if (seen === old) this.write(cell, value);
    return seen;
  }
  *atomicAdd(cell: Cell, delta: number): Steps<void> {
    this.#note(`add ${this.#name(cell)} ${delta}`);
    this.write(cell, this.read(cell) + delta);
  }
  *atomicAddReturn(cell: Cell, delta: number): Steps<number> {
    yield* this.atomicAdd(cell, delta);
    return this.read(cell);
  }
  *atomicOr(cell: Cell, bits: number): Steps<void> {
    this.#note(`or ${this.#name(cell)} ${bits}`);
    this.write(cell, this.read(cell) | bits);
  }
  *atomicAndNot(cell: Cell, bits: number): Steps<void> {
    this.#note(`andnot ${this.#name(cell)} ${bits}`);
    this.write(cell, this.read(cell) & ~bits);
  }
  *smpMb(of?: 'stores'): Steps<void> {
    this.#note(this.#words.mb(of));
  }
  *smpWmb(): Steps<void> {
    if (this.#words.wmb !== undefined) this.#note(this.#words.wmb);
  }
  *smpMbAfterAtomic(): Steps<void> {}
  *waitFor(cell: Cell, test: Test, operand: number): Steps<number> {
    this.#note(`wait ${this.#name(cell)}`);
    const value = this.read(cell);
    const passes = test === 'equal' ? value === operand : test === 'notEqual' ? value !== operand : value >= operand;
    if (!passes) throw new Error(`${this.#name(cell)} is ${value}: this would wait for ever`);
    return value;
  }
  *spinLock(lock: Cell): Steps<void> {
    this.#note(`lock ${this.#name(lock)}`);
  }
  *spinUnlock(lock: Cell): Steps<void> {
    this.#note(`unlock ${this.#name(lock)}`);
  }

  *alloc(cache: CacheName): Steps<Address> {
    return this.#machine.take(cache, 'new');
  }
  *free(): Steps<void> {}
  *freeRcu(): Steps<void> {}
  *mayFail(): Steps<number> {
    return 0;
  }

  *localIrqDisable(): Steps<void> {}
  *localIrqEnable(): Steps<void> {}
  *sendIpi(target: number, handler: number, argument: Address): Steps<void> {
    this.#note(`ipi ${target}`);
    yield* this.kernel.handlers[handler]!(this.#machine.port(target), argument);
  }
  *awaitIpis(): Steps<void> {
    this.#note('wait for ipis');
  }

  *invalidate(scope: Scope): Steps<void> {
    this.#note(this.#words.scope(scope));
  }
  *invalidationBarrier(): Steps<void> {
    if (this.#words.barrier !== undefined) this.#note(this.#words.barrier);
  }
  *cmpxchgAndInvalidate(cell: Cell, old: number, value: number, scope: Scope): Steps<number> {
    this.#note(this.#words.change!(this.#name(cell), scope));
    const now = this.read(cell);
    if (now === old) this.write(cell, value);
    return now;
  }
  *loadContext(root: Address, asid: number, noflush: boolean): Steps<void> {
    this.#note(this.#words.context(root === 0 ? null : this.#name(root).split('.')[0]!, asid, noflush));
  }
  *userWrite(): Steps<number> {
    this.#note('user store');
    return 0;
  }
  *kernelRead(): Steps<number> {
    return FAULT;
  }
  trace(event: string, ...values: number[]): void {
    this.#machine.events.push([event, ...values].join(' '));
  }
}
