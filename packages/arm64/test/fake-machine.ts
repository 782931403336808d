/**
 * A machine for these tests: one thing at a time, memory is an array, and what a CPU asks for is written down as one line each.
 *
 * `before` is called ahead of every marked access, so that a test can let another CPU run in the middle of a function.
 */
import { arm64, ARM64_LINUX_6_18, type Arm64, type Arm64Switches } from '@mmu-gather/arm64/stepped';
import {
  type Address,
  bootKernel,
  type BootOptions,
  type CacheName,
  cacheFields,
  type Cell,
  type Claims,
  type Cpu,
  EVERYTHING,
  finish,
  FOUR_LEVELS,
  type Kernel,
  LINUX_6_18,
  Mm,
  type OracleId,
  PAGE_SHIFT,
  type Profile,
  type Scope,
  type Steps,
} from '@mmu-gather/core/stepped';

/** A test body, run to its end in either build. */
export function run(body: () => Steps<void>): () => void {
  return () => finish(body());
}

/** A scope as tests compare it: `VAE1IS 1 [2,4)`, with the level hint behind it. */
function mnemonic({ asid, leaves, walks, globals, broadcast, level }: Scope): string {
  const where = broadcast ? 'IS' : '';
  const all = leaves.end === EVERYTHING;
  if (all) return globals ? `VMALLE1${where}` : `ASIDE1${where} ${asid}`;
  const page = (address: number): number => address / 2 ** PAGE_SHIFT;
  const kind = `V${globals ? 'AA' : 'A'}${walks.end === 0 ? 'L' : ''}E1${where}`;
  const range = `${kind}${globals ? '' : ` ${asid}`} [${page(leaves.start)},${page(leaves.end)})`;
  return level === undefined ? range : `${range} level ${level}`;
}

export class FakeMachine {
  readonly kernel: Kernel;
  readonly cpus: readonly FakeCpu[];
  readonly words: number[] = [0];
  readonly names: string[] = ['NULL'];
  /** What happened on all CPUs: `0: DSB ISH`. */
  readonly log: string[] = [];
  /** Claims that failed. */
  readonly broken: OracleId[] = [];
  /** Tracepoints: event and values. */
  readonly events: string[] = [];
  before: ((cpu: FakeCpu, access: string) => void) | undefined;
  readonly #options: BootOptions;

  constructor(switches: Partial<Arm64Switches> = {}, cpus = 2, profile: Partial<Profile> = {}) {
    const backend = arm64({ ...ARM64_LINUX_6_18, ...switches });
    this.#options = { cpus, geometry: FOUR_LEVELS, backend, profile: { ...LINUX_6_18, ...profile } };
    this.kernel = bootKernel(this, this.#options);
    this.cpus = Array.from({ length: cpus }, (_, id) => new FakeCpu(this, id));
  }

  get arm64(): Arm64 {
    return this.kernel.backend as Arm64;
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
    yield* this.kernel.backend.initNewContext(this.cpus[0]!.port, mm);
    return mm;
  }

  /** Switches a CPU to an mm. */
  *switchTo(cpu: number, mm: Mm): Steps<void> {
    yield* this.kernel.backend.switchMm(this.cpus[cpu]!.port, mm);
  }

  /** What happened since the last call. */
  takeLog(): string[] {
    return this.log.splice(0);
  }

  /** TLBIs and barriers since the last call, without their CPU. */
  takeFlush(): string[] {
    return this.takeLog().flatMap((line) => {
      const text = line.slice(3);
      return /^(DSB|V|ASIDE)/.test(text) ? [text] : [];
    });
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
      finished: () => {},
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
    this.write(cell, this.read(cell) + delta);
  }
  *atomicAddReturn(cell: Cell, delta: number): Steps<number> {
    this.write(cell, this.read(cell) + delta);
    return this.read(cell);
  }
  *smpMb(of?: 'stores'): Steps<void> {
    this.#note(of === 'stores' ? 'DSB ISHST' : 'DMB ISH');
  }
  *invalidationBarrier(): Steps<void> {
    this.#note('DSB ISH');
  }
  *invalidate(scope: Scope): Steps<void> {
    this.#note(mnemonic(scope));
  }
  *loadContext(root: Address, asid: number, _noflush: boolean): Steps<void> {
    this.#note(`TTBR0 ${root === 0 ? 'reserved' : this.#name(root).split('.')[0]} ${asid}`);
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
    this.#note('wait');
  }
  *free(): Steps<void> {}
  *freeRcu(): Steps<void> {}
  *mayFail(): Steps<number> {
    return 0;
  }
  trace(event: string, ...values: number[]): void {
    this.#machine.events.push([event, ...values].join(' '));
  }
}
