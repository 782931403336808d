/**
 * Diagram: an execution as kernel people draw races, one column per CPU, one line per step.
 *
 *     step   what the CPU did, what it read and from which step       function, file and line
 *
 * Under weak a stale load says which newer store it does not see: `read x -> 0 (before step 3)`.
 *
 * The machine is taken along the path once more, with stacks noted. Steps on memory that only one CPU touches in this
 * execution say nothing about the race and are left out unless `full`.
 */
import type { Violation } from './explorable.ts';
import type { Machine } from './machine.ts';
import type { OpName } from './op.ts';
import { placeIn } from './site.ts';

/** A step of a path: which actor, which of its choices. */
export type PathStep = readonly [actor: number, choice: number];

/** One line of a diagram. */
export interface Row {
  /** Number of the step in the whole execution, from 1. */
  readonly step: number;
  /** Whose column. */
  readonly cpu: number;
  /** Interrupt side, drain of the store buffer, or main code. */
  readonly side: 'main' | 'irq' | 'drain';
  /** What happened. */
  readonly text: string;
  /** Innermost kernel function, '' for drains and deliveries. */
  readonly fn: string;
  /** File and line, '' if there is none. */
  readonly site: string;
  /** Whether another CPU has to do with it. */
  readonly shared: boolean;
}

/** An execution explained. */
export interface Explanation {
  /** All steps. */
  readonly rows: readonly Row[];
  /** What it violates, if anything. */
  readonly violation: Violation | undefined;
  /** Number of CPUs. */
  readonly cpus: number;
}

/** Steps that change what CPUs can reach: always worth a line. */
const ALWAYS: ReadonlySet<OpName> = new Set([
  'sendIpi',
  'loadContext',
  'invalidate',
  'cmpxchgAndInvalidate',
  'userRead',
  'userWrite',
  'kernelRead',
  'enterUser',
  'free',
  'freeRcu',
  'synchronizeRcu',
  'awaitReaders',
  'irqReturn',
]);
/** Shown where a walker met what was freed: else they concern one CPU only. */
const SECTIONS: ReadonlySet<OpName> = new Set(['rcuReadLock', 'rcuReadUnlock']);
const READS: ReadonlySet<OpName> = new Set([
  'readOnce',
  'loadAcquire',
  'xchg',
  'cmpxchg',
  'atomicAddReturn',
  'atomicFetchAndNot',
  'waitFor',
  'bareLoad',
  'bareLoadExclusive',
  'bareStoreExclusive',
  'bareRmw',
  'bareCas',
  'downReadTrylock',
  'userRead',
  'kernelRead',
  'mayFail',
  'alloc',
]);

const ONLY_READS: ReadonlySet<OpName> = new Set([
  'readOnce',
  'loadAcquire',
  'waitFor',
  'bareLoad',
  'bareLoadExclusive',
]);
/** They write even where the value stays. */
const STORES: ReadonlySet<OpName> = new Set(['writeOnce', 'storeRelease', 'xchg', 'bareStore', 'bareRmw']);

function noteWrite(writes: Map<number, number[]>, cell: number, step: number): void {
  const steps = writes.get(cell);
  if (steps === undefined) writes.set(cell, [step]);
  else steps.push(step);
}

/** Where a value comes from, by the steps that wrote to the cell, of which a load has missed the last ones. */
function origin(steps: readonly number[] | undefined, missed: number): string {
  if (steps === undefined) return '';
  const from = steps[steps.length - 1 - missed];
  const not = missed === 0 ? '' : `before step ${steps[Math.max(0, steps.length - missed)]}`;
  if (from === undefined) return not === '' ? '' : ` (${not})`;
  return ` (step ${from}${not === '' ? '' : `, ${not}`})`;
}

/**
 * Takes a machine, in its first state, along a path. The machine is back in its first state afterwards.
 * @param look called before the first step and after each
 */
export function explain(machine: Machine, path: readonly PathStep[], look?: () => void): Explanation {
  const cpus = machine.actors / 3;
  const rows: (Omit<Row, 'shared'> & { cell: number; kind: OpName | 'drain' | 'deliver' })[] = [];
  /** Steps that wrote to a cell, oldest first. */
  const writes = new Map<number, number[]>();
  /** Stores that only their own CPU sees as yet, by CPU: cell and step, oldest first. */
  const buffered = Array.from({ length: cpus }, (): { cell: number; step: number }[] => []);
  const touched = new Map<number, Set<number>>();
  const written = new Set<number>();
  const mark = machine.mark();
  machine.noteStacks(true);
  let violation: Violation | undefined;
  look?.();
  for (const [i, [actor, choice]] of path.entries()) {
    const cpu = actor % cpus;
    const step = i + 1;
    const process = machine.view.processOf(actor);
    if (process === undefined) {
      const drain = actor >= 2 * cpus;
      const text = drain ? machine.view.drainText(cpu) : machine.view.deliveryText(cpu);
      const cell = drain ? machine.view.drainCell(cpu) : -1;
      machine.perform(actor, choice);
      if (drain) {
        // Plain stores are no steps, and leave the buffer, too.
        if (buffered[cpu]![0]?.cell === cell) buffered[cpu]!.shift();
        noteWrite(writes, cell, step);
      }
      rows.push({
        step,
        cpu,
        side: drain ? 'drain' : 'irq',
        text,
        fn: '',
        site: '',
        cell,
        kind: drain ? 'drain' : 'deliver',
      });
    } else {
      const number = process.number;
      const kind = machine.view.stepKind(number);
      const cell = machine.view.stepCell(number);
      const before = cell >= 0 ? machine.state.words[cell] : 0;
      let text = machine.text.step(number);
      const missed = machine.view.missedStores(number, choice);
      const waitsOn = machine.view.waitsOn(number, choice);
      machine.perform(actor, choice);
      const value = machine.view.lastResult(number);
      if (READS.has(kind) && machine.violation?.oracle !== 'race') {
        const own = buffered[cpu]!.findLast((store) => store.cell === cell);
        const from = own === undefined ? origin(writes.get(cell), missed) : ` (step ${own.step})`;
        text += waitsOn ? ' -> not yet' : ` -> ${machine.text.value(cell, value)}${from}`;
      }
      // A buffer is first in, first out: as long as anything is left in it, the last store is.
      const isBuffered = STORES.has(kind) && machine.choices(2 * cpus + cpu) > 0;
      if (isBuffered) buffered[cpu]!.push({ cell, step });
      else if (cell >= 0 && (STORES.has(kind) || machine.state.words[cell] !== before)) noteWrite(writes, cell, step);
      if (cell >= 0 && !ONLY_READS.has(kind)) written.add(cell);
      const at = kind === 'irqReturn' ? { fn: '', site: '' } : placeIn(process.performedStack);
      rows.push({ step, cpu, side: number >= cpus ? 'irq' : 'main', text, ...at, cell, kind });
    }
    look?.();
    const cell = rows.at(-1)!.cell;
    if (cell >= 0) {
      if (!touched.has(cell)) touched.set(cell, new Set());
      touched.get(cell)!.add(cpu);
    }
    if (machine.violation !== undefined) {
      violation = machine.violation;
      break;
    }
  }
  violation ??=
    path.length > 0 && Array.from({ length: machine.actors }, (_, a) => machine.choices(a)).every((c) => c === 0)
      ? machine.checkEnd()
      : undefined;
  machine.noteStacks(false);
  machine.undo(mark);
  return {
    cpus,
    rows: rows.map(({ cell, kind, ...row }) => ({
      ...row,
      shared:
        kind === 'deliver' ||
        (kind !== 'drain' && (ALWAYS.has(kind) || (SECTIONS.has(kind) && violation?.oracle === 'O5'))) ||
        (cell >= 0 && kind !== 'drain' && machine.view.isPageTableEntry(cell) && !ONLY_READS.has(kind)) ||
        (written.has(cell) && (touched.get(cell)?.size ?? 0) > 1),
    })),
    violation,
  };
}

/** How to draw. */
export interface DrawOptions {
  /** Columns of the terminal. */
  readonly width?: number;
  /** Also steps that concern one CPU only. */
  readonly full?: boolean;
}

/** Columns of text if nothing is said. */
const DEFAULT_WIDTH = 120;
/** A CPU's column should be this wide; the sites of steps give way to it. */
const READABLE = 34;
/** And never narrower. */
const NARROWEST = 18;
/** Blanks between columns. */
const GAP = 2;

/** Where things stand in a line. */
interface Columns {
  /** Width of a CPU's column. */
  readonly cpu: number;
  /** The place of each shown step, as it is written. */
  readonly places: readonly string[];
  /** Whether places have a column of their own; if not, they stand at the right edge, where there is room. */
  readonly apart: boolean;
}

/**
 * Draws an explained execution as text. A wide terminal shows function, file and line of each step in a column of their own, a
 * narrower one file and line; on a narrow one these stand at the right edge, on a line of their own if need be.
 */
export function draw({ rows, violation }: Explanation, options: DrawOptions = {}): string {
  const shown = rows.filter((row) => options.full === true || row.shared);
  const cpus = [...new Set(rows.map((row) => row.cpu))].toSorted((a, b) => a - b);
  const numbers = `${rows.length}`.length + 1;
  const width = options.width ?? DEFAULT_WIDTH;
  const blank = ' '.repeat(numbers + GAP);
  const columns = layout(shown, cpus.length, width - numbers - GAP);
  const pad = (text: string): string => text.padEnd(columns.cpu + GAP);
  const lines: string[] = [`${blank}${cpus.map((cpu) => pad(`CPU ${cpu}`)).join('')}`.trimEnd()];
  shown.forEach((row, i) => {
    const prefix = row.side === 'irq' ? '  ' : row.side === 'drain' ? '~ ' : '';
    const text = wrap(prefix + row.text, columns.cpu).map((part, n) => {
      const head = n === 0 ? `${row.step}`.padStart(numbers) + ' '.repeat(GAP) : blank;
      return head + cpus.map((cpu) => pad(cpu === row.cpu ? part : '')).join('');
    });
    const place = columns.places[i]!;
    if (columns.apart) text[0] += place;
    else if (place !== '') {
      const at = Math.max(0, width - place.length);
      const fits = text.findIndex((line) => line.trimEnd().length < at);
      if (fits < 0) text.push(' '.repeat(at) + place);
      else text[fits] = text[fits]!.trimEnd().padEnd(at) + place;
    }
    for (const line of text) lines.push(line.trimEnd());
  });
  if (violation !== undefined)
    for (const text of wrap(`${violation.oracle}: ${violation.message}`, width - blank.length))
      lines.push(blank + text);
  const hidden = rows.length - shown.length;
  if (hidden > 0)
    lines.push(
      `${blank}(${hidden} ${hidden === 1 ? 'step that concerns one CPU only is' : 'steps that concern one CPU only are'} not shown)`,
    );
  return lines.join('\n');
}

/** Gives the CPUs readable columns, and the places what is left. */
function layout(shown: readonly Row[], cpus: number, width: number): Columns {
  const share = (rest: number): number => Math.floor(rest / Math.max(1, cpus)) - GAP;
  const named = shown.map((row) => (row.site === '' ? '' : `${row.fn} ${row.site}`.trim()));
  const sites = shown.map((row) => row.site);
  for (const places of [named, sites]) {
    const cpu = share(width - Math.max(0, ...places.map((place) => place.length)));
    if (cpu >= READABLE) return { cpu, places, apart: true };
  }
  return { cpu: Math.max(NARROWEST, share(width + GAP)), places: sites, apart: false };
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = '    ' + word;
    } else {
      line = line === '' && lines.length === 0 ? word : line === '' ? word : `${line} ${word}`;
    }
  }
  lines.push(line);
  return lines;
}
