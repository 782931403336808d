/**
 * Locks in one word each, 0 when free, that nobody starves at: who comes first is served first.
 *
 *     spinlock     next << 16 | serving
 *     rwsem        writer << 24 | readers << 16 | next << 8 | serving
 *
 * Who comes takes the ticket `next` and waits until it is served. Readers that are next to one another hold the lock together; a reader behind a
 * writer that waits, waits too. Who leaves a lock that nobody holds or waits for makes it 0 again. Tickets wrap; there are at most 31 CPUs.
 */

/** Called between two looks at a lock: serves interrupts, sleeps. @param turn how often so far */
export type Pause = (turn: number) => void;

const SPIN_NEXT = 1 << 16;
const SPIN_TICKETS = 0xffff;

/** Takes a spinlock. */
export function spinLock(ints: Int32Array, at: number, pause: Pause): void {
  if (Atomics.compareExchange(ints, at, 0, SPIN_NEXT) === 0) return;
  const ticket = (Atomics.add(ints, at, SPIN_NEXT) >>> 16) & SPIN_TICKETS;
  for (let turn = 0; (Atomics.load(ints, at) & SPIN_TICKETS) !== ticket; turn++) pause(turn);
}

/** Gives a spinlock back. */
export function spinUnlock(ints: Int32Array, at: number): void {
  for (;;) {
    const seen = Atomics.load(ints, at);
    const next = (seen >>> 16) & SPIN_TICKETS;
    const serving = ((seen & SPIN_TICKETS) + 1) & SPIN_TICKETS;
    const left = serving === next ? 0 : (next << 16) | serving;
    if (Atomics.compareExchange(ints, at, seen, left) === seen) return;
  }
}

const TICKETS = 0xff;
const READER = 1 << 16;
const READERS = 0xff << 16;
const WRITER = 1 << 24;

/** Changes a word until nobody was in between. @returns the new value, or the old one if `to` says undefined */
function change(ints: Int32Array, at: number, to: (seen: number) => number | undefined): number | undefined {
  for (;;) {
    const seen = Atomics.load(ints, at);
    const value = to(seen);
    if (value === undefined) return undefined;
    if (Atomics.compareExchange(ints, at, seen, value) === seen) return seen;
  }
}

const nextOf = (word: number): number => (word >> 8) & TICKETS;
const servingOf = (word: number): number => word & TICKETS;

function withTickets(word: number, next: number, serving: number): number {
  return (word & (WRITER | READERS)) | ((next & TICKETS) << 8) | (serving & TICKETS);
}

/** The word, or 0 if nobody holds the lock or waits for it. */
function freed(word: number): number {
  return (word & (WRITER | READERS)) === 0 && nextOf(word) === servingOf(word) ? 0 : word;
}

function takeTicket(ints: Int32Array, at: number): number {
  return nextOf(change(ints, at, (seen) => withTickets(seen, nextOf(seen) + 1, servingOf(seen)))!);
}

/** Waits for its turn, then for those inside that do not go with it. @param held who must have left */
function enter(ints: Int32Array, at: number, held: number, hold: number, pause: Pause): void {
  const ticket = takeTicket(ints, at);
  for (let turn = 0; ; turn++) {
    const entered = change(ints, at, (seen) =>
      servingOf(seen) !== ticket || (seen & held) !== 0
        ? undefined
        : withTickets(seen + hold, nextOf(seen), ticket + 1),
    );
    if (entered !== undefined) return;
    pause(turn);
  }
}

/** Takes an rwsem for read. */
export function downRead(ints: Int32Array, at: number, pause: Pause): void {
  enter(ints, at, WRITER, READER, pause);
}

/** Takes an rwsem for read that the caller holds for read already. */
export function readAgain(ints: Int32Array, at: number): void {
  Atomics.add(ints, at, READER);
}

/** Takes an rwsem for read if nobody writes or waits. */
export function downReadTrylock(ints: Int32Array, at: number): boolean {
  const entered = change(ints, at, (seen) =>
    (seen & WRITER) !== 0 || nextOf(seen) !== servingOf(seen) ? undefined : seen + READER,
  );
  return entered !== undefined;
}

/** Takes an rwsem for write. */
export function downWrite(ints: Int32Array, at: number, pause: Pause): void {
  enter(ints, at, WRITER | READERS, WRITER, pause);
}

/** Gives an rwsem back that is held for read. */
export function upRead(ints: Int32Array, at: number): void {
  change(ints, at, (seen) => freed(seen - READER));
}

/** Gives an rwsem back that is held for write. */
export function upWrite(ints: Int32Array, at: number): void {
  change(ints, at, (seen) => freed(seen - WRITER));
}

/** A writer becomes a reader. */
export function downgradeWrite(ints: Int32Array, at: number): void {
  change(ints, at, (seen) => seen - WRITER + READER);
}
