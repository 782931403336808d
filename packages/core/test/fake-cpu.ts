/** A port with as much as core's own functions use: memory that takes effect at once, and a log of what was asked of it. */
import type {
  Address,
  Backend,
  Cell,
  Claims,
  Cpu,
  Kernel,
  MmuGather,
  OracleId,
  Profile,
  Steps,
  Test,
} from '../src/index.ts';
import { ASM_GENERIC, entrySize, FOUR_LEVELS, LINUX_6_18, taskSize } from '../src/index.ts';

/** What one gather's flush recorded. */
export interface Flush {
  readonly start: number;
  readonly end: number;
  readonly cleared: number;
  readonly freedTables: boolean;
  readonly fullmm: boolean;
}

export interface FakeCpu {
  readonly cpu: Cpu;
  readonly words: Float64Array;
  /** What happened, in order: `flush`, `free table 7`, `ipi 1`, ... */
  readonly log: string[];
  readonly flushes: Flush[];
  /** Claims that failed. */
  readonly broken: OracleId[];
}

export function fakeCpu(profile: Partial<Profile> = {}, cpus = 1): FakeCpu {
  const words = new Float64Array(4096);
  const log: string[] = [];
  const flushes: Flush[] = [];
  const broken: OracleId[] = [];
  const backend = {
    ...ASM_GENERIC,
    *tlbFlush(_cpu: Cpu, tlb: MmuGather): Steps<void> {
      log.push('flush');
      const { start, end, cleared, freedTables, fullmm } = tlb;
      flushes.push({ start, end, cleared, freedTables, fullmm });
    },
  } as unknown as Backend;
  const handler = function* (_cpu: Cpu, argument: Address): Steps<void> {
    log.push(`handler ${argument}`);
  };
  const kernel = {
    cpus,
    geometry: FOUR_LEVELS,
    entrySizes: FOUR_LEVELS.bits.map((_, level) => entrySize(FOUR_LEVELS, level)),
    taskSize: taskSize(FOUR_LEVELS),
    backend,
    profile: { ...LINUX_6_18, ...profile },
    handlers: [handler],
    designs: { ring: 1000, sync: 1100, levels: 1200, ptl: 1300, queue: 1400 },
    initMm: 1,
    zeroPage: 2,
    runqueues: 3,
  } as unknown as Kernel;
  const claim = {
    that: (holds: boolean, oracle: OracleId) => {
      if (!holds) broken.push(oracle);
    },
    finished: () => log.push('finished'),
  } as unknown as Claims;
  const cpu = {
    id: 0,
    kernel,
    claim,
    read: (cell: Cell) => words[cell]!,
    write: (cell: Cell, value: number) => {
      words[cell] = value;
    },
    *readOnce(cell: Cell): Steps<number> {
      return words[cell]!;
    },
    *writeOnce(cell: Cell, value: number): Steps<void> {
      words[cell] = value;
    },
    *loadAcquire(cell: Cell): Steps<number> {
      return words[cell]!;
    },
    *storeRelease(cell: Cell, value: number): Steps<void> {
      words[cell] = value;
    },
    *smpWmb(): Steps<void> {},
    *smpRmb(): Steps<void> {},
    *spinLock(lock: Cell): Steps<void> {
      if (words[lock] !== 0) throw new Error('a lock that is held');
      words[lock] = 1;
    },
    *spinUnlock(lock: Cell): Steps<void> {
      words[lock] = 0;
    },
    *waitFor(cell: Cell, test: Test, operand: number): Steps<number> {
      const value = words[cell]!;
      const passes = test === 'equal' ? value === operand : test === 'atLeast' ? value >= operand : value !== operand;
      if (!passes) throw new Error(`waits for ever: ${value} is not ${test} ${operand}`);
      return value;
    },
    *cmpxchg(cell: Cell, old: number, value: number): Steps<number> {
      const seen = words[cell]!;
      if (seen === old) words[cell] = value;
      return seen;
    },
    *atomicAdd(cell: Cell, delta: number): Steps<void> {
      words[cell] = words[cell]! + delta;
    },
    *atomicAddReturn(cell: Cell, delta: number): Steps<number> {
      return (words[cell] = words[cell]! + delta);
    },
    *free(cache: string, object: Address): Steps<void> {
      log.push(`free ${cache} ${object}`);
    },
    *freeRcu(cache: string, object: Address): Steps<void> {
      log.push(`free ${cache} ${object}`);
    },
    *localIrqDisable(): Steps<void> {
      log.push('irqs off');
    },
    *localIrqEnable(): Steps<void> {
      log.push('irqs on');
    },
    *sendIpi(target: number): Steps<void> {
      log.push(`ipi ${target}`);
    },
    *awaitIpis(): Steps<void> {
      log.push('wait');
    },
  } as unknown as Cpu;
  return { cpu, words, log, flushes, broken };
}
