/**
 * Test: a litmus test as it was read, whatever the syntax.
 */
import type { Arithmetic, Value } from './values.ts';
import type { Condition, FaultPattern, Item } from './condition.ts';
import type { CStatement } from './c-syntax.ts';
import type { Instruction } from './instruction.ts';

export type { Arithmetic };

/** Languages of tests. */
export type Language = 'C' | 'X86_64' | 'AArch64';

/** One thread. */
export interface Thread {
  /** @internal Its program as instructions; none in C. */
  readonly code: readonly Instruction[];
  /** @internal Its program as C. */
  readonly statements: readonly CStatement[];
  /** Parameters of C: pointers to the locations of their names. */
  readonly parameters: readonly string[];
  /** @internal Instructions that run after a fault; undefined: there is no handler. */
  readonly handler: readonly Instruction[] | undefined;
  /** Runs at EL0. */
  readonly user: boolean;
  /** Hardware sets access flags (TTHM=HA). */
  readonly accessFlag: boolean;
  /** Hardware sets dirty state, and access flags (TTHM=HD). */
  readonly dirty: boolean;
}

/** What follows a fault in a thread without a handler: its end, the same instruction again, or the next one. */
export type FaultHandling = 'fatal' | 'handled' | 'skip';

/** Something to show of each final state. */
export type Shown = ShownItem | ShownFault;

/** A register or a location to show. */
export interface ShownItem {
  /** Which. */
  readonly item: Item;
}

/** A fault to show. */
export interface ShownFault {
  /** Which. */
  readonly fault: FaultPattern;
}

/** A test. */
export interface LitmusTest {
  /** The file that it was read from. */
  readonly file: string;
  /** The name that the file gives it. */
  readonly name: string;
  /** What it is written in. */
  readonly language: Language;
  /** Accesses are translated: the test has page-table entries, TLBIs or faults. */
  readonly vmsa: boolean;
  /** Initial values of locations and entries; what is not named is 0. */
  readonly memory: ReadonlyMap<string, Value>;
  /** Initial values of registers: `0:X1`. */
  readonly registers: ReadonlyMap<string, Value>;
  /** Bytes of the elements of arrays, by location. */
  readonly arrays: ReadonlyMap<string, number>;
  /** Its threads, from P0 on. */
  readonly threads: readonly Thread[];
  /** The test asks for FEAT_ETS2. */
  readonly ets2: boolean;
  /** What follows a fault where there is no handler. */
  readonly faults: FaultHandling;
  /** What it asks. */
  readonly condition: Condition;
  /** `locations [...]`: what else to show. */
  readonly shown: readonly Shown[];
  /** Final states that do not satisfy this do not count (`filter`). */
  readonly filter: Condition['proposition'] | undefined;
}
