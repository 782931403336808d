/**
 * Sections: where each part of a machine has its words, one behind the other (words.ts has the picture).
 */
import type { MachineOptions } from './machine-options.ts';
import type { Layout } from './layout.ts';
import { Mmu } from './mmu/mmu.ts';
import { Objects } from './objects.ts';
import { Oracles } from './oracles.ts';
import { WeakMemory } from './weak/weak-memory.ts';
import { CPU_WORDS, PROCESS_WORDS, QUIET_WORDS } from './words.ts';

/** What oracles have words for. */
export interface Sizes {
  readonly cpus: number;
  /** Tables, each of which may be a root. */
  readonly roots: number;
  /** User pages of an address space. */
  readonly pages: number;
  readonly frames: number;
}

/** First words of the parts. */
export interface Sections {
  readonly sizes: Sizes;
  readonly cpus: number;
  readonly objects: number;
  readonly mmu: number;
  readonly oracles: number;
  readonly processes: number;
  readonly weak: number;
  /** The first word that is not part of the key. */
  readonly quiet: number;
  /** Number of all words. */
  readonly end: number;
}

/** The sections behind an arena. */
export function sectionsOf(options: MachineOptions, layout: Layout, isWeak: boolean): Sections {
  const { cpus: n, geometry } = options;
  const sizes = {
    cpus: n,
    roots: layout.pool('table').count,
    pages: 2 ** geometry.bits.reduce((a, b) => a + b, 0),
    frames: layout.pool('page').count,
  };
  const cpus = layout.words;
  const objects = cpus + n * CPU_WORDS;
  const mmu = objects + Objects.words(layout);
  const oracles = mmu + Mmu.words(options);
  const processes = oracles + Oracles.words(sizes);
  const weak = processes + 2 * n * PROCESS_WORDS;
  const quiet = weak + (isWeak ? WeakMemory.words({ cpus: n, cells: layout.words }) : 0);
  return { sizes, cpus, objects, mmu, oracles, processes, weak, quiet, end: quiet + 2 * n * QUIET_WORDS };
}
