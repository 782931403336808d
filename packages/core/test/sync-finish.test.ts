import { expect, test } from 'vitest';
import {
  decTlbFlushPending,
  finish,
  incTlbFlushPending,
  Mm,
  type MmuGather,
  tlbFinishMmu,
  tlbGatherMmu,
  tlbGatherMmuFullmm,
  tlbRemoveTlbEntry,
} from '../src/index.ts';
import { type FakeCpu, fakeCpu } from './fake-cpu.ts';

const PAGE = 4096;
const mm = Mm.at(100);

function open({ cpu }: FakeCpu): MmuGather {
  return finish(tlbGatherMmu(cpu, mm));
}

function close({ cpu }: FakeCpu, tlb: MmuGather): void {
  finish(tlbFinishMmu(cpu, tlb, 0, PAGE));
}

/** Several CPUs of one machine: the fake has one, and what it keeps for its task stands for all of them. */
function otherTask({ words, cpu }: FakeCpu): void {
  words[cpu.kernel.runqueues + 2] = 0;
}

test('alone, a finish flushes its own entries and waits for nobody', () => {
  const fake = fakeCpu({ finishSync: 'epoch' });
  const tlb = open(fake);
  tlbRemoveTlbEntry(fake.cpu, tlb, PAGE, 0);
  close(fake, tlb);
  expect(fake.log).toEqual(['flush', 'finished']);
  expect(fake.flushes).toMatchObject([{ start: PAGE, end: 2 * PAGE, fullmm: false }]);
});

test('with another gather open it waits, and does not flush for it', () => {
  const fake = fakeCpu({ finishSync: 'epoch' });
  const other = open(fake);
  otherTask(fake);
  const tlb = open(fake);
  expect(() => close(fake, tlb)).toThrow('waits for ever');
  expect(fake.log).toEqual([]);
  close(fake, other);
  expect(fake.words[mm.tlbFlushPending]).toBe(0);
});

test('who opens after the finish began is not waited for', () => {
  const fake = fakeCpu({ finishSync: 'epoch' });
  const first = open(fake);
  otherTask(fake);
  const second = open(fake);
  // The first finish ends the epoch, and waits for the second gather.
  expect(() => close(fake, first)).toThrow('waits for ever');
  otherTask(fake);
  const late = open(fake);
  expect(late.epoch).toBe(second.epoch + 1);
  fake.words[fake.cpu.kernel.runqueues + 2] = 1;
  // The epoch before is not drained, and the late one is open: this finish cannot wait, and flushes everything.
  close(fake, second);
  expect(fake.log).toEqual(['flush', 'finished']);
  expect(fake.flushes).toMatchObject([{ fullmm: true, freedTables: true }]);
});

test('a task does not wait for its own outer gather', () => {
  const fake = fakeCpu({ finishSync: 'epoch' });
  const outer = open(fake);
  close(fake, open(fake));
  close(fake, outer);
  expect(fake.log).toEqual(['flush', 'finished', 'finished']);
});

test('nobody waits for a teardown, or for who has no gather', () => {
  const fake = fakeCpu({ finishSync: 'epoch' });
  const dying = finish(tlbGatherMmuFullmm(fake.cpu, mm));
  close(fake, open(fake));
  expect(fake.log).toEqual(['flush', 'finished']);
  close(fake, dying);
  finish(incTlbFlushPending(fake.cpu, mm));
  close(fake, open(fake));
  finish(decTlbFlushPending(fake.cpu, mm));
  expect(fake.flushes.map(({ fullmm }) => fullmm)).toEqual([true, true]);
  expect(fake.words[mm.tlbFlushPending]).toBe(0);
  expect(fake.broken).toEqual([]);
});
