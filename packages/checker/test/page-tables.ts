/**
 * Programs of bare port calls around one page table, for tests of oracles: two levels of two entries, no kernel.
 */
import {
  ACCESSED,
  type Address,
  type Cell,
  type Cpu,
  DIRTY,
  type Geometry,
  type IpiHandler,
  LINUX_6_18,
  mkEntry,
  PRESENT,
  RW,
  type Steps,
  TINY,
  USER,
} from '@mmu-gather/core/stepped';
import { type Body, Machine, type Program, search, type Violation } from '../src/index.ts';
import { bareBackend } from './programs.ts';

/** Flags of a read-only, a writable but clean, and a dirty entry. */
export const RO: number = PRESENT | USER | ACCESSED;
export const CLEAN: number = RO | RW;
export const WRITTEN: number = CLEAN | DIRTY;

/** What the setup leaves: a root with two tables, of which the first maps pages[0] at page 0; CPU 1 runs it in user mode. */
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
  /** Whether CPU 1 has the root loaded and is in user mode. */
  readonly user?: boolean;
  readonly tso?: boolean;
  readonly handlers?: readonly IpiHandler[];
  readonly geometry?: Geometry;
}

/** A machine whose CPUs run these bodies around one page table. */
export function onTree(threads: (tree: Tree) => readonly (Body | undefined)[], stage: Stage = {}): Machine<Tree> {
  const program: Program<Tree> = {
    setup(run) {
      const tree = run(0, function* (cpu): Steps<Tree> {
        const root = yield* cpu.alloc('table');
        const table = yield* cpu.alloc('table');
        const pages = [yield* cpu.alloc('page', 2), yield* cpu.alloc('page'), yield* cpu.alloc('page')];
        yield* cpu.writeOnce(table, mkEntry(pages[0]!, stage.flags ?? WRITTEN));
        yield* cpu.writeOnce(root, mkEntry(table, WRITTEN));
        return { root, pmd: root, table, pte: table, pages };
      });
      if (stage.user !== false) {
        run(1, function* (cpu): Steps<void> {
          yield* cpu.loadContext(tree.root, 0, false);
          yield* cpu.enterUser();
        });
      }
      return tree;
    },
    threads,
  };
  return new Machine(
    {
      cpus: stage.cpus ?? 2,
      geometry: stage.geometry ?? TINY,
      backend: bareBackend(stage.handlers ?? []),
      profile: LINUX_6_18,
      memoryModel: stage.tso === true ? 'tso' : 'sc',
      pools: { mm: 1, vma: 1, page: 4, table: 3 },
    },
    program,
  );
}

/** Drops everything on the CPU that calls it. */
export function flushAll(cpu: Cpu): Steps<void> {
  const all = { start: 0, end: Number.MAX_SAFE_INTEGER };
  return cpu.invalidate({ asid: -1, leaves: all, walks: all, globals: true, broadcast: false });
}

/** What a complete search says: undefined if the program holds. */
export function verdictOf(machine: Machine<never> | Machine<Tree>): Violation | undefined {
  const found = search(machine, { checkKeys: true });
  return found.violation;
}
