/**
 * Toy programs on the exploring machine: the same data, run through the Cpu port.
 */
import type { Cell, Cpu, Steps } from '@mmu-gather/core/stepped';
import type { Machine } from '../src/machine.ts';
import { bare } from './programs.ts';
import { CELLS, OPS, type ToyOp, type ToyProgram } from './toy.ts';

/** A toy program as a program of the port; `end` is what Toy.end gives for the same execution. */
export function onPort(program: ToyProgram): { machine: Machine; end: (observation: string) => string } {
  const cpus = program.code.length;
  let cells = 0;
  const reads = (cpu: number): Cell => cells + CELLS + cpu * 2 * OPS;
  const handlers =
    (program.handlers ?? []).length === 0
      ? []
      : [(cpu: Cpu) => run(cpu, program.handlers![cpu.id]!, cells, reads(cpu.id) + OPS)];
  const machine = bare(
    cpus,
    {
      reserve(layout) {
        cells = layout.reserve('cell', [
          ...range(CELLS),
          ...program.code.flatMap((_, cpu) => range(2 * OPS).map((i) => `${i}@${cpu}`)),
        ]);
        program.cells?.forEach((value, cell) => layout.initialise(cells + cell, value));
      },
      setup: () => undefined,
      threads: () => program.code.map((ops) => (cpu: Cpu) => run(cpu, ops, cells, reads(cpu.id))),
    },
    program.memory,
    handlers,
  );
  const end = (observation: string): string => {
    const words = observation.split('|')[0]!.split(',');
    return [
      words.slice(cells, cells + CELLS),
      ...program.code.map((_, cpu) => words.slice(reads(cpu), reads(cpu) + 2 * OPS)),
    ].join(' ');
  };
  return { machine, end };
}

function range(n: number): string[] {
  return Array.from({ length: n }, (_, i) => `[${i}]`);
}

/** One list of ops. */
function* run(cpu: Cpu, ops: readonly ToyOp[], cells: Cell, reads: Cell): Steps<void> {
  let last = 0;
  for (const [i, [kind, at = 0, value = 0, when]] of ops.entries()) {
    if (when !== undefined && when !== last) continue;
    const cell = cells + at;
    const note = (read: number): void => {
      last = read;
      cpu.write(reads + i, read + 1);
    };
    switch (kind) {
      case 'read':
        note(yield* cpu.readOnce(cell));
        break;
      case 'check':
        note(yield* cpu.readOnce(cell));
        cpu.claim.that(last !== value, 'O16', `cell ${at} is ${value}`);
        break;
      case 'await':
        note(yield* cpu.waitFor(cell, 'equal', value));
        break;
      case 'write':
        yield* cpu.writeOnce(cell, value);
        break;
      case 'unlock':
        yield* cpu.spinUnlock(cell);
        break;
      case 'lock':
        yield* cpu.spinLock(cell);
        break;
      case 'add':
        yield* cpu.atomicAdd(cell, value);
        break;
      case 'set':
        yield* cpu.atomicOr(cell, value);
        break;
      case 'clear':
        yield* cpu.atomicAndNot(cell, value);
        break;
      case 'rmw':
        note((yield* cpu.atomicAddReturn(cell, value)) - value);
        break;
      case 'fence':
        yield* cpu.smpMb();
        break;
      case 'send':
        yield* cpu.sendIpi(at, 0, 0);
        break;
      case 'awaitSent':
        yield* cpu.awaitIpis();
        break;
      case 'irqOff':
        yield* cpu.localIrqDisable();
        break;
      case 'irqOn':
        yield* cpu.localIrqEnable();
        break;
      case 'maybe':
      case 'again':
        throw new Error(`the port has no '${kind}'`);
    }
  }
}
