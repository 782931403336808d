/**
 * Generated shootdowns: page-table entries change, CPUs are called, flush, claim and go back to user mode, in an order that is
 * right more often than not. For a reduction that takes invalidations and ways back to user mode early.
 *
 *     enterKernel, change an entry, make a generation, flush here, call the others, await them, then rely on it
 *
 * Of this any step may be missing, come too early, or come twice.
 */
import {
  ACCESSED,
  type Address,
  type Cell,
  type Cpu,
  DIRTY,
  EVERYTHING,
  type Extent,
  mkEntry,
  type MemoryModel,
  Mm,
  PRESENT,
  RW,
  type Scope,
  type Steps,
  USER,
} from '@mmu-gather/core/stepped';
import type { Machine } from '../src/machine.ts';
import type { Run } from '../src/program.ts';
import { below, type Chance } from '../src/search/chance.ts';
import { bare } from './programs.ts';

/** What CPUs do; `a` and `b` are numbers that each kind reads in its own way. */
type Op = readonly [
  kind:
    | 'enterKernel'
    | 'enterUser'
    | 'change'
    | 'exchange'
    | 'plainChange'
    | 'detach'
    | 'gen'
    | 'readGen'
    | 'readEntry'
    | 'irqOff'
    | 'irqOn'
    | 'flush'
    | 'flushPage'
    | 'reload'
    | 'call'
    | 'await'
    | 'lock'
    | 'unlock'
    | 'limit'
    | 'settled'
    | 'observed'
    | 'finished'
    | 'caughtUp'
    | 'freePage'
    | 'freeTable'
    | 'userRead'
    | 'userWrite',
  a: number,
  b: number,
];

/** A program as data. */
export interface ShootdownProgram {
  readonly memory: MemoryModel;
  readonly strict: boolean;
  /** CPUs that begin in user mode. */
  readonly user: readonly boolean[];
  readonly code: readonly (readonly Op[])[];
  readonly handlers: readonly (readonly Op[])[];
}

/** Two or three CPUs, of which one or two shoot down. */
export function shootdownProgram(next: Chance): ShootdownProgram {
  const cpus = 2 + below(next, 2);
  const maybe = (odds: number): boolean => next() < odds;
  const mutate = (ops: readonly Op[]): Op[] => {
    const list = ops.filter(() => !maybe(0.06));
    if (list.length > 1 && maybe(0.15)) {
      const i = below(next, list.length - 1);
      [list[i], list[i + 1]] = [list[i + 1]!, list[i]!];
    }
    if (maybe(0.1)) list.splice(below(next, list.length + 1), 0, any());
    return list;
  };
  const any = (): Op => {
    const kinds = [
      'userRead',
      'userWrite',
      'enterUser',
      'enterKernel',
      'readEntry',
      'readGen',
      'reload',
      'flush',
    ] as const;
    return [kinds[below(next, kinds.length)]!, below(next, 2), below(next, 4)];
  };
  const shootdown = (cpu: number): Op[] => {
    const page = below(next, 2);
    const table = maybe(0.25);
    const locked = maybe(0.5);
    const change: Op = table ? ['detach', 0, 0] : [maybe(0.5) ? 'change' : 'exchange', page, below(next, 3)];
    const rely: Op[] = table
      ? [['freeTable', 0, 0]]
      : maybe(0.4)
        ? [['freePage', page, 0]]
        : [[(['limit', 'finished', 'settled'] as const)[below(next, 3)]!, page, maybe(0.7) ? 1 : 0]];
    const others = Array.from({ length: cpus }, (_, c) => c).filter((c) => c !== cpu);
    const calls = others.map((c): Op => ['call', c, 0]);
    const here: Op[] = [
      ['irqOff', 0, 0],
      ['readGen', 0, 0],
      [table || maybe(0.6) ? 'flush' : 'flushPage', page, 0],
      ...(maybe(0.5) ? ([['caughtUp', 0, 0]] as Op[]) : []),
      ['irqOn', 0, 0],
    ];
    return [
      ['enterKernel', 0, 0],
      ...(locked ? ([['lock', 0, 0]] as Op[]) : []),
      ...(maybe(0.3) ? ([['readEntry', page, 0]] as Op[]) : []),
      change,
      ...(rely[0]![0] === 'finished' ? ([['observed', page, 0]] as Op[]) : []),
      ...(locked ? ([['unlock', 0, 0]] as Op[]) : []),
      ['gen', 0, 0],
      ...(maybe(0.5) ? [...here, ...calls] : [...calls, ...here]),
      ['await', 0, 0],
      ...rely,
      ['enterUser', 0, 0],
      ...(maybe(0.2) ? [any()] : []),
    ];
  };
  const both = maybe(cpus === 2 ? 0.5 : 0.15);
  const code = Array.from({ length: cpus }, (_, cpu): Op[] => {
    if (cpu === 0 || (cpu === 1 && both)) return mutate(shootdown(cpu));
    return Array.from({ length: below(next, 4) }, any);
  });
  const handler: Op[] = [
    ...(maybe(0.7) ? ([['readGen', 0, 0]] as Op[]) : []),
    ['flush', 0, 0],
    ...(maybe(0.6) ? ([['caughtUp', 0, 0]] as Op[]) : []),
  ];
  return {
    memory: maybe(0.5) ? 'tso' : 'sc',
    strict: maybe(0.1),
    user: Array.from({ length: cpus }, () => maybe(0.8)),
    code,
    handlers: Array.from({ length: cpus }, () => mutate(handler)),
  };
}

/** Two or three CPUs with a few steps of such code in any order: what breaks in one order of them, often does not in others. */
export function fragmentProgram(next: Chance): ShootdownProgram {
  const cpus = 2 + below(next, 2);
  const maybe = (odds: number): boolean => next() < odds;
  const kinds: readonly Op[0][] = [
    ...(['change', 'exchange', 'flush', 'flush', 'enterUser', 'enterUser', 'enterKernel', 'enterKernel'] as const),
    ...(['gen', 'readGen', 'readEntry', 'call', 'call', 'await', 'limit', 'settled', 'caughtUp', 'caughtUp'] as const),
    ...(['freePage', 'detach', 'freeTable', 'irqOff', 'irqOn', 'userRead', 'userWrite', 'plainChange'] as const),
    ...(['observed', 'finished', 'reload', 'flushPage'] as const),
  ];
  const list = (from: readonly Op[0][], length: number): Op[] =>
    Array.from({ length }, (): Op => {
      const kind = from[below(next, from.length)]!;
      return [kind, kind === 'call' ? below(next, cpus) : below(next, 2), below(next, 4)];
    });
  // A few kinds a program: they meet more often.
  const some = Array.from({ length: 4 + below(next, 4) }, () => kinds[below(next, kinds.length)]!);
  const inHandlers = ['flush', 'caughtUp', 'readGen', 'flush', 'readEntry'] as const;
  return {
    memory: maybe(0.5) ? 'tso' : 'sc',
    strict: maybe(0.2),
    user: Array.from({ length: cpus }, () => maybe(0.5)),
    code: Array.from({ length: cpus }, () => list(some, 1 + below(next, 4))),
    handlers: Array.from({ length: cpus }, () => list(inHandlers, below(next, 3))),
  };
}

/** Where everything is. */
interface Place {
  readonly root: Address;
  readonly table: Address;
  readonly pages: readonly Address[];
  readonly mm: Mm;
  readonly lock: Cell;
}

const PAGE = 4096;
const LEAF = PRESENT | USER | ACCESSED | DIRTY;

/** The machine of a program: three pages, two of them mapped by one table. */
export function shootdownMachine({ memory, strict, user, code, handlers }: ShootdownProgram): Machine {
  let place: Place | undefined;
  let lock = 0;
  const setup = (start: Run): Place => {
    const at = start(0, function* (cpu): Steps<Place> {
      const mm = Mm.at(yield* cpu.alloc('mm'));
      const root = yield* cpu.alloc('table');
      const table = yield* cpu.alloc('table');
      const pages: Address[] = [];
      for (let i = 0; i < 3; i++) pages.push(yield* cpu.alloc('page'));
      yield* cpu.writeOnce(mm.pgd, root);
      yield* cpu.writeOnce(root, mkEntry(table, PRESENT | RW | USER | ACCESSED));
      yield* cpu.writeOnce(table, mkEntry(pages[0]!, LEAF | RW));
      yield* cpu.writeOnce(table + 1, mkEntry(pages[1]!, LEAF));
      return { root, table, pages, mm, lock };
    });
    code.forEach((_, c) =>
      start(c, function* (cpu): Steps<void> {
        yield* cpu.loadContext(at.root, 0, false);
        if (user[c] === true) yield* cpu.enterUser();
      }),
    );
    return at;
  };
  return bare(
    code.length,
    {
      reserve(layout) {
        lock = layout.reserve('lock', ['']);
      },
      setup: (start) => (place = setup(start)),
      threads: () => code.map((ops) => (cpu: Cpu) => run(cpu, ops, place!)),
    },
    memory,
    [(cpu: Cpu) => run(cpu, handlers[cpu.id]!, place!)],
    { pools: { mm: 1, vma: 0, page: 3, table: 2 }, strict },
  );
}

function scope(pages: Extent, walks: Extent): Scope {
  return { asid: 0, leaves: pages, walks, globals: false, broadcast: false };
}

const ALL: Extent = { start: 0, end: EVERYTHING };

function* run(cpu: Cpu, ops: readonly Op[], { root, table, pages, mm, lock }: Place): Steps<void> {
  let gen = 0;
  for (const [kind, a, b] of ops) {
    const range: Extent = { start: a * PAGE, end: (a + 1) * PAGE };
    const entry = [0, mkEntry(pages[a]!, LEAF), mkEntry(pages[2]!, LEAF | RW)][b % 3]!;
    if (kind === 'enterKernel') yield* cpu.enterKernel();
    else if (kind === 'enterUser') yield* cpu.enterUser();
    else if (kind === 'change') yield* cpu.writeOnce(table + a, entry);
    else if (kind === 'exchange') yield* cpu.xchg(table + a, entry);
    else if (kind === 'plainChange') cpu.write(table + a, entry);
    else if (kind === 'detach') yield* cpu.writeOnce(root, 0);
    else if (kind === 'gen') gen = yield* cpu.atomicAddReturn(mm.tlbGen, 1);
    else if (kind === 'readGen') gen = yield* cpu.readOnce(mm.tlbGen);
    else if (kind === 'readEntry') yield* cpu.readOnce(table + a);
    else if (kind === 'irqOff') yield* cpu.localIrqDisable();
    else if (kind === 'irqOn') yield* cpu.localIrqEnable();
    else if (kind === 'flush') yield* cpu.invalidate(scope(ALL, ALL));
    else if (kind === 'flushPage') yield* cpu.invalidate(scope(range, ALL));
    else if (kind === 'reload') yield* cpu.loadContext(root, 0, b !== 0);
    else if (kind === 'call') yield* cpu.sendIpi(a, 0, 0);
    else if (kind === 'await') yield* cpu.awaitIpis();
    else if (kind === 'lock') yield* cpu.spinLock(lock);
    else if (kind === 'unlock') yield* cpu.spinUnlock(lock);
    else if (kind === 'limit') cpu.claim.limit(root, range, b === 0 ? 'write' : 'none');
    else if (kind === 'settled') cpu.claim.settled(root, a * PAGE);
    else if (kind === 'observed') cpu.claim.observed(root, range);
    else if (kind === 'finished') cpu.claim.finished();
    else if (kind === 'caughtUp') cpu.claim.caughtUp(root, 0, gen);
    else if (kind === 'freePage') yield* cpu.free('page', pages[a]!);
    else if (kind === 'freeTable') yield* cpu.free('table', table);
    else if (kind === 'userRead') yield* cpu.userRead(a * PAGE);
    else yield* cpu.userWrite(a * PAGE, b);
  }
}
