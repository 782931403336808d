/**
 * Final: which words of a machine make up a final state of a test, and what they mean.
 *
 *     results    the registers that the condition and `locations` name, and the faults of each thread
 *     cells      every location, and every page-table entry
 */
import { type Fault, type FaultPattern, forEachAtom, type Item, satisfies, showFault, showItem } from './condition.ts';
import type { FinalState } from './condition.ts';
import type { LitmusTest } from './test.ts';
import { show, type Value, type Words } from './values.ts';

/** Where the final state of a test stands. */
export class Final {
  /** Cells by name. */
  readonly cells: readonly string[];
  /** Number of result words. */
  readonly results: number;
  readonly #test: LitmusTest;
  readonly #words: Words;
  readonly #registers = new Map<string, number>();
  readonly #faultsAt: number;
  readonly #faults: (readonly Fault[])[] = [[]];
  readonly #faultNumbers = new Map<string, number>([['', 0]]);

  constructor(test: LitmusTest, words: Words) {
    this.#test = test;
    this.#words = words;
    this.cells = [...test.memory.keys()];
    for (const item of itemsOf(test)) {
      const name = showItem(item);
      if (item.kind === 'register' && !this.#registers.has(name)) this.#registers.set(name, this.#registers.size);
    }
    this.#faultsAt = this.#registers.size;
    this.results = this.#faultsAt + test.threads.length;
  }

  /** The registers of a thread that count. */
  registersOf(thread: number): { readonly name: string; readonly index: number }[] {
    const own: { name: string; index: number }[] = [];
    for (const [name, index] of this.#registers)
      if (name.startsWith(`${thread}:`)) own.push({ name: name.slice(`${thread}:`.length), index });
    return own;
  }

  /** Where a thread notes its faults. */
  faultsAt(thread: number): number {
    return this.#faultsAt + thread;
  }

  /** The word for some faults. */
  faultsWord(faults: readonly Fault[]): number {
    const text = faults
      .map((fault) => `${fault.thread}:${fault.labels.join('/')},${fault.location},${fault.type}`)
      .join(' ');
    let word = this.#faultNumbers.get(text);
    if (word === undefined) {
      word = this.#faults.length;
      this.#faultNumbers.set(text, word);
      this.#faults.push(faults);
    }
    return word;
  }

  /** The final state that words stand for: results, then cells. */
  state(words: readonly number[]): FinalState {
    const faults = this.#test.threads.flatMap((_, thread) => this.#faults[words[this.faultsAt(thread)]!] ?? []);
    const value = (item: Item): Value => {
      if (item.kind === 'register') return this.#words.value(words[this.#registers.get(showItem(item))!]!);
      return this.#words.value(words[this.results + this.cells.indexOf(item.name)]!);
    };
    return { value, faults };
  }

  /** What is shown of a state, as herd7 does: `1:X0=1; [x]=2; fault(P0:L0,x);`. */
  line(state: FinalState): string {
    const items = [...new Map(itemsOf(this.#test).map((item) => [showItem(item), item])).entries()];
    const parts = items.map(([name, item]) => `${name}=${show(state.value(item))};`);
    for (const pattern of faultPatternsOf(this.#test)) {
      const happened = satisfies(state, { kind: 'fault', fault: pattern });
      parts.push(`${happened ? '' : '~'}${showFault(pattern)};`);
    }
    return parts.join(' ');
  }
}

/** Items that the condition and `locations` name; registers first. */
function itemsOf(test: LitmusTest): Item[] {
  const items: Item[] = [];
  const propositions = [test.condition.proposition, ...(test.filter === undefined ? [] : [test.filter])];
  for (const proposition of propositions)
    forEachAtom(proposition, (atom) => {
      if (atom.kind === 'equal') items.push(atom.item);
    });
  for (const shown of test.shown) if ('item' in shown) items.push(shown.item);
  return items.toSorted((a, b) => (a.kind === b.kind ? 0 : a.kind === 'register' ? -1 : 1));
}

function faultPatternsOf(test: LitmusTest): FaultPattern[] {
  const patterns = new Map<string, FaultPattern>();
  forEachAtom(test.condition.proposition, (atom) => {
    if (atom.kind === 'fault') patterns.set(showFault(atom.fault), atom.fault);
  });
  for (const shown of test.shown) if ('fault' in shown) patterns.set(showFault(shown.fault), shown.fault);
  return [...patterns.values()];
}
