/**
 * Graph: a machine that is drawn. For what a search does with cycles and several oracles.
 */
import type { Explorable, Violation } from '../src/explorable.ts';

/** Edges of each state, by actor. A state without edges is an end; one named `!O7` violates oracle O7. */
export type Edges = Readonly<Record<string, readonly (readonly [actor: number, to: string])[]>>;

/** Two CPUs; states are names, the first one is where it starts. */
export class Graph implements Explorable {
  readonly actors = 6;
  readonly #edges: Edges;
  readonly #names: readonly string[];
  readonly #past: string[] = [];
  #now: string;

  constructor(edges: Edges) {
    this.#edges = edges;
    this.#names = Object.keys(edges);
    this.#now = this.#names[0]!;
  }

  get violation(): Violation | undefined {
    return this.#now.startsWith('!') ? { oracle: this.#now.slice(1), message: this.#now } : undefined;
  }
  get keyLow(): number {
    return this.#names.indexOf(this.#now);
  }
  get keyHigh(): number {
    return 0;
  }
  #next(actor: number): readonly string[] {
    return (this.#edges[this.#now] ?? []).filter(([a]) => a === actor).map(([, to]) => to);
  }
  choices(actor: number): number {
    return this.#next(actor).length;
  }
  finished(): boolean {
    return true;
  }
  perform(actor: number, choice: number): void {
    this.#past.push(this.#now);
    this.#now = this.#next(actor)[choice]!;
  }
  checkEnd(): Violation | undefined {
    return undefined;
  }
  mark(): number {
    return this.#past.length;
  }
  undo(mark: number): void {
    if (this.#past.length > mark) this.#now = this.#past[mark]!;
    this.#past.length = mark;
  }
  footprint(): void {}
  observation(): string {
    return this.#now;
  }
  nextSteps(): string {
    return this.#now;
  }
}
