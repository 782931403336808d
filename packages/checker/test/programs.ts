/**
 * The three programs that the searches are measured with, on the Cpu port.
 *
 * - `handshake` (L1): a flusher clears an entry, bumps a generation and looks who is in the mask; a CPU enters the mask,
 *   reads the generation, then the entry. One of the two must see the other.
 * - `ring` (L2): queuers put invalidations into a small ring, entries are guarded by their generation; a flusher reads them
 *   without a lock. It must never use a torn entry.
 * - `gather` (L3): threads zap overlapping ranges and flush only what they cleared themselves, unless they see each other.
 */
import {
  type Arena,
  ASM_GENERIC,
  type Backend,
  type BackendSpec,
  type Cell,
  type Cpu,
  type IpiHandler,
  type Isa,
  LINUX_6_18,
  type MemoryModel,
  type Steps,
  TINY,
} from '@mmu-gather/core/stepped';
import { bareOf } from '../src/bare.ts';
import type { Layout } from '../src/layout.ts';
import { Machine } from '../src/machine.ts';
import type { MachineOptions } from '../src/machine-options.ts';
import type { Program } from '../src/program.ts';

/** No architecture: programs of bare memory accesses, and interrupts if there are handlers. */
export function bareBackend(
  handlers: readonly IpiHandler[],
  isa: Partial<Isa> = {},
  own: (arena: Arena) => Partial<Backend> = () => ({}),
): BackendSpec {
  return {
    id: 'bare',
    isa: {
      memoryModel: 'sc',
      multiCopyAtomic: true,
      geometry: TINY,
      asids: 1,
      broadcasts: false,
      cleanWalks: true,
      accessed: 'hardware',
      dirty: 'hardware',
      instructions: {},
      ...isa,
    },
    mmContextFields: ['context'],
    // No program here calls a function of the backend.
    link: (arena) => ({ ...ASM_GENERIC, id: 'bare', handlers, ...own(arena) }) as unknown as Backend,
  };
}

/** No pools: nothing is allocated. */
const NO_POOLS = { mm: 0, vma: 0, page: 0, table: 0 };

/** A machine that runs a program of bare accesses. */
export function bare(
  cpus: number,
  program: Program<unknown>,
  memoryModel: MemoryModel = 'sc',
  handlers: readonly IpiHandler[] = [],
  more: Partial<MachineOptions> = {},
  isa: Partial<Isa> = {},
): Machine {
  const backend = bareBackend(handlers, isa);
  const options = { cpus, geometry: TINY, backend, profile: LINUX_6_18, memoryModel, pools: NO_POOLS, ...more };
  return new Machine(options, program);
}

type Threads = readonly ((cpu: Cpu) => Steps<unknown>)[];

/** A program whose cells are reserved by name, with first values. */
function named(
  cells: Readonly<Record<string, number>>,
  threads: (at: (name: string) => Cell) => Threads,
  final?: (peek: (name: string) => number) => string | undefined,
  identical: readonly (readonly number[])[] = [],
): Program<unknown> {
  const names = Object.keys(cells);
  let base = 0;
  const at = (name: string): Cell => base + names.indexOf(name);
  return {
    reserve(layout: Layout) {
      base = layout.reserve('shared', names);
      names.forEach((name, i) => layout.initialise(base + i, cells[name]!));
    },
    setup: () => undefined,
    threads: () => threads(at),
    identical,
    ...(final !== undefined && { final: (peek: (cell: Cell) => number) => final((name) => peek(at(name))) }),
  };
}

/** L1. `fence`: with the barriers that TSO needs. */
export function handshake(fence: boolean): Program<unknown> {
  return named(
    { mask: 0, gen: 1, pte: 1, sawMask: -1, sawGen: -1, sawPte: -1 },
    (at) => [
      function* flusher(cpu): Steps<void> {
        yield* cpu.writeOnce(at('pte'), 0);
        yield* cpu.writeOnce(at('gen'), 2);
        if (fence) yield* cpu.smpMb();
        cpu.write(at('sawMask'), yield* cpu.readOnce(at('mask')));
      },
      function* switcher(cpu): Steps<void> {
        yield* cpu.writeOnce(at('mask'), 1);
        if (fence) yield* cpu.smpMb();
        cpu.write(at('sawGen'), yield* cpu.readOnce(at('gen')));
        cpu.write(at('sawPte'), yield* cpu.readOnce(at('pte')));
      },
    ],
    (peek) =>
      peek('sawMask') === 0 && peek('sawGen') === 1 && peek('sawPte') === 1 ? 'the stale entry survives' : undefined,
  );
}

/**
 * L2. `queued`: flushes of each queuer; `entries` of the ring; `recheck`: the generation is read again after the entry. `forgets`: at the
 * head of each loop they say what they still know.
 */
export function ring(queued: readonly number[], entries: number, recheck = true, forgets = false): Program<unknown> {
  const cells: Record<string, number> = { gen: 0, lock: 0 };
  for (let i = 0; i < entries; i++) for (const field of ['gen', 'start', 'end']) cells[`${field}${i}`] = 0;
  const threads = (at: (name: string) => Cell): Threads => {
    const slot = (gen: number): { gen: Cell; start: Cell; end: Cell } => {
      const i = gen % entries;
      return { gen: at(`gen${i}`), start: at(`start${i}`), end: at(`end${i}`) };
    };
    const queuer = (count: number) =>
      function* enqueue(cpu: Cpu): Steps<void> {
        for (let k = 0; k < count; k++) {
          if (forgets) bareOf(cpu).forget(1 + k);
          const gen = yield* cpu.atomicAddReturn(at('gen'), 1);
          const entry = slot(gen);
          yield* cpu.spinLock(at('lock'));
          yield* cpu.writeOnce(entry.gen, 0);
          yield* cpu.smpWmb();
          yield* cpu.writeOnce(entry.start, 10 * gen);
          yield* cpu.writeOnce(entry.end, 10 * gen + 5);
          yield* cpu.storeRelease(entry.gen, gen);
          yield* cpu.spinUnlock(at('lock'));
        }
        if (forgets) bareOf(cpu).forget(END);
      };
    const flusher = function* flush(cpu: Cpu): Steps<void> {
      const target = yield* cpu.loadAcquire(at('gen'));
      for (let gen = 1; gen <= target; gen++) {
        if (forgets) bareOf(cpu).forget(gen, target);
        const entry = slot(gen);
        if ((yield* cpu.loadAcquire(entry.gen)) !== gen) break;
        const start = yield* cpu.readOnce(entry.start);
        const end = yield* cpu.readOnce(entry.end);
        if (recheck) {
          yield* cpu.smpRmb();
          if ((yield* cpu.readOnce(entry.gen)) !== gen) break;
        }
        cpu.claim.that(start === 10 * gen && end === 10 * gen + 5, 'O16', 'a torn entry is used');
      }
      if (forgets) bareOf(cpu).forget(END);
    };
    return [...queued.map(queuer), flusher];
  };
  // Queuers are alike if they queue as many.
  const groups = [...new Set(queued)].map((n) => queued.flatMap((count, i) => (count === n ? [i] : [])));
  const identical = groups.filter((group) => group.length > 1);
  return named(cells, threads, undefined, identical);
}

/** Progress of code that is about to return. */
const END = 100;

/** Pages that thread i of {@link gather} zaps. */
const RANGES: readonly (readonly [start: number, end: number])[] = [
  [1, 3],
  [2, 4],
  [1, 4],
];

/**
 * L3. `buggy`: threads flush what they cleared; `force`: all of their range if another one is pending; `sync`: they wait
 * until nobody is pending. `forgets`: at the head of each loop they say what they still know. `alike`: they all zap the same range.
 */
export function gather(
  variant: 'buggy' | 'force' | 'sync',
  threads = 2,
  forgets = false,
  alike = false,
): Program<unknown> {
  const pages = [1, 2, 3];
  const cells: Record<string, number> = { pending: 0, ptl: 0 };
  for (const page of pages) cells[`pte${page}`] = cells[`tlb${page}`] = 1;
  const ranges = RANGES.slice(0, threads).map((range) => (alike ? RANGES[0]! : range));
  const zaps = (at: (name: string) => Cell): Threads =>
    ranges.map(
      ([lowest, end]) =>
        function* zap(cpu: Cpu): Steps<void> {
          let from = end;
          let to = lowest;
          const know = (progress: number, ...live: number[]): void => {
            if (forgets) bareOf(cpu).forget(progress, ...live);
          };
          yield* cpu.atomicAdd(at('pending'), 1);
          for (let page = lowest; page < end; page++) {
            know(page, from, to);
            yield* cpu.spinLock(at('ptl'));
            if ((yield* cpu.readOnce(at(`pte${page}`))) !== 0) {
              yield* cpu.writeOnce(at(`pte${page}`), 0);
              from = Math.min(from, page);
              to = page + 1;
            }
            yield* cpu.spinUnlock(at('ptl'));
          }
          know(10, from, to);
          if (variant === 'force' && (yield* cpu.readOnce(at('pending'))) > 1) {
            from = lowest;
            to = end;
          }
          for (let page = from; page < to; page++) {
            know(20 + page, to);
            yield* cpu.writeOnce(at(`tlb${page}`), 0);
          }
          know(30);
          yield* cpu.atomicAdd(at('pending'), -1);
          if (variant === 'sync') yield* cpu.waitFor(at('pending'), 'equal', 0);
          for (let page = lowest; page < end; page++) {
            know(40 + page);
            cpu.claim.that(
              (yield* cpu.readOnce(at(`tlb${page}`))) === 0,
              'O1',
              `page ${page} is stale after the operation`,
            );
          }
          know(END);
        },
    );
  return named(cells, zaps, undefined, alike ? [ranges.map((_, cpu) => cpu)] : []);
}
