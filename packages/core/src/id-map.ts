/**
 * IdMap: a set of small numbers that are given out, one bit each (asid_map, context_asid_map, mmu_context_ida). Plain accesses, under whoever's
 * lock it is.
 */
import type { Cpu } from './cpu.ts';
import type { Arena } from './kernel.ts';
import type { Address, Cell } from './struct.ts';

/** Bits in a word. */
const BITS = 31;

/** A set of numbers from 0 on. */
export interface IdMap {
  /** The first word. */
  readonly base: Address;
  /** Number of words. */
  readonly words: number;
}

/** Words that a set of the numbers below `count` takes. */
export function idMapWords(count: number): number {
  return Math.ceil(count / BITS);
}

/** Reserves a set with room for the numbers below `count`, empty. */
export function reserveIdMap(arena: Arena, name: string, count: number): IdMap {
  const words = idMapWords(count);
  const fields = Array.from({ length: words }, (_, word) => (words === 1 ? '' : `${word}`));
  return { base: arena.reserve(name, fields), words };
}

function wordOf({ base }: IdMap, id: number): Cell {
  return base + Math.floor(id / BITS);
}

/** Is a number in a set? */
export function testId(cpu: Cpu, map: IdMap, id: number): boolean {
  return (cpu.read(wordOf(map, id)) & (1 << (id % BITS))) !== 0;
}

/** Puts a number into a set. */
export function setId(cpu: Cpu, map: IdMap, id: number): void {
  const cell = wordOf(map, id);
  cpu.write(cell, cpu.read(cell) | (1 << (id % BITS)));
}

/** Takes a number out of a set. */
export function clearId(cpu: Cpu, map: IdMap, id: number): void {
  const cell = wordOf(map, id);
  cpu.write(cell, cpu.read(cell) & ~(1 << (id % BITS)));
}
