/**
 * Programs of bare port calls around one page table, for tests of oracles: two levels of two entries, no kernel.
 */
import {
  ACCESSED,
  ALL,
  ALL_ASIDS,
  type Address,
  type Arena,
  type Backend,
  type Cell,
  type Cpu,
  DIRTY,
  type IpiHandler,
  type Isa,
  LINUX_6_18,
  mkEntry,
  type OracleId,
  Page,
  PRESENT,
  RW,
  type Steps,
  TINY,
  USER,
} from '@mmu-gather/core/stepped';
import { type Body, Machine, type Program, search } from '../src/index.ts';
import { bareBackend } from './programs.ts';

/** Flags of a read-only, a writable but clean, and a dirty entry. */
export const RO: number = PRESENT | USER | ACCESSED;
export const CLEAN: number = RO | RW;
export const WRITTEN: number = CLEAN | DIRTY;

/** What the setup leaves: a root with one table, which maps pages[0] at page 0. Page frames 0 and 1 are a row, 2 and 3 are not mapped. */
export interface Tree {
  readonly root: Address;
  /** The entry of the root for pages 0 and 1. */
  readonly pmd: Cell;
  /** The table of pages 0 and 1. */
  readonly table: Address;
  /** The entry of page 0. */
  readonly pte: Cell;
  readonly pages: readonly Address[];
}

/** How to set the stage. */
export interface Stage {
  readonly cpus?: number;
  /** Flags of the entry of page 0. */
  readonly flags?: number;
  /** CPUs that have the root loaded; 1 if not given. */
  readonly loaded?: readonly number[];
  /** CPUs of these that are in user mode; all if not given. */
  readonly user?: readonly number[];
  readonly tso?: boolean;
  readonly weak?: boolean;
  readonly handlers?: readonly IpiHandler[];
  readonly isa?: Partial<Isa>;
  /** What the backend has besides. */
  readonly own?: (arena: Arena) => Partial<Backend>;
  readonly oraclesOff?: readonly OracleId[];
  readonly invariant?: NonNullable<Program<Tree>['invariant']>;
  readonly noteSites?: boolean;
}

/** A machine whose CPUs run these bodies around one page table. */
export function onTree(threads: (tree: Tree) => readonly (Body | undefined)[], stage: Stage = {}): Machine<Tree> {
  const program: Program<Tree> = {
    setup(run) {
      const tree = run(0, function* (cpu): Steps<Tree> {
        const root = yield* cpu.alloc('table');
        const table = yield* cpu.alloc('table');
        const row = yield* cpu.alloc('page', 2);
        const pages = [row, row + Page.words, yield* cpu.alloc('page'), yield* cpu.alloc('page')];
        yield* cpu.writeOnce(table, mkEntry(pages[0]!, stage.flags ?? WRITTEN));
        yield* cpu.writeOnce(root, mkEntry(table, WRITTEN));
        return { root, pmd: root, table, pte: table, pages };
      });
      for (const n of stage.loaded ?? [1]) {
        run(n, function* (cpu): Steps<void> {
          yield* cpu.loadContext(tree.root, 0, false);
          if ((stage.user ?? [n]).includes(n)) yield* cpu.enterUser();
        });
      }
      return tree;
    },
    threads,
    ...(stage.invariant === undefined ? {} : { invariant: stage.invariant }),
  };
  return new Machine(
    {
      cpus: stage.cpus ?? 2,
      geometry: TINY,
      backend: bareBackend(stage.handlers ?? [flushAll], stage.isa, stage.own),
      profile: LINUX_6_18,
      memoryModel: stage.weak === true ? 'weak' : stage.tso === true ? 'tso' : 'sc',
      pools: { mm: 1, vma: 1, page: 4, table: 3, mapping: 0, area: 0 },
      oraclesOff: stage.oraclesOff ?? [],
      noteSites: stage.noteSites === true,
    },
    program,
  );
}

/** Drops everything on the CPU that calls it. */
export function flushAll(cpu: Cpu): Steps<void> {
  return cpu.invalidate({ asid: ALL_ASIDS, leaves: ALL, walks: ALL, globals: true, broadcast: false });
}

/** Drops everything on other CPUs. */
export function* flushOthers(cpu: Cpu, ...others: number[]): Steps<void> {
  for (const other of others) yield* cpu.sendIpi(other, 0, 0);
  yield* cpu.awaitIpis();
}

/** The oracle that a complete search finds violated, or 'holds'; by states and by traces. */
export function verdict(machine: Machine<Tree>): string {
  const [found, again] = (['states', 'dpor'] as const).map((strategy) => {
    const result = search(machine, { strategy, checkKeys: true });
    return result.violation?.oracle ?? result.verdict;
  });
  return found === again ? found! : `${found} by states, ${again} by traces`;
}
