/**
 * An architecture that believes nothing: whoever changes an entry says whose it is (mm), what it maps (address) and its level, and here
 * that must be so. A wrong mm or address would go unnoticed on x86, and would purge the wrong translation on others.
 *
 * Where the mm's tables lead to an entry for that address, it must be the one that changes. A table that is not linked (a split fills
 * one, khugepaged empties one) is known by the place of the entry in it.
 */
import {
  type Address,
  type Cell,
  type Cpu,
  type Entry,
  entryCell,
  entryPresent,
  entrySize,
  entryTarget,
  GENERIC_PTE,
  type Mm,
  PSE,
  type PteOps,
  type Steps,
  tableEntries,
} from '@mmu-gather/core/stepped';
import type { FakeMachine } from './fake-machine.ts';

/** A change that the architecture was asked for. */
export interface Change {
  readonly op: keyof PteOps;
  /** Address of the mm. */
  readonly mm: Address;
  readonly address: number;
  readonly level: number;
}

/** The cell of an entry of a level, 0 if the tables do not lead there. */
function linkedCell(machine: FakeMachine, mm: Mm, address: number, level: number): Cell {
  const { geometry } = machine.options;
  let table = machine.words[mm.pgd]!;
  for (let at = geometry.bits.length - 1; at > level; at--) {
    const entry = machine.words[entryCell(geometry, table, at, address)]!;
    if (!entryPresent(entry) || (entry & PSE) !== 0) return 0;
    table = entryTarget(entry);
  }
  return entryCell(geometry, table, level, address);
}

/** Is it the entry of the address in a table that no entry leads to? */
function inUnlinkedTable(machine: FakeMachine, address: number, pte: Cell, level: number): boolean {
  const { geometry } = machine.options;
  const entries = tableEntries(geometry, level);
  const table = [...machine.live.table].find((start) => start <= pte && pte < start + entries);
  return table !== undefined && entryCell(geometry, table, level, address) === pte;
}

/** The generic changes, with every argument checked and noted. */
export function checkedPte(machine: FakeMachine): PteOps {
  function check(op: keyof PteOps, mm: Mm, address: number, pte: Cell, level: number): void {
    const linked = linkedCell(machine, mm, address, level);
    const right = linked === 0 ? inUnlinkedTable(machine, address, pte, level) : linked === pte;
    if (!right || address % entrySize(machine.options.geometry, level) !== 0)
      throw new Error(`${op}: word ${pte} is not the entry of level ${level} for ${address} in mm ${mm.address}`);
    machine.changes.push({ op, mm: mm.address, address, level });
  }
  return {
    ...GENERIC_PTE,
    setPteAt(cpu: Cpu, mm: Mm, address: number, pte: Cell, entry: Entry, level: number): Steps<void> {
      check('setPteAt', mm, address, pte, level);
      return GENERIC_PTE.setPteAt(cpu, mm, address, pte, entry, level);
    },
    ptepGetAndClear(cpu: Cpu, mm: Mm, address: number, pte: Cell, level: number): Steps<Entry> {
      check('ptepGetAndClear', mm, address, pte, level);
      return GENERIC_PTE.ptepGetAndClear(cpu, mm, address, pte, level);
    },
    ptepGetAndClearFull(
      cpu: Cpu,
      mm: Mm,
      address: number,
      pte: Cell,
      seen: Entry,
      store: boolean,
      level: number,
    ): Steps<Entry> {
      check('ptepGetAndClearFull', mm, address, pte, level);
      return GENERIC_PTE.ptepGetAndClearFull(cpu, mm, address, pte, seen, store, level);
    },
    ptepSetWrprotect(cpu: Cpu, mm: Mm, address: number, pte: Cell, seen: Entry, level: number): Steps<void> {
      check('ptepSetWrprotect', mm, address, pte, level);
      return GENERIC_PTE.ptepSetWrprotect(cpu, mm, address, pte, seen, level);
    },
    ptepTestAndClearYoung(cpu: Cpu, mm: Mm, address: number, pte: Cell, seen: Entry): Steps<void> {
      check('ptepTestAndClearYoung', mm, address, pte, 0);
      return GENERIC_PTE.ptepTestAndClearYoung(cpu, mm, address, pte, seen);
    },
    ptepModifyProtStart(cpu: Cpu, mm: Mm, address: number, pte: Cell): Steps<Entry> {
      check('ptepModifyProtStart', mm, address, pte, 0);
      return GENERIC_PTE.ptepModifyProtStart(cpu, mm, address, pte);
    },
    ptepModifyProtCommit(cpu: Cpu, mm: Mm, address: number, pte: Cell, old: Entry, entry: Entry): Steps<void> {
      check('ptepModifyProtCommit', mm, address, pte, 0);
      return GENERIC_PTE.ptepModifyProtCommit(cpu, mm, address, pte, old, entry);
    },
    ptepSetAccessFlags(
      cpu: Cpu,
      mm: Mm,
      address: number,
      pte: Cell,
      old: Entry,
      entry: Entry,
      level: number,
    ): Steps<void> {
      check('ptepSetAccessFlags', mm, address, pte, level);
      return GENERIC_PTE.ptepSetAccessFlags(cpu, mm, address, pte, old, entry, level);
    },
    pmdpEstablish(cpu: Cpu, mm: Mm, address: number, pmd: Cell, entry: Entry): Steps<Entry> {
      check('pmdpEstablish', mm, address, pmd, 1);
      return GENERIC_PTE.pmdpEstablish(cpu, mm, address, pmd, entry);
    },
  };
}
