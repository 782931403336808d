/**
 * Generated toy programs: small enough for brute force, and rich in what searches get wrong.
 */
import { below, type Chance } from '../src/search/chance.ts';
import type { ToyOp, ToyProgram } from './toy.ts';

/** Cells for data; locks are another one. */
const DATA = 3;
const LOCK = 3;

/** A program of a few CPUs with two to five steps each, by seed. */
export function toyProgram(next: Chance): ToyProgram {
  return next() < 0.15 ? plainProgram(next) : richProgram(next);
}

/** Three or four CPUs that read and write two cells: many orders of few accesses. */
function plainProgram(next: Chance): ToyProgram {
  const cpus = 3 + below(next, 2);
  const op = (): ToyOp => (next() < 0.5 ? ['read', below(next, 2)] : ['write', below(next, 2), 1 + below(next, 2)]);
  return {
    memory: 'sc',
    code: Array.from({ length: cpus }, () => Array.from({ length: 6 - cpus }, op)),
    cells: [0, 0],
  };
}

/** Two or three CPUs that do everything. */
function richProgram(next: Chance): ToyProgram {
  const cpus = 2 + below(next, 2);
  const memory = next() < 0.4 ? 'tso' : 'sc';
  const interrupts = next() < 0.25;
  // Interleavings grow with every step, and buffered stores and interrupts are steps, too.
  const longest = (cpus === 2 ? 5 : 4) - (memory === 'tso' ? 1 : 0) - (interrupts ? 1 : 0);
  const list = (length: number, irq: boolean): ToyOp[] => {
    const ops: ToyOp[] = [];
    let read = false;
    let held = false;
    let off = false;
    while (ops.length < length) {
      const at = below(next, DATA);
      const when = read && next() < 0.3 ? below(next, 2) : undefined;
      const roll = next();
      if (held && roll < 0.4) {
        ops.push(['unlock', LOCK]);
        held = false;
        continue;
      }
      if (interrupts && !irq && roll < 0.35) {
        const other = below(next, cpus);
        if (roll < 0.15) ops.push(['send', other]);
        else if (roll < 0.25) ops.push(['awaitSent']);
        else {
          off = !off;
          ops.push([off ? 'irqOff' : 'irqOn']);
        }
        continue;
      }
      if (!held && roll < 0.15 && ops.length + 2 <= length) {
        ops.push(['lock', LOCK]);
        held = true;
      } else if (roll < 0.4) {
        ops.push(['read', at, 0, when]);
        read = true;
      } else if (roll < 0.65) ops.push(['write', at, below(next, 3), when]);
      else if (roll < 0.72) ops.push(['add', at, 1 - 2 * below(next, 2), when]);
      else if (roll < 0.79) {
        ops.push(['rmw', at, 1, when]);
        read = true;
      } else if (roll < 0.88) {
        ops.push(['await', at, below(next, 2)]);
        read = true;
      } else if (roll < 0.92) ops.push(['fence']);
      else if (roll < 0.96) {
        ops.push(['maybe', at]);
        read = true;
      } else ops.push(['check', at, 2]);
    }
    // A lock that is kept is an ordinary mistake: leave some.
    if (held && next() < 0.9) ops[ops.length - 1] = ['unlock', LOCK];
    return ops;
  };
  const code = Array.from({ length: cpus }, () => list(2 + below(next, longest - 1), false));
  const handlers = interrupts ? Array.from({ length: cpus }, () => list(below(next, 3), true)) : [];
  // Every seventh end is bad, on average and by its looks.
  const bad = next() < 0.3 ? (observation: string): boolean => hash(observation) % 7 === 0 : undefined;
  return {
    memory,
    code,
    handlers,
    cells: Array.from({ length: DATA }, () => below(next, 2)),
    ...(bad !== undefined && { bad }),
  };
}

/** Two or three CPUs that change two cells in ways of which some commute, look at them, and wait for them. */
export function changingProgram(next: Chance): ToyProgram {
  const cpus = 2 + below(next, 2);
  const op = (): ToyOp => {
    const at = below(next, 2);
    const roll = next();
    if (roll < 0.35) return ['add', at, 1 - 2 * below(next, 2)];
    if (roll < 0.5) return ['set', at, 1 + below(next, 3)];
    if (roll < 0.65) return ['clear', at, 1 + below(next, 3)];
    if (roll < 0.75) return ['read', at];
    if (roll < 0.9) return ['await', at, below(next, 3)];
    return roll < 0.95 ? ['write', at, below(next, 3)] : ['rmw', at, 1];
  };
  return {
    memory: next() < 0.8 ? 'sc' : 'tso',
    code: Array.from({ length: cpus }, () => Array.from({ length: 2 + below(next, 6 - cpus) }, op)),
    cells: [below(next, 2), 0],
  };
}

/** Two or three CPUs that run the same code, and perhaps one that runs other code; every seventh end is bad, whichever CPU is which. */
export function symmetricProgram(next: Chance): ToyProgram {
  const { memory, code, cells } = richCode(next);
  const twins = 2 + below(next, 2);
  const other = next() < 0.6 ? [code[1]!.slice(0, 3)] : [];
  const same = code[0]!.slice(0, twins === 3 || memory === 'tso' ? 3 : 4);
  const bad = next() < 0.3;
  return {
    memory,
    code: [...Array.from({ length: twins }, () => same), ...other],
    ...(cells !== undefined && { cells }),
    identical: [Array.from({ length: twins }, (_, i) => i)],
    ...(bad && { badEnd: (cellsAtEnd: string) => hash(cellsAtEnd) % 7 === 0 }),
  };
}

/** A program without interrupts. */
function richCode(next: Chance): ToyProgram {
  for (;;) {
    const program = richProgram(next);
    if (program.handlers?.length === 0) return program;
  }
}

function hash(text: string): number {
  let h = 0;
  for (let i = 0; i < text.length; i++) h = (Math.imul(h, 31) + text.charCodeAt(i)) | 0;
  return h >>> 0;
}
