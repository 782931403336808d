import { expect, test } from 'vitest';
import {
  finish,
  levelsOfOthers,
  Mm,
  type MmuGather,
  type Profile,
  tlbEndPtes,
  tlbFinishMmu,
  tlbGatherMmu,
  tlbRemoveTlbEntry,
  tlbStartPtes,
} from '../src/index.ts';
import { type FakeCpu, fakeCpu } from './fake-cpu.ts';

const PAGE = 4096;
const mm = Mm.at(100);

function counting(more: Partial<Profile> = {}): FakeCpu {
  return fakeCpu({ nestedFinish: 'level-counters', ...more });
}

/** A gather that has cleared an entry and recorded it. */
function cleared({ cpu }: FakeCpu): MmuGather {
  const tlb = finish(tlbGatherMmu(cpu, mm));
  finish(tlbStartPtes(cpu, tlb));
  tlbRemoveTlbEntry(cpu, tlb, PAGE, 0);
  finish(tlbEndPtes(cpu, tlb, 300));
  return tlb;
}

test('levels of others are seen, own ones are not, and a finish takes its own back', () => {
  const fake = counting();
  const tlb = cleared(fake);
  const other = finish(tlbGatherMmu(fake.cpu, mm));
  expect(finish(levelsOfOthers(fake.cpu, tlb))).toBe(0);
  expect(finish(levelsOfOthers(fake.cpu, other))).toBe(0b1);
  finish(tlbFinishMmu(fake.cpu, tlb, 0, PAGE));
  expect(finish(levelsOfOthers(fake.cpu, other))).toBe(0);
});

test('who finds a level counted flushes the whole mm; with its own hull it flushes nothing', () => {
  for (const levelRange of ['whole-mm', 'own-hull'] as const) {
    const fake = counting({ levelRange });
    cleared(fake);
    finish(tlbFinishMmu(fake.cpu, finish(tlbGatherMmu(fake.cpu, mm)), 0, PAGE));
    const [flush] = fake.flushes;
    expect(flush!.fullmm).toBe(levelRange === 'whole-mm');
    if (levelRange === 'own-hull') expect(flush!.end).toBe(0);
  }
});

test('with nobody else at work nothing more is flushed', () => {
  const fake = counting();
  finish(tlbFinishMmu(fake.cpu, cleared(fake), 0, PAGE));
  expect(fake.flushes).toMatchObject([{ start: PAGE, end: 2 * PAGE, fullmm: false }]);
});
