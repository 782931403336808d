/**
 * Rcu: who reads under RCU, and what waits for readers to leave.
 *
 *     CPU 0                               CPU 1
 *                                         rcu_read_lock, or interrupts off, or in a handler
 *                                         p = the table that the entry points to
 *     entry := none
 *     freeRcu(table)  waits for CPU 1
 *                                         read p
 *                                         rcu_read_unlock, interrupts on, end of the handler: the table is free
 *
 * A CPU is a *reader* while its nesting count is above 0, its interrupts are off, or its interrupt side runs. What begins to
 * wait notes the readers of that moment; each leaves once.
 *
 * A deferred free takes effect when the last of its readers leaves: as early as it can, and that is the worst case. No kernel
 * code can see whether an object was given back, addresses are never reused, and every oracle that minds an object which
 * is free minds it in all later states. So an execution that frees later shows nothing that this one does not.
 *
 * A real grace period also has a barrier on every CPU; under TSO, stores that a reader left in its store buffer may reach
 * memory after it here. That allows more than hardware does, and never less. Under weak a grace period orders as LKMM's law says: who
 * begins to read after its beginning knows what came before it, and its end knows what readers knew that it waited for.
 */
import type { Address } from '@mmu-gather/core/stepped';
import type { Objects } from './objects.ts';
import { CPU, type Words } from './words.ts';

/** Readers and grace periods of one machine. */
export class Rcu {
  readonly #words: Words;
  readonly #objects: Objects;
  readonly #release: (object: Address) => void;
  readonly #leaves: (reader: number, waiter: number) => void;

  /**
   * @param release gives back an object whose grace period is over
   * @param leaves called when a reader leaves that a CPU waits for
   */
  constructor(
    words: Words,
    objects: Objects,
    release: (object: Address) => void,
    leaves: (reader: number, waiter: number) => void,
  ) {
    this.#words = words;
    this.#objects = objects;
    this.#release = release;
    this.#leaves = leaves;
  }

  /** rcu_read_lock. */
  lock(cpu: number): void {
    this.#words.setCpu(cpu, CPU.rcuNesting, this.#words.cpu(cpu, CPU.rcuNesting) + 1);
  }

  /** rcu_read_unlock. @returns false if there is no lock to let go */
  unlock(cpu: number): boolean {
    const nesting = this.#words.cpu(cpu, CPU.rcuNesting);
    if (nesting === 0) return false;
    this.#words.setCpu(cpu, CPU.rcuNesting, nesting - 1);
    this.left(cpu);
    return true;
  }

  /** An object is given back once the readers of now have left. */
  free(object: Address): void {
    const readers = this.#readers();
    // What is not allocated is reported by the release.
    if (readers === 0 || !this.#objects.defer(object, readers)) this.#release(object);
  }

  /** synchronize_rcu begins: a CPU waits for the readers of now. */
  begin(cpu: number): void {
    this.#words.setCpu(cpu, CPU.rcuAwaited, this.#readers());
  }

  /** Does anything wait for any reader? */
  get waits(): boolean {
    if (this.#objects.waiting) return true;
    for (let cpu = 0; cpu < this.#words.cpus; cpu++) if (!this.ended(cpu)) return true;
    return false;
  }

  /** Have the readers that a CPU waits for left? */
  ended(cpu: number): boolean {
    return this.#words.cpu(cpu, CPU.rcuAwaited) === 0;
  }

  /** A CPU may have left what made it a reader. */
  left(cpu: number): void {
    if (this.#isReader(cpu)) return;
    const bit = 1 << cpu;
    for (let c = 0; c < this.#words.cpus; c++) {
      if ((this.#words.cpu(c, CPU.rcuAwaited) & bit) !== 0) this.#leaves(cpu, c);
      this.#words.setCpu(c, CPU.rcuAwaited, this.#words.cpu(c, CPU.rcuAwaited) & ~bit);
    }
    this.#objects.readerLeft(bit, this.#release);
  }

  #isReader(cpu: number): boolean {
    const words = this.#words;
    return words.cpu(cpu, CPU.rcuNesting) !== 0 || words.cpu(cpu, CPU.irqOff) !== 0 || words.cpu(cpu, CPU.inIrq) !== 0;
  }

  #readers(): number {
    let mask = 0;
    for (let cpu = 0; cpu < this.#words.cpus; cpu++) if (this.#isReader(cpu)) mask |= 1 << cpu;
    return mask;
  }
}
