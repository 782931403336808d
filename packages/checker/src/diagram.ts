/**
 * Diagram: an execution as kernel people draw races, one column per CPU, one line per step.
 *
 *     step   what the CPU did, what it read and from which step       function, file and line
 *
 * The machine is taken along the path once more, with stacks noted. Steps on memory that only one CPU touches in this
 * execution say nothing about the race and are left out unless `full`.
 */
import type { Violation } from './explorable.ts';
import type { Machine } from './machine.ts';
import type { OpName } from './op.ts';

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
const ALWAYS: ReadonlySet<OpName> = new Set(['sendIpi', 'loadContext', 'invalidate', 'userRead', 'userWrite', 'enterUser', 'free', 'irqReturn']);
const READS: ReadonlySet<OpName> = new Set([
  'readOnce',
  'loadAcquire',
  'xchg',
  'cmpxchg',
  'atomicAddReturn',
  'atomicFetchAndNot',
  'waitFor',
  'userRead',
  'alloc',
]);

const ONLY_READS: ReadonlySet<OpName> = new Set(['readOnce', 'loadAcquire', 'waitFor']);

/** Takes a machine, in its first state, along a path. The machine is back in its first state afterwards. */
export function explain(machine: Machine, path: readonly PathStep[]): Explanation {
  const cpus = machine.actors / 3;
  const rows: (Omit<Row, 'shared'> & { cell: number; kind: OpName | 'drain' | 'deliver' })[] = [];
  const lastWrite = new Map<number, number>();
  const touched = new Map<number, Set<number>>();
  const written = new Set<number>();
  const mark = machine.mark();
  machine.noteStacks(true);
  let violation: Violation | undefined;
  for (const [i, [actor, choice]] of path.entries()) {
    const cpu = actor % cpus;
    const step = i + 1;
    const process = machine.processOf(actor);
    if (process === undefined) {
      const drain = actor >= 2 * cpus;
      const text = drain ? machine.drainText(cpu) : machine.deliveryText(cpu);
      const cell = drain ? machine.drainCell(cpu) : -1;
      machine.perform(actor, choice);
      if (drain) lastWrite.set(cell, step);
      rows.push({ step, cpu, side: drain ? 'drain' : 'irq', text, fn: '', site: '', cell, kind: drain ? 'drain' : 'deliver' });
    } else {
      const number = process.number;
      const kind = machine.stepKind(number);
      const cell = machine.stepCell(number);
      const before = cell >= 0 ? machine.state.words[cell] : 0;
      let text = machine.text.step(number);
      machine.perform(actor, choice);
      const value = machine.lastResult(number);
      if (READS.has(kind) && machine.violation?.oracle !== 'race') {
        const from = cell < 0 ? '' : lastWrite.has(cell) ? ` (step ${lastWrite.get(cell)})` : '';
        text += ` -> ${machine.text.value(cell, value)}${from}`;
      }
      if (cell >= 0 && machine.state.words[cell] !== before) lastWrite.set(cell, step);
      if (cell >= 0 && !ONLY_READS.has(kind)) written.add(cell);
      const at = kind === 'irqReturn' ? { fn: '', site: '' } : place(process.performedStack);
      rows.push({ step, cpu, side: number >= cpus ? 'irq' : 'main', text, ...at, cell, kind });
    }
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
  violation ??= path.length > 0 && Array.from({ length: machine.actors }, (_, a) => machine.choices(a)).every((c) => c === 0) ? machine.checkEnd() : undefined;
  machine.noteStacks(false);
  machine.undo(mark);
  return {
    cpus,
    rows: rows.map(({ cell, kind, ...row }) => ({
      ...row,
      shared:
        kind === 'deliver' ||
        (kind !== 'drain' && ALWAYS.has(kind)) ||
        (cell >= 0 && kind !== 'drain' && machine.isPageTableEntry(cell) && !ONLY_READS.has(kind)) ||
        (written.has(cell) && (touched.get(cell)?.size ?? 0) > 1),
    })),
    violation,
  };
}

/** The innermost frame of kernel or scenario code in a stack. */
function place(stack: string): { fn: string; site: string } {
  for (const line of stack.split('\n').slice(1)) {
    if (/[/\\]checker[/\\](src|dist)[/\\]|node:internal|\(<anonymous>\)/.test(line)) continue;
    const m = /at (?:async )?(?:(.*?) \()?(?:file:\/\/)?([^()]+?):(\d+):\d+\)?$/.exec(line.trim());
    if (m === null) continue;
    const fn = (m[1] ?? '').replace(/^Object\./, '').replace(/\.next$/, '');
    return { fn: fn === '<anonymous>' ? '' : fn, site: `${shorten(m[2]!)}:${m[3]}` };
  }
  return { fn: '', site: '' };
}

/** `.../packages/core/src/smp.ts` or an installed `@mmu-gather/core/src/smp.ts` as `core/smp.ts`; else the file's own name. */
function shorten(file: string): string {
  const m = /(?:packages|@mmu-gather)[/\\]([\w-]+)[/\\](?:src|dist[/\\]stepped|dist|test)[/\\](.*)$/.exec(file);
  return m === null ? file.replace(/^.*[/\\]/, '') : `${m[1]}/${m[2]}`.replaceAll('\\', '/');
}

/** How to draw. */
export interface DrawOptions {
  /** Columns of the terminal. */
  readonly width?: number;
  /** Also steps that concern one CPU only. */
  readonly full?: boolean;
}

/** Draws an explained execution as text. */
export function draw({ rows, violation, cpus: count }: Explanation, options: DrawOptions = {}): string {
  const shown = rows.filter((row) => options.full === true || row.shared);
  const cpus = Array.from({ length: count }, (_, cpu) => cpu);
  const places = shown.map((row) => (row.site === '' ? '' : `${row.fn} ${row.site}`.trim()));
  const numbers = `${rows.length}`.length + 1;
  const placeWidth = Math.max(0, ...places.map((p) => p.length));
  const width = options.width ?? 120;
  const column = Math.max(18, Math.floor((width - numbers - 2 - placeWidth - 2) / Math.max(1, cpus.length)) - 2);
  const lines: string[] = [];
  const pad = (text: string): string => text.padEnd(column + 2);
  lines.push(`${' '.repeat(numbers)}  ${cpus.map((cpu) => pad(`CPU ${cpu}`)).join('')}`.trimEnd());
  shown.forEach((row, i) => {
    const prefix = row.side === 'irq' ? '  ' : row.side === 'drain' ? '~ ' : '';
    wrap(prefix + row.text, column).forEach((text, part) => {
      const cells = cpus.map((cpu) => pad(cpu === row.cpu ? text : '')).join('');
      const head = part === 0 ? `${row.step}`.padStart(numbers) : ' '.repeat(numbers);
      lines.push(`${head}  ${cells}${part === 0 ? places[i] : ''}`.trimEnd());
    });
  });
  if (violation !== undefined) for (const text of wrap(`${violation.oracle}: ${violation.message}`, width - numbers - 2)) lines.push(`${' '.repeat(numbers)}  ${text}`);
  const hidden = rows.length - shown.length;
  if (hidden > 0) lines.push(`${' '.repeat(numbers)}  (${hidden} steps that concern one CPU only are not shown)`);
  return lines.join('\n');
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

