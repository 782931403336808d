/**
 * Slots: on which CPUs it is not known yet which address spaces have an ASID slot.
 *
 * A recording begins on a machine that was at work. An address space that was there before may have had a slot: then its first load
 * keeps it, and takes no new one. From then on as many new slots as there are must be taken before everything that could be there
 * is known to have come since: address spaces leave in the order in which they came.
 */

/** Knows what each CPU's slots may hold. */
export class Slots {
  readonly #count: number;
  /** New slots that must still be taken, by CPU. */
  readonly #open: number[];
  readonly #met = new Set<string>();

  /** @param count slots of a CPU */
  constructor(cpus: number, count: number) {
    this.#count = count;
    this.#open = Array.from({ length: cpus }, () => 0);
  }

  /** A CPU loads an address space. @returns whether it is open what that does. @param before the recording it existed */
  loads(cpu: number, space: number, before: boolean): boolean {
    const key = `${cpu}:${space}`;
    if (before && !this.#met.has(key)) {
      this.#met.add(key);
      this.#open[cpu] = this.#count;
    }
    return this.#open[cpu]! > 0;
  }

  /** An address space is gone. */
  forget(space: number): void {
    for (const cpu of this.#open.keys()) this.#met.delete(`${cpu}:${space}`);
  }

  /** A CPU took a new slot. */
  took(cpu: number): void {
    if (this.#open[cpu]! > 0) this.#open[cpu]!--;
  }
}
