/**
 * A machine for these tests: one thing at a time, memory is an array, and what a hart asks for is written down as one line each.
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
  EVERYTHING,
  finish,
  FOUR_LEVELS,
  type Kernel,
  LINUX_6_18,
  Mm,
  type OracleId,
  PAGE_SHIFT,
  type Scope,
  type Steps,
} from '@mmu-gather/core/stepped';
import { riscv, RISCV_LINUX_6_18, type Riscv, type RiscvSwitches } from '@mmu-gather/riscv/stepped';

/** A test body, run to its end in either build. */
export function run(body: () => Steps<void>): () => void {
  return () => finish(body());
}

/** A scope as tests compare it: `sfence page 3 asid 1`, with the harts that the firmware has do it in front. */
function mnemonic({ asid, leaves, walks, globals, cpus }: Scope): string {
  const where = cpus === undefined ? '' : `harts ${cpus.toString(2)}: `;
  const whom = globals ? '' : ` asid ${asid}`;
  if (leaves.end === EVERYTHING) return `${where}sfence all${whom}`;
  return `${where}sfence page ${leaves.start / 2 ** PAGE_SHIFT}${whom}${walks.end === 0 ? '' : ' and walks'}`;
}

export class FakeMachine {
  readonly kernel: Kernel;
  readonly harts: readonly FakeHart[];
  readonly words: number[] = [0];
  readonly names: string[] = ['NULL'];
  /** What happened on all harts: `0: sfence all`. */
  readonly log: string[] = [];
  /** Claims that failed. */
  readonly broken: OracleId[] = [];
  readonly #options: BootOptions;

  constructor(switches: Partial<RiscvSwitches> = {}, cpus = 2) {
    const backend = riscv({ ...RISCV_LINUX_6_18, ...switches });
    this.#options = { cpus, geometry: FOUR_LEVELS, backend, profile: LINUX_6_18 };
    this.kernel = bootKernel(this, this.#options);
    this.harts = Array.from({ length: cpus }, (_, id) => new FakeHart(this, id));
  }

  get riscv(): Riscv {
    return this.kernel.backend as Riscv;
  }
  /** The port of a hart. */
  port(hart: number): Cpu {
    return this.harts[hart] as unknown as Cpu;
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
    yield* this.kernel.backend.initNewContext(this.port(0), mm);
    return mm;
  }
  /** Switches a hart to an mm. */
  *switchTo(hart: number, mm: Mm): Steps<void> {
    yield* this.kernel.backend.switchMm(this.port(hart), mm);
  }
  /** What happened since the last call. */
  takeLog(): string[] {
    return this.log.splice(0);
  }
  /** Fences, interrupts and loads of satp since the last call. */
  takeFlush(): string[] {
    return this.takeLog().filter((line) => /^\d: (sfence|harts|ipi|wait|satp)/.test(line));
  }
}

/** One hart: only what the backend asks for is there. */
class FakeHart {
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

  #note(text: string): void {
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
    const old = this.read(cell);
    yield* this.writeOnce(cell, value);
    return old;
  }
  *cmpxchg(cell: Cell, old: number, value: number): Steps<number> {
    this.#note(`cmpxchg ${this.#name(cell)}`);
    const seen = this.read(cell);
    if (seen === old) this.write(cell, value);
    return seen;
  }
  *atomicOr(cell: Cell, bits: number): Steps<void> {
    this.#note(`or ${this.#name(cell)}`);
    this.write(cell, this.read(cell) | bits);
  }
  *atomicAndNot(cell: Cell, bits: number): Steps<void> {
    this.#note(`andnot ${this.#name(cell)}`);
    this.write(cell, this.read(cell) & ~bits);
  }
  *smpMb(): Steps<void> {
    this.#note('mb');
  }
  *smpWmb(): Steps<void> {
    this.#note('wmb');
  }
  *invalidate(scope: Scope): Steps<void> {
    this.#note(mnemonic(scope));
  }
  *loadContext(root: Address, asid: number, noflush: boolean): Steps<void> {
    this.#note(`satp ${root === 0 ? 'kernel' : this.#name(root).split('.')[0]} ${asid}${noflush ? '' : ' flush'}`);
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
    yield* this.kernel.handlers[handler]!(this.#machine.port(target), argument);
  }
  *awaitIpis(): Steps<void> {
    this.#note('wait');
  }
  trace(): void {}
}
