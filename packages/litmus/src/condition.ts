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
export type Item =
  | { readonly kind: 'register'; readonly thread: number; readonly name: string }
  | { readonly kind: 'location'; readonly name: string };

/** A pattern of faults: each field that is given must agree. */
export interface FaultPattern {
  readonly thread: number;
  readonly label?: string;
  readonly location?: string;
  /** Translation, AccessFlag, Permission. */
  readonly type?: string;
}

/** A proposition. */
export type Proposition =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Proposition[] }
  | { readonly kind: 'not'; readonly part: Proposition }
  | { readonly kind: 'constant'; readonly value: boolean }
  | { readonly kind: 'equal'; readonly item: Item; readonly value: Value }
  | { readonly kind: 'fault'; readonly fault: FaultPattern };

/** The question. */
export type Quantifier = 'exists' | '~exists' | 'forall';

/** A quantified proposition. */
export interface Condition {
  readonly quantifier: Quantifier;
  readonly proposition: Proposition;
}

/** A fault that happened. */
export interface Fault {
  readonly thread: number;
  readonly labels: readonly string[];
  readonly location: string;
  readonly type: string;
}

/** A final state. */
export interface FinalState {
  /** The value of an item. */
  value(item: Item): Value;
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
