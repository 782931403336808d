/**
 * Events: the last things that each CPU did, in a ring per CPU, for people who look at a violation. Times are microseconds of one clock.
 */
import type { Memory } from './memory.ts';

/**
 * What is noted, by the number that stands for it:
 *
 *     op             a number of whoever uses the machine      alloc, free    index in CACHES, number of the object
 *     userRead,      address, number of the page; -1 if it     sendIpi        target, handler
 *     userWrite      is none of the pool                       handler        handler
 *     fault          address, 1 for a store                    loadContext    root, tag, 1 if what is cached stays
 *     invalidate     tag, first address, first past it         barrier
 */
export const EVENT_NAMES = [
  'op',
  'userRead',
  'userWrite',
  'fault',
  'alloc',
  'free',
  'sendIpi',
  'handler',
  'loadContext',
  'invalidate',
  'barrier',
] as const;

/** One of {@link EVENT_NAMES}. */
export type EventName = (typeof EVENT_NAMES)[number];

/** Something that a CPU did. */
export interface Event {
  /** The CPU. */
  readonly cpu: number;
  /** Microseconds since the machine was made. */
  readonly time: number;
  /** What. */
  readonly name: EventName;
  /** Numbers; what they mean depends on the name. */
  readonly values: readonly [number, number, number];
}

const NAME = 'events';
const FIELDS = 5;
const CODES = Object.fromEntries(EVENT_NAMES.map((name, code) => [name, code])) as Record<EventName, number>;

/** The events of one machine. */
export class Events {
  readonly #memory: Memory;
  readonly #kept: number;
  readonly #heads: number;
  readonly #ring: number;

  /** Reserves their words. */
  static reserve(memory: Memory): void {
    const { cpus } = memory.kernel;
    memory.reserve(`${NAME}.heads`, cpus);
    memory.reserve(NAME, cpus * (memory.options.events ?? 0) * FIELDS * 2);
  }

  constructor(memory: Memory) {
    this.#memory = memory;
    this.#kept = memory.options.events ?? 0;
    this.#heads = memory.part(`${NAME}.heads`);
    this.#ring = memory.part(NAME) / 2;
  }

  /** Notes an event of this CPU. Only it writes its ring. */
  note(cpu: number, name: EventName, a = 0, b = 0, c = 0): void {
    if (this.#kept === 0) return;
    const { control, doubles } = this.#memory;
    const head = control[this.#heads + cpu]!;
    const at = this.#at(cpu, head);
    doubles[at] = CODES[name];
    doubles[at + 1] = microseconds();
    doubles[at + 2] = a;
    doubles[at + 3] = b;
    doubles[at + 4] = c;
    Atomics.store(control, this.#heads + cpu, head + 1);
  }

  /** The events that are kept of a CPU, oldest first. When it has stopped. */
  of(cpu: number): Event[] {
    const { control, doubles } = this.#memory;
    const head = Atomics.load(control, this.#heads + cpu);
    const events: Event[] = [];
    for (let n = Math.max(0, head - this.#kept); n < head; n++) {
      const at = this.#at(cpu, n);
      const [code, time, a, b, c] = doubles.subarray(at, at + FIELDS) as unknown as [
        number,
        number,
        number,
        number,
        number,
      ];
      events.push({ cpu, time, name: EVENT_NAMES[code]!, values: [a, b, c] });
    }
    return events;
  }

  #at(cpu: number, n: number): number {
    return this.#ring + (cpu * this.#kept + (n % this.#kept)) * FIELDS;
  }
}

/** One clock for all threads of a process or page. */
function microseconds(): number {
  return (performance.timeOrigin + performance.now()) * 1000;
}
