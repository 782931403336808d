/**
 * A machine for these tests: one thing at a time, memory is an array, and everything is written down.
 *
 * An IPI runs its handler at once, or when its target enables interrupts. `before` is called ahead of every marked access,
 * so that a test can let another CPU run in the middle of a function.
 */
import {
  type Address,
  bootKernel,
  type BootOptions,
  type CacheName,
  FAULT,
  cacheFields,
  type Cell,
  type Claims,
  type Cpu,
  finish,
  FOUR_LEVELS,
  type Kernel,
  LINUX_6_18,
  Mm,
  type OracleId,
  type Profile,
  type Scope,
  type Steps,
  type Test,
} from '@mmu-gather/core/stepped';
import { x86, X86_LINUX_6_18, type X86Switches } from '@mmu-gather/x86/stepped';

/** What happened on a CPU, as one line. */
export interface Line {
  readonly cpu: number;
  readonly text: string;
}

/** A test body, run to its end in either build. */
export function run(body: () => Steps<void>): () => void {
  return () => finish(body());
}

export class FakeMachine {
  readonly kernel: Kernel;
  readonly cpus: readonly FakeCpu[];
  readonly words: number[] = [0];
  readonly names: string[] = ['NULL'];
  /** Tracepoints: `reason/pages`. */
  readonly events: Line[] = [];
  /** Marked accesses and their kin, by name. */
  readonly accesses: Line[] = [];
  /** Invalidations, context loads that flush not included. */
  readonly invalidations: { readonly cpu: number; readonly scope: Scope }[] = [];
  /** IPIs sent: `from>to`. */
  readonly ipis: string[] = [];
  now = 1000;
  before: ((cpu: FakeCpu, access: string) => void) | undefined;
  readonly #options: BootOptions;

  constructor(switches: Partial<X86Switches> = {}, cpus = 2, profile: Partial<Profile> = {}) {
    const backend = x86({ ...X86_LINUX_6_18, ...switches });
    this.#options = { cpus, geometry: FOUR_LEVELS, backend, profile: { ...LINUX_6_18, ...profile } };
    this.kernel = bootKernel(this, this.#options);
    this.cpus = Array.from({ length: cpus }, (_, id) => new FakeCpu(this, id));
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

  /** A new mm, named for access logs. */
  *mm(name: string): Steps<Mm> {
    const mm = Mm.at(this.take('mm', name));
    this.words[mm.pgd] = this.take('table', `${name}.pgd`);
    yield* this.kernel.backend.initNewContext(this.cpus[0]!, mm);
    return mm;
  }

  /** Switches a CPU to an mm, as the scheduler does. */
  *switchTo(cpu: number, mm: Mm): Steps<void> {
    const c = this.cpus[cpu]!;
    yield* c.localIrqDisable();
    yield* this.kernel.backend.switchMm(c, mm);
    yield* c.localIrqEnable();
  }

  /** Lets a CPU run a kernel thread on what is loaded. */
  idle(cpu: number): Steps<void> {
    return this.kernel.backend.enterLazyTlb(this.cpus[cpu]!, Mm.at(this.kernel.initMm));
  }

  /** Events since the last call, of all CPUs in the order of time: `cpu:reason/pages`. */
  takeEvents(): string[] {
    return this.events.splice(0).map(({ cpu, text }) => `${cpu}:${text}`);
  }

  /** Accesses since the last call, by one CPU. */
  takeAccesses(cpu: number): string[] {
    return this.accesses
      .splice(0)
      .filter((line) => line.cpu === cpu)
      .map(({ text }) => text);
  }

  /** Number of single-page and of full invalidations since the last call, on one CPU. */
  takeInvalidations(cpu: number): { readonly pages: number[]; readonly full: number } {
    const mine = this.invalidations.splice(0).filter((i) => i.cpu === cpu);
    const pages = mine.filter(({ scope }) => scope.globals).map(({ scope }) => scope.leaves.start);
    return { pages, full: mine.length - pages.length };
  }

  mask(mm: Mm): number {
    return this.words[mm.cpumask]!;
  }
}

export class FakeCpu implements Cpu {
  readonly id: number;
  readonly kernel: Kernel;
  readonly claim: Claims;
  /** Calls that wait for interrupts to be enabled. */
  readonly pending: { readonly handler: number; readonly argument: Address }[] = [];
  irqsOff = 0;
  readonly #machine: FakeMachine;

  constructor(machine: FakeMachine, id: number) {
    this.#machine = machine;
    this.id = id;
    this.kernel = machine.kernel;
    this.claim = {
      limit: () => {},
      settled: () => {},
      observed: () => {},
      finished: () => {},
      changing: () => {},
      caughtUp: () => {},
      clean: () => {},
      stable: () => {},
      moved: () => {},
      reassigned: () => {},
      held: () => {},
      irqsOff: () => {},
      that: (holds: boolean, oracle: OracleId, message: string) => {
        if (!holds) throw new Error(`${oracle}: ${message}`);
      },
    };
  }

  #access(text: string): void {
    this.#machine.before?.(this, text);
    this.#machine.accesses.push({ cpu: this.id, text });
  }
  #name(cell: Cell): string {
    return this.#machine.names[cell] ?? `word ${cell}`;
  }

  read(cell: Cell): number {
    return this.#machine.words[cell]!;
  }
  write(cell: Cell, value: number): void {
    if (!Number.isSafeInteger(value)) throw new Error(`${this.#name(cell)} = ${value}`);
    this.#machine.words[cell] = value;
  }
  *readOnce(cell: Cell): Steps<number> {
    this.#access(`read ${this.#name(cell)}`);
    return this.read(cell);
  }
  *writeOnce(cell: Cell, value: number): Steps<void> {
    this.#access(`write ${this.#name(cell)}`);
    this.write(cell, value);
  }
  *loadAcquire(cell: Cell): Steps<number> {
    return yield* this.readOnce(cell);
  }
  *storeRelease(cell: Cell, value: number): Steps<void> {
    yield* this.writeOnce(cell, value);
  }
  *xchg(cell: Cell, value: number): Steps<number> {
    this.#access(`xchg ${this.#name(cell)}`);
    const old = this.read(cell);
    this.write(cell, value);
    return old;
  }
  *cmpxchg(cell: Cell, old: number, value: number): Steps<number> {
    this.#access(`cmpxchg ${this.#name(cell)}`);
    const seen = this.read(cell);
    if (seen === old) this.write(cell, value);
    return seen;
  }
  *atomicAdd(cell: Cell, delta: number): Steps<void> {
    this.#access(`add ${this.#name(cell)}`);
    this.write(cell, this.read(cell) + delta);
  }
  *atomicAddReturn(cell: Cell, delta: number): Steps<number> {
    this.#access(`add ${this.#name(cell)}`);
    this.write(cell, this.read(cell) + delta);
    return this.read(cell);
  }
  *atomicOr(cell: Cell, bits: number): Steps<void> {
    this.#access(`or ${this.#name(cell)}`);
    this.write(cell, this.read(cell) | bits);
  }
  *atomicAndNot(cell: Cell, bits: number): Steps<void> {
    this.#access(`andnot ${this.#name(cell)}`);
    this.write(cell, this.read(cell) & ~bits);
  }
  *atomicFetchAndNot(cell: Cell, bits: number): Steps<number> {
    this.#access(`andnot ${this.#name(cell)}`);
    const old = this.read(cell);
    this.write(cell, old & ~bits);
    return old;
  }
  *smpMb(): Steps<void> {
    this.#access('mb');
  }
  *smpWmb(): Steps<void> {
    this.#access('wmb');
  }
  *smpRmb(): Steps<void> {
    this.#access('rmb');
  }
  *smpMbAfterAtomic(): Steps<void> {
    this.#access('mb after atomic');
  }
  *waitFor(cell: Cell, _test: Test, _operand: number): Steps<number> {
    return yield* this.readOnce(cell);
  }

  *downReadTrylock(lock: Cell): Steps<number> {
    yield* this.downRead(lock);
    return 1;
  }
  *mayFail(): Steps<number> {
    return 0;
  }
  *rcuReadLock(): Steps<void> {}
  *rcuReadUnlock(): Steps<void> {}
  *freeRcu(): Steps<void> {}
  *synchronizeRcu(): Steps<void> {}
  *kernelRead(): Steps<number> {
    return FAULT;
  }
  *spinLock(_lock: Cell): Steps<void> {}
  *spinUnlock(_lock: Cell): Steps<void> {}
  *downRead(_lock: Cell): Steps<void> {}
  *upRead(_lock: Cell): Steps<void> {}
  *downWrite(_lock: Cell): Steps<void> {}
  *upWrite(_lock: Cell): Steps<void> {}
  *downgradeWrite(_lock: Cell): Steps<void> {}

  *alloc(cache: CacheName): Steps<Address> {
    return this.#machine.take(cache, cache);
  }
  *free(_cache: CacheName, _object: Address): Steps<void> {}

  *localIrqDisable(): Steps<void> {
    this.irqsOff++;
  }
  *localIrqEnable(): Steps<void> {
    if (this.irqsOff === 1) yield* this.#deliver();
    this.irqsOff--;
  }
  *sendIpi(target: number, handler: number, argument: Address): Steps<void> {
    this.#access(`ipi ${target}`);
    this.#machine.ipis.push(`${this.id}>${target}`);
    const other = this.#machine.cpus[target]!;
    other.pending.push({ handler, argument });
    if (other.irqsOff !== 0) return;
    yield* other.localIrqDisable();
    yield* other.localIrqEnable();
  }
  *awaitIpis(): Steps<void> {
    this.#access('wait');
  }
  *#deliver(): Steps<void> {
    for (let call = this.pending.shift(); call !== undefined; call = this.pending.shift()) {
      yield* this.kernel.handlers[call.handler]!(this, call.argument);
    }
  }

  *loadContext(_root: Address, asid: number, noflush: boolean): Steps<void> {
    this.#access(`cr3 ${asid}${noflush ? '' : ' flush'}`);
  }
  *invalidate(scope: Scope): Steps<void> {
    this.#access(`invalidate ${scope.asid}`);
    this.#machine.invalidations.push({ cpu: this.id, scope });
  }
  *cmpxchgAndInvalidate(): Steps<number> {
    throw new Error('x86 has no such instruction');
  }
  *invalidationBarrier(): Steps<void> {}
  *userRead(_address: number): Steps<number> {
    return 0;
  }
  *userWrite(_address: number, _value: number): Steps<number> {
    return 0;
  }
  *enterUser(): Steps<void> {}
  *enterKernel(): Steps<void> {}

  jiffies(): number {
    return this.#machine.now;
  }
  trace(event: string, ...values: number[]): void {
    if (event === 'tlb_flush') this.#machine.events.push({ cpu: this.id, text: values.join('/') });
  }
}
