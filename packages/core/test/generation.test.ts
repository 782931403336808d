/** Deferral by generation: what a bracket records, what reads pending, and what the flush at the end goes to. */
import { describe, expect, test } from 'vitest';
import {
  type Address,
  ASM_GENERIC,
  type Backend,
  type Cpu,
  EVERYTHING,
  finish,
  FOUR_LEVELS,
  Mm,
  type MmuGather,
  type Profile,
  type PteAt,
  pteTlbFlushPending,
  type Steps,
  tableDeferredTlbGen,
  tlbEndPtes,
  tlbEndVma,
  tlbFinishMmu,
  tlbFlushMmu,
  tlbGatherMmu,
  tlbRemoveTable,
  tlbRemoveTlbEntry,
  tlbStartPtes,
  tlbStartVma,
  Vma,
} from '../src/index.ts';
import { fakeCpu } from './fake-cpu.ts';

const PAGE = 4096;
const MB2 = 2 ** 21;
const mm = Mm.at(100);
const vma = Vma.at(200);
const TABLE = 1000;
const OTHER = 2000;

interface Fixture {
  readonly cpu: Cpu;
  readonly words: Float64Array;
  /** Flushes in order: `own` with a generation of their own, or what was recorded. */
  readonly flushes: (string | readonly number[])[];
  readonly tableGen: (table: Address) => number;
}

function fixture(profile: Partial<Profile> = {}): Fixture {
  const { cpu, words } = fakeCpu({ deferral: 'table-gen', ...profile });
  const flushes: (string | readonly number[])[] = [];
  const backend = {
    ...ASM_GENERIC,
    *tlbFlush(): Steps<void> {
      flushes.push('own');
    },
    *flushTlbGen(_c: Cpu, _m: Mm, start: number, end: number, level: number, ft: boolean, gen: number): Steps<void> {
      flushes.push([start, end, level, Number(ft), gen]);
    },
    *flushTlbPage(_c: Cpu, _m: Mm, address: number): Steps<void> {
      flushes.push(`page ${address}`);
    },
  } as unknown as Backend;
  (cpu.kernel as { backend: Backend }).backend = backend;
  return { cpu, words, flushes, tableGen: (table) => words[tableDeferredTlbGen(FOUR_LEVELS, table)]! };
}

/** One bracket that changes entries at these addresses. */
function* change(cpu: Cpu, tlb: MmuGather, table: Address, ...addresses: readonly number[]): Steps<void> {
  yield* tlbStartPtes(cpu, tlb);
  for (const address of addresses) tlbRemoveTlbEntry(cpu, tlb, address, 0);
  yield* tlbEndPtes(cpu, tlb, table);
}

function at(table: Address): PteAt {
  return { mm, vma, table, pte: table, address: 0 };
}

/** Runs a test body in either build. */
function run(profile: Partial<Profile>, body: (f: Fixture) => Steps<void>): () => void {
  return () => finish(body(fixture(profile)));
}

describe('the record', () => {
  test(
    'each bracket that changed something has a generation of its own, in its table',
    run({}, function* ({ cpu, words, tableGen }): Steps<void> {
      const tlb = yield* tlbGatherMmu(cpu, mm);
      yield* change(cpu, tlb, TABLE, 0, PAGE);
      yield* change(cpu, tlb, OTHER);
      expect([words[mm.tlbGen], tableGen(TABLE), tableGen(OTHER)]).toEqual([1, 1, 0]);
      yield* change(cpu, tlb, OTHER, MB2);
      expect([words[mm.tlbGen], tableGen(TABLE), tableGen(OTHER)]).toEqual([2, 1, 2]);
      expect(yield* pteTlbFlushPending(cpu, at(TABLE))).toBe(true);
      words[mm.tlbGenCompleted] = 1;
      expect(yield* pteTlbFlushPending(cpu, at(TABLE))).toBe(false);
      expect(yield* pteTlbFlushPending(cpu, at(OTHER))).toBe(true);
    }),
  );
  test(
    'in a VMA it only rises',
    run({ deferral: 'vma-gen' }, function* ({ cpu, words }): Steps<void> {
      const tlb = yield* tlbGatherMmu(cpu, mm);
      tlbStartVma(cpu, tlb, vma);
      words[vma.deferTlbGen] = 5;
      yield* change(cpu, tlb, TABLE, 0);
      expect(words[vma.deferTlbGen]).toBe(5);
      words[mm.tlbGen] = 6;
      yield* change(cpu, tlb, TABLE, 0);
      expect(words[vma.deferTlbGen]).toBe(7);
      expect(yield* pteTlbFlushPending(cpu, at(OTHER))).toBe(true);
      yield* tlbEndVma(cpu, tlb);
    }),
  );
});

describe('the flush', () => {
  test(
    'goes to the newest generation of the gather, with its hull and level',
    run({}, function* ({ cpu, flushes }): Steps<void> {
      const tlb = yield* tlbGatherMmu(cpu, mm);
      yield* change(cpu, tlb, TABLE, PAGE);
      yield* change(cpu, tlb, OTHER, MB2);
      yield* tlbFinishMmu(cpu, tlb, 0, 2 * MB2);
      expect(flushes).toEqual([[PAGE, MB2 + PAGE, 0, 0, 2]]);
    }),
  );
  test(
    'is skipped if others have completed it',
    run({}, function* ({ cpu, words, flushes }): Steps<void> {
      const tlb = yield* tlbGatherMmu(cpu, mm);
      yield* change(cpu, tlb, TABLE, PAGE);
      words[mm.tlbGenCompleted] = 1;
      yield* tlbFinishMmu(cpu, tlb, 0, MB2);
      expect(flushes).toEqual([]);
    }),
  );
  test(
    'has a generation of its own for tables, however much is completed, and for what stands in no bracket',
    run({}, function* ({ cpu, words, flushes }): Steps<void> {
      const tlb = yield* tlbGatherMmu(cpu, mm);
      yield* change(cpu, tlb, TABLE, PAGE);
      yield* tlbRemoveTable(cpu, tlb, TABLE, 0, 0);
      words[mm.tlbGenCompleted] = 9;
      yield* tlbFlushMmu(cpu, tlb);
      tlbRemoveTlbEntry(cpu, tlb, MB2, 1);
      yield* tlbFinishMmu(cpu, tlb, 0, 2 * MB2);
      expect(flushes).toEqual(['own', 'own']);
    }),
  );
  test(
    'as posted goes to what was recorded, be it nothing',
    run({ untrackedGen: 'as-recorded' }, function* ({ cpu, flushes }): Steps<void> {
      const tlb = yield* tlbGatherMmu(cpu, mm);
      yield* tlbRemoveTable(cpu, tlb, TABLE, 0, 0);
      tlb.fullmm = true;
      yield* tlbFinishMmu(cpu, tlb, 0, MB2);
      expect(flushes).toEqual([[0, EVERYTHING, 1, 1, 0]]);
    }),
  );
});
