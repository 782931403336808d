/**
 * A machine for these tests: one thing at a time, memory is an array, and everything is written down in order.
 *
 * An interrupt runs its handler at once. `before` is called ahead of every marked access, so that a test can let another CPU do something in
 * the middle of a function.
 */
import {
  type Address,
  bootKernel,
  type BootOptions,
  type CacheName,
  cacheFields,
  type Cell,
  type Claims,
  type Cpu,
  FAULT,
  finish,
  type Geometry,
  type Kernel,
  LINUX_6_18,
  Mm,
  type OracleId,
  type Profile,
  type Scope,
  type Steps,
} from '@mmu-gather/core/stepped';
import {
  sparc64,
  SPARC64_LEVELS,
  SPARC64_LINUX_6_18,
  type Sparc64,
  type Sparc64Switches,
} from '@mmu-gather/sparc/stepped';

/** A test body, run to its end in either build. */
export function run(body: () => Steps<void>): () => void {
  return () => finish(body());
}

/** How a machine differs from a real one with two CPUs. */
export interface FakeOptions {
  readonly switches?: Partial<Sparc64Switches>;
  readonly cpus?: number;
  readonly geometry?: Geometry;
  readonly profile?: Partial<Profile>;
}

export class FakeMachine {
  readonly kernel: Kernel;
  readonly cpus: readonly FakeCpu[];
  readonly words: number[] = [0];
  readonly names: string[] = ['NULL'];
  /** Marked accesses and their kin, of all CPUs: `cpu: what`. */
  readonly log: string[] = [];
  /** Tracepoints. */
  readonly events: string[] = [];
  before: ((access: string) => void) | undefined;
  readonly #options: BootOptions;

  constructor({ switches = {}, cpus = 2, geometry = SPARC64_LEVELS, profile = {} }: FakeOptions = {}) {
    const backend = sparc64({ ...SPARC64_LINUX_6_18, tsbs: 4, tsbMaxEntries: 1024, ...switches });
    this.#options = { cpus, geometry, backend, profile: { ...LINUX_6_18, ...profile } };
    this.kernel = bootKernel(this, this.#options);
    this.cpus = Array.from({ length: cpus }, (_, id) => new FakeCpu(this, id));
  }

  get sparc(): Sparc64 {
    return this.kernel.backend as Sparc64;
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
  take(cache: CacheName, name: string): Address {
    return this.reserve(name, cacheFields(this.#options, cache));
  }

  /** A new mm, named for logs, whose top table is all there is. */
  *mm(name: string): Steps<Mm> {
    const mm = Mm.at(this.take('mm', name));
    this.words[mm.pgd] = this.take('table', `${name}.pgd`);
    yield* this.kernel.backend.initNewContext(this.cpus[0]!, mm);
    return mm;
  }

  /** Switches a CPU to an mm. */
  *switchTo(cpu: number, mm: Mm): Steps<void> {
    yield* this.kernel.backend.switchMm(this.cpus[cpu]!, mm);
  }

  /** What was written down since the last call. */
  taken(): string[] {
    return this.log.splice(0);
  }

  /** What the hardware of a CPU finds for an address. */
  lookup(cpu: number, address: number): readonly number[] {
    return this.kernel.backend.translationTable!.lookup((cell) => this.words[cell]!, 0, address, cpu);
  }
}

const SILENT = [
  'limit',
  'settled',
  'observed',
  'finished',
  'changing',
  'caughtUp',
  'clean',
  'stable',
  'moved',
  'reassigned',
];

export class FakeCpu implements Cpu {
  readonly id: number;
  readonly kernel: Kernel;
  readonly claim: Claims;
  readonly #machine: FakeMachine;

  constructor(machine: FakeMachine, id: number) {
    this.#machine = machine;
    this.id = id;
    this.kernel = machine.kernel;
    this.claim = {
      ...(Object.fromEntries(SILENT.map((name) => [name, () => {}])) as unknown as Claims),
      that: (holds: boolean, oracle: OracleId, message: string) => {
        if (!holds) throw new Error(`${oracle}: ${message}`);
      },
    };
  }

  #does(what: string): void {
    this.#machine.before?.(`${this.id}: ${what}`);
    this.#machine.log.push(`${this.id}: ${what}`);
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
    this.#does(`read ${this.#name(cell)}`);
    return this.read(cell);
  }
  *writeOnce(cell: Cell, value: number): Steps<void> {
    this.#does(`write ${this.#name(cell)}`);
    this.write(cell, value);
  }
  loadAcquire(cell: Cell): Steps<number> {
    return this.readOnce(cell);
  }
  storeRelease(cell: Cell, value: number): Steps<void> {
    return this.writeOnce(cell, value);
  }
  *xchg(cell: Cell, value: number): Steps<number> {
    this.#does(`xchg ${this.#name(cell)}`);
    const old = this.read(cell);
    this.write(cell, value);
    return old;
  }
  *cmpxchg(cell: Cell, old: number, value: number): Steps<number> {
    this.#does(`cmpxchg ${this.#name(cell)}`);
    const seen = this.read(cell);
    if (seen === old) this.write(cell, value);
    return seen;
  }
  *atomicAdd(cell: Cell, delta: number): Steps<void> {
    this.#does(`add ${this.#name(cell)}`);
    this.write(cell, this.read(cell) + delta);
  }
  *atomicAddReturn(cell: Cell, delta: number): Steps<number> {
    yield* this.atomicAdd(cell, delta);
    return this.read(cell);
  }
  *atomicOr(cell: Cell, bits: number): Steps<void> {
    this.#does(`or ${this.#name(cell)}`);
    this.write(cell, this.read(cell) | bits);
  }
  *atomicAndNot(cell: Cell, bits: number): Steps<void> {
    this.#does(`andnot ${this.#name(cell)}`);
    this.write(cell, this.read(cell) & ~bits);
  }
  *atomicFetchAndNot(cell: Cell, bits: number): Steps<number> {
    const old = this.read(cell);
    yield* this.atomicAndNot(cell, bits);
    return old;
  }
  *smpMb(): Steps<void> {
    this.#does('mb');
  }
  *smpWmb(): Steps<void> {}
  *smpRmb(): Steps<void> {}
  *smpMbAfterAtomic(): Steps<void> {}
  *waitFor(cell: Cell): Steps<number> {
    this.#does(`wait ${this.#name(cell)}`);
    return this.read(cell);
  }

  *spinLock(lock: Cell): Steps<void> {
    this.#does(`lock ${this.#name(lock)}`);
  }
  *spinUnlock(lock: Cell): Steps<void> {
    this.#does(`unlock ${this.#name(lock)}`);
  }
  *downRead(): Steps<void> {}
  *downReadTrylock(): Steps<number> {
    return 1;
  }
  *upRead(): Steps<void> {}
  *downWrite(): Steps<void> {}
  *upWrite(): Steps<void> {}
  *downgradeWrite(): Steps<void> {}
  *alloc(cache: CacheName): Steps<Address> {
    return this.#machine.take(cache, cache);
  }
  *free(): Steps<void> {}
  *mayFail(): Steps<number> {
    return 0;
  }
  *rcuReadLock(): Steps<void> {}
  *rcuReadUnlock(): Steps<void> {}
  *freeRcu(): Steps<void> {}
  *synchronizeRcu(): Steps<void> {}
  *localIrqDisable(): Steps<void> {}
  *localIrqEnable(): Steps<void> {}

  *sendIpi(target: number, handler: number, argument: Address): Steps<void> {
    this.#does(`ipi ${target}`);
    yield* this.kernel.handlers[handler]!(this.#machine.cpus[target]!, argument);
  }
  *awaitIpis(): Steps<void> {
    this.#does('wait for ipis');
  }
  *loadContext(_root: Address, asid: number, noflush: boolean): Steps<void> {
    this.#does(`context ${asid}${noflush ? '' : ', demapped'}`);
  }
  *invalidate(scope: Scope): Steps<void> {
    const where = scope.cpus === undefined ? '' : ` on ${scope.cpus}`;
    const what = `${scope.globals ? 'kernel' : `context ${scope.asid}`}${scope.data === true ? ' data' : ''}`;
    this.#does(`demap${where} ${what} ${scope.leaves.start.toString(16)}-${scope.leaves.end.toString(16)}`);
  }
  *cmpxchgAndInvalidate(): Steps<number> {
    throw new Error('sparc64 has no such instruction');
  }
  *invalidationBarrier(): Steps<void> {}
  *userRead(): Steps<number> {
    return FAULT;
  }
  *userWrite(): Steps<number> {
    this.#does('user store');
    return 0;
  }
  *kernelRead(): Steps<number> {
    return FAULT;
  }
  *enterUser(): Steps<void> {}
  *enterKernel(): Steps<void> {}
  jiffies(): number {
    return 0;
  }
  trace(event: string, ...values: number[]): void {
    this.#machine.events.push(`${event} ${values.join(' ')}`);
  }
}
