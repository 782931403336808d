/**
 * Condition: what a test asks of its final states.
 *
 *     exists P      Allowed if some final state satisfies P, Forbidden if none does
 *     ~exists P     the same question, asked the other way round: it holds if no state satisfies P
 *     forall P      Required if every final state satisfies P
 *
 *     P     ::=  P \/ P | P /\ P | P => P | ~P | not P | (P) | true | false | atom
 *     atom  ::=  item = value | item != value | fault(P0:L0, x, MMU:Translation)
 *     item  ::=  0:X1 | x | [x] | x[1] | pte_x | PTE(x) | [PTE(x)]
 */
import { same, show, type Value } from './values.ts';

/** Something that a final state has a value for. */
export type Item = RegisterItem | LocationItem;

/** A register of a thread. */
export interface RegisterItem {
  /** Which kind of item. */
  readonly kind: 'register';
  /** Number of the thread. */
  readonly thread: number;
  /** Its one name: `X0` for W0, `rax` for %eax; in C a variable. */
  readonly name: string;
}

/** A location, or the cell of its page-table entry. */
export interface LocationItem {
  /** Which kind of item. */
  readonly kind: 'location';
  /** `x`, `x[1]`, `PTE(x)`. */
  readonly name: string;
}

/** A pattern of faults: each field that is given must agree. */
export interface FaultPattern {
  /** Number of the thread. */
  readonly thread: number;
  /** A label of the instruction. */
  readonly label?: string;
  /** The location that was to be accessed. */
  readonly location?: string;
  /** Translation, AccessFlag, Permission. */
  readonly type?: string;
}

/** A proposition. */
export type Proposition = Junction | Negation | Constant | Equality | Faulting;

/** All of some propositions, or any. */
export interface Junction {
  /** Which kind of proposition. */
  readonly kind: 'and' | 'or';
  /** The propositions. */
  readonly parts: readonly Proposition[];
}

/** Not a proposition. */
export interface Negation {
  /** Which kind of proposition. */
  readonly kind: 'not';
  /** The proposition. */
  readonly part: Proposition;
}

/** Always so, or never. */
export interface Constant {
  /** Which kind of proposition. */
  readonly kind: 'constant';
  /** Which of the two. */
  readonly value: boolean;
}

/** Something has a value. */
export interface Equality {
  /** Which kind of proposition. */
  readonly kind: 'equal';
  /** What. */
  readonly item: Item;
  /** Which value. */
  readonly value: Value;
}

/** A fault happened. */
export interface Faulting {
  /** Which kind of proposition. */
  readonly kind: 'fault';
  /** Which. */
  readonly fault: FaultPattern;
}

/** The question. */
export type Quantifier = 'exists' | '~exists' | 'forall';

/** A quantified proposition. */
export interface Condition {
  /** What is asked. */
  readonly quantifier: Quantifier;
  /** About what. */
  readonly proposition: Proposition;
}

/** A fault that happened. */
export interface Fault {
  /** Number of the thread. */
  readonly thread: number;
  /** Labels of the instruction. */
  readonly labels: readonly string[];
  /** The location that was to be accessed. */
  readonly location: string;
  /** Translation, AccessFlag, Permission. */
  readonly type: string;
}

/** A final state. */
export interface FinalState {
  /** The value of an item. */
  value(item: Item): Value;
  /** What faulted on the way. */
  readonly faults: readonly Fault[];
}

/** Does a state satisfy a proposition? */
export function satisfies(state: FinalState, proposition: Proposition): boolean {
  switch (proposition.kind) {
    case 'and':
      return proposition.parts.every((part) => satisfies(state, part));
    case 'or':
      return proposition.parts.some((part) => satisfies(state, part));
    case 'not':
      return !satisfies(state, proposition.part);
    case 'constant':
      return proposition.value;
    case 'equal':
      return same(state.value(proposition.item), proposition.value);
    case 'fault':
      return state.faults.some((fault) => matches(fault, proposition.fault));
  }
}

function matches(fault: Fault, { thread, label, location, type }: FaultPattern): boolean {
  return (
    fault.thread === thread &&
    (label === undefined || fault.labels.includes(label)) &&
    (location === undefined || fault.location === location) &&
    (type === undefined || fault.type === type)
  );
}

/** Calls back with every atom. */
export function forEachAtom(proposition: Proposition, visit: (atom: Proposition) => void): void {
  if (proposition.kind === 'and' || proposition.kind === 'or') for (const p of proposition.parts) forEachAtom(p, visit);
  else if (proposition.kind === 'not') forEachAtom(proposition.part, visit);
  else visit(proposition);
}

/** An item as text. */
export function showItem(item: Item): string {
  return item.kind === 'register' ? `${item.thread}:${item.name}` : `[${item.name}]`;
}

/** A proposition as text, as herd7 writes it. */
export function showProposition(proposition: Proposition): string {
  switch (proposition.kind) {
    case 'and':
    case 'or': {
      const sign = proposition.kind === 'and' ? ' /\\ ' : ' \\/ ';
      return `(${proposition.parts.map(showProposition).join(sign)})`;
    }
    case 'not':
      return `not ${showProposition(proposition.part)}`;
    case 'constant':
      return `${proposition.value}`;
    case 'equal':
      return `${showItem(proposition.item)}=${show(proposition.value)}`;
    case 'fault':
      return showFault(proposition.fault);
  }
}

/** A pattern of faults as text. */
export function showFault({ thread, label, location, type }: FaultPattern): string {
  const where = label === undefined ? `P${thread}` : `P${thread}:${label}`;
  return `fault(${[where, location, type && `MMU:${type}`].filter((part) => part !== undefined).join(',')})`;
}
