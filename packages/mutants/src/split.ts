/**
 * Split: what an atomic access is without its atomicity and its order, a load and a store.
 */
import type { Cell, Cpu, Steps } from '@mmu-gather/core/stepped';

function* change(cpu: Cpu, cell: Cell, to: (old: number) => number): Steps<number> {
  const old = yield* cpu.readOnce(cell);
  yield* cpu.writeOnce(cell, to(old));
  return old;
}

/** By name of the port's method. */
export const split = {
  xchg: (cpu: Cpu, cell: Cell, value: number): Steps<number> => change(cpu, cell, () => value),
  *cmpxchg(cpu: Cpu, cell: Cell, old: number, value: number): Steps<number> {
    const seen = yield* cpu.readOnce(cell);
    if (seen === old) yield* cpu.writeOnce(cell, value);
    return seen;
  },
  atomicAdd: (cpu: Cpu, cell: Cell, delta: number): Steps<number> => change(cpu, cell, (old) => old + delta),
  *atomicAddReturn(cpu: Cpu, cell: Cell, delta: number): Steps<number> {
    return (yield* change(cpu, cell, (old) => old + delta)) + delta;
  },
  atomicOr: (cpu: Cpu, cell: Cell, bits: number): Steps<number> => change(cpu, cell, (old) => old | bits),
  atomicAndNot: (cpu: Cpu, cell: Cell, bits: number): Steps<number> => change(cpu, cell, (old) => old & ~bits),
  atomicFetchAndNot: (cpu: Cpu, cell: Cell, bits: number): Steps<number> => change(cpu, cell, (old) => old & ~bits),
} as const;
