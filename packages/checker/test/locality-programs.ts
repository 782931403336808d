/**
 * Generated programs for what a reduction by locality can get wrong: cells of one CPU beside shared ones, cells that change hands,
 * interrupts with handlers that store, plain accesses, data races, locks around shared cells, deadlocks. And toy programs with loops.
 */
import type { Cell, Cpu, MemoryModel, Steps } from '@mmu-gather/core/stepped';
import type { Machine } from '../src/machine.ts';
import { below, type Chance } from '../src/search/chance.ts';
import { bare } from './programs.ts';
import type { ToyOp, ToyProgram } from './toy.ts';

/** One step or plain access of a program. `plainRead` and `plainWrite` are no steps. */
type Op = readonly [
  kind:
    | 'read'
    | 'write'
    | 'plainRead'
    | 'plainWrite'
    | 'rmw'
    | 'await'
    | 'fence'
    | 'lock'
    | 'unlock'
    | 'downRead'
    | 'upRead'
    | 'downWrite'
    | 'upWrite'
    | 'send'
    | 'awaitSent'
    | 'irqOff'
    | 'irqOn'
    // Under weak only.
    | 'acquire'
    | 'release'
    | 'add'
    | 'loadFence'
    | 'storeFence'
    | 'never',
  at: number,
  value: number,
  /** Only if the last value read was this. */
  when?: number | undefined,
];

/** A program of the port as data. */
export interface LocalityProgram {
  readonly memory: MemoryModel;
  readonly code: readonly (readonly Op[])[];
  readonly handlers: readonly (readonly Op[])[];
}

/** Cells that all CPUs use, a spinlock, an rwsem; behind them one for each CPU. */
const SHARED = 3;
export const LOCK: number = SHARED;
const SEM = SHARED + 1;
export const OWN: number = SHARED + 2;

/** A program of two or three CPUs with lists of up to `length` ops. */
export function localityProgram(next: Chance, length: number): LocalityProgram {
  const cpus = 2 + below(next, 2);
  const memory = next() < 0.5 ? 'tso' : 'sc';
  const interrupts = next() < 0.5;
  const plain = next() < 0.3 ? 0.2 : 0.02;
  const list = (cpu: number, most: number, irq: boolean): Op[] => {
    const ops: Op[] = [];
    const ends: Op[] = [];
    let off = false;
    while (ops.length < most) {
      // Most accesses are to few cells, and some are to a cell of the CPU's own: its main code and its interrupts use it.
      const at = next() < 0.4 ? OWN + cpu : below(next, SHARED);
      const when = next() < 0.2 ? below(next, 2) : undefined;
      const value = below(next, 3);
      const roll = next();
      if (next() < plain) ops.push([next() < 0.6 ? 'plainRead' : 'plainWrite', at, value, when]);
      else if (interrupts && !irq && roll < 0.2) {
        const kind = below(next, 5);
        if (kind < 2) ops.push(['send', below(next, cpus), 0]);
        else if (kind === 2) ops.push(['awaitSent', 0, 0]);
        else {
          ops.push([off ? 'irqOn' : 'irqOff', 0, 0]);
          off = !off;
        }
      } else if (ends.length > 0 && roll < 0.4) ops.push(ends.pop()!);
      else if (roll < 0.28 && ops.length + 2 <= most && ends.length < 2) {
        const lock = below(next, 4);
        if (lock < 2) {
          ops.push(['lock', LOCK, 0]);
          ends.push(['unlock', LOCK, 0]);
        } else {
          ops.push([lock === 2 ? 'downRead' : 'downWrite', SEM, 0]);
          ends.push([lock === 2 ? 'upRead' : 'upWrite', SEM, 0]);
        }
      } else if (roll < 0.55) ops.push(['read', at, 0, when]);
      else if (roll < 0.8) ops.push(['write', at, value, when]);
      else if (roll < 0.9) ops.push(['rmw', at, 1, when]);
      else if (roll < 0.93) ops.push(['fence', 0, 0]);
      else if (roll < 0.96) ops.push(['await', at, below(next, 2)]);
      else ops.push(['never', at, 2]);
    }
    // What is held is given back, nearly always.
    while (ends.length > 0 && next() < 0.9) ops.push(ends.pop()!);
    return ops;
  };
  return {
    memory,
    code: Array.from({ length: cpus }, (_, cpu) => list(cpu, 1 + below(next, length), false)),
    handlers: interrupts ? Array.from({ length: cpus }, (_, cpu) => list(cpu, below(next, 3), true)) : [],
  };
}

/** A program of many critical sections. Some go wrong: a lock is let go by who does not hold it, or read, or a handler waits for it. */
export function lockingProgram(next: Chance): LocalityProgram {
  const cpus = 2 + below(next, 2);
  const odd = next() < 0.5 ? 0.1 : 0;
  const section = (): Op[] => {
    const at = below(next, SHARED);
    const inner: Op[] = [next() < 0.5 ? ['write', at, 1 + below(next, 2)] : ['read', at, 0]];
    const lock: Op = next() < odd ? ['read', LOCK, 0] : ['lock', LOCK, 0];
    const unlock: Op = next() < odd ? ['plainRead', LOCK, 0] : ['unlock', LOCK, 0];
    return [lock, ...inner, unlock];
  };
  const list = (cpu: number, sections: number): Op[] =>
    Array.from({ length: sections }, () => {
      const outside: Op = next() < 0.5 ? ['read', below(next, SHARED), 0] : ['write', below(next, SHARED), 1];
      const sends: Op[] = next() < 0.3 ? [['send', (cpu + 1) % cpus, 0]] : [];
      return [...(next() < 0.5 ? [outside] : []), ...section(), ...sends];
    }).flat();
  return {
    memory: next() < 0.5 ? 'tso' : 'sc',
    code: Array.from({ length: cpus }, (_, cpu) => list(cpu, 1 + below(next, 2))),
    handlers: Array.from({ length: cpus }, () => (next() < 0.2 ? section() : [['read', below(next, SHARED), 0]])),
  };
}

/** The same program under weak, with all kinds of orders. */
export function weakened(program: LocalityProgram, next: Chance): LocalityProgram {
  const other: Readonly<Record<string, readonly Op[0][]>> = {
    read: ['read', 'acquire'],
    write: ['write', 'release'],
    rmw: ['rmw', 'add'],
    fence: ['fence', 'loadFence', 'storeFence'],
  };
  const change = ([kind, ...rest]: Op): Op => {
    const kinds = other[kind] ?? [kind];
    return [kinds[below(next, kinds.length)]!, ...rest];
  };
  return {
    memory: 'weak',
    code: program.code.map((ops) => ops.map(change)),
    handlers: program.handlers.map((ops) => ops.map(change)),
  };
}

/** The machine of a program. */
export function localityMachine({ memory, code, handlers }: LocalityProgram): Machine {
  let cells = 0;
  return bare(
    code.length,
    {
      reserve(layout) {
        cells = layout.reserve(
          'cell',
          Array.from({ length: OWN + code.length }, (_, i) => `[${i}]`),
        );
      },
      setup: () => undefined,
      threads: () => code.map((ops) => (cpu: Cpu) => run(cpu, ops, cells)),
    },
    memory,
    handlers.length === 0 ? [] : [(cpu: Cpu) => run(cpu, handlers[cpu.id]!, cells)],
  );
}

function* run(cpu: Cpu, ops: readonly Op[], cells: Cell): Steps<void> {
  let last = 0;
  for (const [kind, at, value, when] of ops) {
    if (when !== undefined && when !== last) continue;
    const cell = cells + at;
    if (kind === 'read') last = yield* cpu.readOnce(cell);
    else if (kind === 'write') yield* cpu.writeOnce(cell, value);
    else if (kind === 'plainRead') last = cpu.read(cell);
    else if (kind === 'plainWrite') cpu.write(cell, value);
    else if (kind === 'rmw') last = yield* cpu.atomicAddReturn(cell, value);
    else if (kind === 'await') last = yield* cpu.waitFor(cell, 'equal', value);
    else if (kind === 'fence') yield* cpu.smpMb();
    else if (kind === 'acquire') last = yield* cpu.loadAcquire(cell);
    else if (kind === 'release') yield* cpu.storeRelease(cell, value);
    else if (kind === 'add') yield* cpu.atomicAdd(cell, value);
    else if (kind === 'loadFence') yield* cpu.smpRmb();
    else if (kind === 'storeFence') yield* cpu.smpWmb();
    else if (kind === 'lock') yield* cpu.spinLock(cell);
    else if (kind === 'unlock') yield* cpu.spinUnlock(cell);
    else if (kind === 'downRead') yield* cpu.downRead(cell);
    else if (kind === 'upRead') yield* cpu.upRead(cell);
    else if (kind === 'downWrite') yield* cpu.downWrite(cell);
    else if (kind === 'upWrite') yield* cpu.upWrite(cell);
    else if (kind === 'send') yield* cpu.sendIpi(at, 0, 0);
    else if (kind === 'awaitSent') yield* cpu.awaitIpis();
    else if (kind === 'irqOff') yield* cpu.localIrqDisable();
    else if (kind === 'irqOn') yield* cpu.localIrqEnable();
    else {
      last = yield* cpu.readOnce(cell);
      cpu.claim.that(last !== value, 'O16', `cell ${at} is ${value}`);
    }
  }
}

/** A toy program in which CPUs loop, some of them for ever; the others write and check. */
export function loopingProgram(next: Chance): ToyProgram {
  const cpus = 2 + below(next, 2);
  const list = (loops: boolean): ToyOp[] => {
    const ops: ToyOp[] = [];
    const length = 1 + below(next, 3);
    for (let i = 0; i < length; i++) {
      const at = below(next, 4);
      const roll = next();
      if (roll < 0.5) ops.push(['read', at]);
      else if (roll < 0.85) ops.push(['write', at, below(next, 3)]);
      else ops.push(['check', at, 2]);
    }
    // Back to the beginning: always, or for as long as the last value read was this.
    if (loops) ops.push(['again', 0, 0, next() < 0.3 ? undefined : below(next, 2)]);
    return ops;
  };
  return {
    memory: next() < 0.4 ? 'tso' : 'sc',
    code: Array.from({ length: cpus }, (_, cpu) => list(cpu === 0 || next() < 0.4)),
    cells: [0, 0, 0, 0],
  };
}
