/**
 * A machine for these tests: one thing at a time, memory is an array, and what a CPU asks for is written down as one line each.
 *
 * `before` is called ahead of every marked access, so that a test can let another CPU run in the middle of a function.
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
  type Entry,
  EVERYTHING,
  finish,
  type Kernel,
  LINUX_6_18,
  Mm,
  type OracleId,
  PAGE_SHIFT,
  type Profile,
  type Scope,
  type Steps,
  type Test,
} from '@mmu-gather/core/stepped';
import { s390, S390_LEVELS, S390_LINUX_6_18, type S390, type S390Switches } from '@mmu-gather/s390/stepped';

/** A test body, run to its end in either build. */
export function run(body: () => Steps<void>): () => void {
  return () => finish(body());
}

/** A scope as tests compare it: `global 1 [2,4)`, `walks` behind it if pointers to tables go too. */
function words({ asid, leaves, walks, globals, broadcast }: Scope): string {
  const where = broadcast ? 'global' : 'local';
  const tag = globals ? 'kernel' : `${asid}`;
  if (leaves.end === EVERYTHING) return `${where} ${asid < 0 ? 'any' : tag} all`;
  const page = (address: number): number => address / 2 ** PAGE_SHIFT;
  return `${where} ${tag} [${page(leaves.start)},${page(leaves.end)})${walks.end === 0 ? '' : ' walks'}`;
}

export class FakeMachine {
  readonly kernel: Kernel;
  readonly cpus: readonly FakeCpu[];
  readonly words: number[] = [0];
  readonly names: string[] = ['NULL'];
  /** What happened on all CPUs: `0: read a.cpumask`. */
  readonly log: string[] = [];
  /** Claims that failed. */
  readonly broken: OracleId[] = [];
  /** Tracepoints: event and values. */
  readonly events: string[] = [];
  before: ((cpu: FakeCpu, access: string) => void) | undefined;
  readonly #options: BootOptions;

  constructor(switches: Partial<S390Switches> = {}, cpus = 2, profile: Partial<Profile> = {}) {
    const backend = s390({ ...S390_LINUX_6_18, asces: 4, ...switches });
    this.#options = { cpus, geometry: S390_LEVELS, backend, profile: { ...LINUX_6_18, ...profile } };
    this.kernel = bootKernel(this, this.#options);
    this.cpus = Array.from({ length: cpus }, (_, id) => new FakeCpu(this, id));
  }

  get s390(): S390 {
    return this.kernel.backend as S390;
  }
  get initMm(): Mm {
    return Mm.at(this.kernel.initMm);
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

  /** A new mm. */
  *mm(name: string): Steps<Mm> {
    const mm = Mm.at(this.take('mm', name));
    this.words[mm.pgd] = this.take('table', `${name}.pgd`);
    this.words[mm.mmUsers] = 1;
    yield* this.kernel.backend.initNewContext(this.cpus[0]!.port, mm);
    return mm;
  }

  /** Switches a CPU to an mm, as the scheduler does. */
  *switchTo(cpu: number, mm: Mm): Steps<void> {
    const { port } = this.cpus[cpu]!;
    yield* this.kernel.backend.switchMm(port, mm);
    yield* this.kernel.backend.finishArchPostLockSwitch!(port, mm);
  }

  /** A word that holds an entry. */
  entry(name: string, value: Entry): Cell {
    const cell = this.reserve(name, ['']);
    this.words[cell] = value;
    return cell;
  }

  /** What happened since the last call. */
  takeLog(): string[] {
    return this.log.splice(0);
  }
}

/** One CPU: only what the backend asks for is there. */
export class FakeCpu {
  readonly id: number;
  readonly kernel: Kernel;
  readonly claim: Claims;
  readonly #machine: FakeMachine;

  constructor(machine: FakeMachine, id: number) {
    this.#machine = machine;
    this.id = id;
    this.kernel = machine.kernel;
    this.claim = {
      that: (holds: boolean, oracle: OracleId) => {
        if (!holds) machine.broken.push(oracle);
      },
    } as unknown as Claims;
  }

  /** As the port of functions under test. */
  get port(): Cpu {
    return this as unknown as Cpu;
  }

  #note(text: string): void {
    this.#machine.before?.(this, text);
    this.#machine.log.push(`${this.id}: ${text}`);
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
  *atomicAdd(cell: Cell, delta: number): Steps<void> {
    this.#note(`add ${this.#name(cell)} ${delta}`);
    this.write(cell, this.read(cell) + delta);
  }
  *atomicOr(cell: Cell, bits: number): Steps<void> {
    this.#note(`or ${this.#name(cell)} ${bits}`);
    this.write(cell, this.read(cell) | bits);
  }
  *atomicAndNot(cell: Cell, bits: number): Steps<void> {
    this.#note(`andnot ${this.#name(cell)} ${bits}`);
    this.write(cell, this.read(cell) & ~bits);
  }
  *smpMbAfterAtomic(): Steps<void> {}
  *waitFor(cell: Cell, _test: Test, operand: number): Steps<number> {
    this.#note(`wait ${this.#name(cell)}`);
    if (this.read(cell) !== operand)
      throw new Error(`${this.#name(cell)} is ${this.read(cell)}: this would wait for ever`);
    return operand;
  }
  *loadContext(root: Address, asid: number, noflush: boolean): Steps<void> {
    this.#note(`ASCE ${root === 0 ? 'invalid' : this.#name(root).split('.')[0]} ${asid}${noflush ? '' : ' flush'}`);
  }
  *cmpxchgAndInvalidate(cell: Cell, old: number, value: number, scope: Scope): Steps<number> {
    const operand = this.#name(cell).endsWith('.operand');
    this.#note(`${operand ? 'purge' : `change ${this.#name(cell)}`} ${words(scope)}`);
    const now = this.read(cell);
    if (now === old) this.write(cell, value);
    return now;
  }
  *alloc(cache: CacheName): Steps<Address> {
    return this.#machine.take(cache, 'new');
  }
  *invalidate(scope: Scope): Steps<void> {
    this.#note(`drop ${words(scope)}`);
  }
  *spinLock(lock: Cell): Steps<void> {
    this.#note(`lock ${this.#name(lock)}`);
  }
  *spinUnlock(lock: Cell): Steps<void> {
    this.#note(`unlock ${this.#name(lock)}`);
  }
  *localIrqDisable(): Steps<void> {}
  *localIrqEnable(): Steps<void> {}
  *sendIpi(target: number, handler: number, argument: Address): Steps<void> {
    this.#note(`ipi ${target}`);
    yield* this.kernel.handlers[handler]!(this.#machine.cpus[target]!.port, argument);
  }
  *awaitIpis(): Steps<void> {
    this.#note('wait for ipis');
  }
  trace(event: string, ...values: number[]): void {
    this.#machine.events.push([event, ...values].join(' '));
  }
}
