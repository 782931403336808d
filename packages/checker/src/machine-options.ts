/**
 * Machine options: how a machine is built, beside what boot needs to know.
 */
import type { BootOptions, MemoryModel, OracleId } from '@mmu-gather/core/stepped';
import type { PoolSizes } from './layout.ts';
import type { WalkRule } from './weak/walk-rules.ts';

/** How to build a machine. */
export interface MachineOptions extends BootOptions {
  /** Instead of the backend's own. */
  readonly memoryModel?: MemoryModel;
  /** Objects that each CPU may allocate. */
  readonly pools?: Partial<PoolSizes>;
  /** Oracles that report nothing: for tests of what only one of them sees. */
  readonly oraclesOff?: readonly OracleId[];
  /**
   * A program of bare instructions (bare.ts): under weak all orders are followed exactly, and locks can be read. Kernel code is
   * followed as LKMM says.
   */
  readonly exact?: boolean;
  /** Of such a program whose accesses go through page tables: what walks do. It has some if this is given. */
  readonly walks?: WalkOptions;
  /** Note where code calls its steps, for {@link MachineView.stepSite}. */
  readonly noteSites?: boolean;
  /** Also check O1s: at the time a page is freed no CPU may hold an entry to it, whatever it runs. */
  readonly strict?: boolean;
}

/** What walks of a program of bare instructions do. */
export interface WalkOptions {
  /** Hardware of some CPU sets access flags: it may do so of its own accord, in every valid entry. */
  readonly setsAccessFlags: boolean;
  /** Rules to leave out, for tests of what each is for. */
  readonly without?: ReadonlySet<WalkRule>;
}
