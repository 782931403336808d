/**
 * Status: one line on standard error that says how far a long run is, if somebody is looking. It gives way to results.
 */
import { SingleBar } from 'cli-progress';
import { time } from './text.ts';

/** Results are held back this long at most, so that the line need not be redrawn for each. */
const HOLD = 150;

/** The line. */
export class Status {
  readonly #bar: SingleBar | undefined;
  readonly #total: number;
  readonly #began: number = performance.now();
  #done = 0;
  #left = '';
  #what = '';
  #held = '';
  #shown = 0;

  /** @param total parts of the work, if they can be counted beforehand */
  constructor(total?: number) {
    this.#total = total ?? 1;
    if (!process.stderr.isTTY) return;
    const columns = process.stderr.columns || 80;
    this.#bar = new SingleBar({
      stream: process.stderr,
      format: total === undefined ? '{what}' : '{bar} {value}/{total}  {clock}  {what}',
      barsize: Math.max(10, Math.min(24, columns - 60)),
      clearOnComplete: true,
      fps: 10,
    });
    this.#start();
  }

  /** Whether somebody is looking: else nothing need be said. */
  get shown(): boolean {
    return this.#bar !== undefined;
  }

  /** Says what is being done. @param left milliseconds that the rest will take, if that can be told */
  update(done: number, what: string, left?: () => number | undefined): void {
    this.#done = done;
    this.#what = what;
    if (this.#bar === undefined) return;
    const rest = left?.();
    this.#left = rest === undefined ? '' : `, about ${time(Math.max(1_000, rest))} left`;
    this.#bar.update(done, this.#words());
  }

  /** Writes results to standard output. */
  write(text: string): void {
    if (this.#bar === undefined) process.stdout.write(text);
    else {
      this.#held += text;
      if (performance.now() - this.#shown >= HOLD) this.flush();
    }
  }

  /** Shows what was held back. */
  flush(): void {
    if (this.#held === '') return;
    this.#bar?.stop();
    process.stdout.write(this.#held);
    this.#held = '';
    this.#shown = performance.now();
    this.#start();
  }

  /** Removes the line. */
  end(): void {
    this.flush();
    this.#bar?.stop();
  }

  #start(): void {
    this.#bar?.start(this.#total, this.#done, this.#words());
  }

  #words(): { clock: string; what: string } {
    return { clock: `${time(performance.now() - this.#began)}${this.#left}`, what: this.#what };
  }
}
