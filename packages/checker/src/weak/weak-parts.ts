/**
 * Weak parts: what a machine has besides under weak memory, put together.
 *
 *     memory         messages, and who knows what of them
 *     walkers        what page walks read: of kernel code they lag; of bare instructions they are accesses of their own (walks)
 *     access flags   set by hardware of its own accord
 */
import { type Address, type Cell, entryPresent, entryTarget } from '@mmu-gather/core/stepped';
import type { Kinds } from '../kinds.ts';
import type { MachineOptions } from '../machine-options.ts';
import type { State } from '../state.ts';
import { Invalidations } from './invalidations.ts';
import type { WalkRule } from './walk-rules.ts';
import { LaggingWalkers, type WalkerOptions } from './walkers.ts';
import { Walks } from './walks.ts';
import { WeakMemory } from './weak-memory.ts';

/** No rule of walks. */
const NO_RULE: ReadonlySet<WalkRule> = new Set();

/** What they need of the machine. */
export interface WeakHost {
  readonly state: State;
  readonly options: MachineOptions;
  readonly kinds: Kinds;
  /** First word of the weak section. */
  readonly base: number;
  /** Words of the arena. */
  readonly cells: number;
  /** Of a program whose accesses walk: the first word of its broadcasts. */
  readonly invalidations: number;
  /** May this CPU still run code? */
  live(cpu: number): boolean;
  /** May this CPU still read an older value of a cell, or race with a plain access of it? @param plain there was one */
  mayLookAt(cpu: number, cell: Cell, plain: boolean): boolean;
  /** May this CPU still read what it wrote to a cell, or a plain access meet it? */
  mayMeetOwn(cpu: number, cell: Cell): boolean;
  /** Does the MMU of a CPU walk any table? */
  walks(cpu: number): boolean;
  /** The object around a cell; 0 if there is none. */
  around(cell: Cell): Address;
  /** Does an object begin there? */
  starts(address: Address): boolean;
  /** A data race with a write that the CPU does not know. */
  race(cell: Cell, writer: number, cpu: number, write: boolean): void;
}

/** Put together. */
export interface WeakParts {
  readonly memory: WeakMemory;
  readonly walkers: LaggingWalkers | Walks;
  /** If accesses walk. */
  readonly walks: Walks | undefined;
}

/** Makes them. */
export function weakParts(host: WeakHost): WeakParts {
  const { state, options, kinds } = host;
  const { isa } = options.backend;
  const memory = new WeakMemory(state, host.base, {
    cpus: options.cpus,
    cells: host.cells,
    multiCopyAtomic: isa.multiCopyAtomic,
    exact: options.exact === true,
    translated: options.walks !== undefined,
    live: (cpu) => host.live(cpu),
    mayLookAt: (cpu, cell, plain) => kinds.isRead(cell) || host.mayLookAt(cpu, cell, plain),
    mayMeetOwn: (cpu, cell) => host.mayMeetOwn(cpu, cell),
    objectOf: (cell) => host.around(cell),
    targetOf: (cell, value) => {
      if (!kinds.isEntry(cell)) return host.starts(value) ? value : 0;
      return entryPresent(value) ? host.around(entryTarget(value)) : 0;
    },
    race: (cell, writer, cpu, write) => host.race(cell, writer, cpu, write),
  });
  const ofWalkers: WalkerOptions = {
    cpus: options.cpus,
    walks: (cpu) => host.walks(cpu),
    isEntry: (cell) => kinds.isEntry(cell),
    isTranslation: (cell) => kinds.isTranslation(cell),
    cacheable: (entry) => entryPresent(entry) || isa.cachesInvalid !== undefined,
  };
  const { without = NO_RULE } = options.walks ?? {};
  const walks =
    options.walks === undefined
      ? undefined
      : new Walks(state, memory, host.invalidations, ofWalkers, isa.ets2 === true, without);
  const walkers = walks ?? new LaggingWalkers(memory, ofWalkers);
  memory.walkers = walkers;
  return { memory, walkers, walks };
}

/** Cells of the arena that a program whose accesses walk needs, with the one of access flags. */
export function walkCells(cpus: number): number {
  return Invalidations.cells(cpus) + 1;
}
