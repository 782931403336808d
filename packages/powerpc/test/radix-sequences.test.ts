/** The order of operations of each kind of flush, instruction by instruction. */
import { finish, type Steps } from '@mmu-gather/core/stepped';
import {
  mmContextAddCopro,
  RADIX_4K,
  radixFlushAllMm,
  radixFlushTlbCollapsedPmd,
  radixFlushTlbKernelRange,
  radixFlushTlbMm,
  radixFlushTlbPage,
  radixFlushTlbRange,
  radixFlushTlbRangePsize,
  type RadixSwitches,
} from '@mmu-gather/powerpc/stepped';
import { expect, test } from 'vitest';
import { RadixMachine } from './radix-machine.ts';

const PAGE = 65536;
const PMD = 32 * PAGE;

type Flush = (m: RadixMachine, mm: Parameters<typeof radixFlushTlbMm>[1]) => Steps<void>;

/** What a flush by CPU 0 does: of an mm that two threads run, or that CPU 0 alone has ever run. */
function sequence(flush: Flush, switches: Partial<RadixSwitches> = {}, threads = 2, copros = 0): string[] {
  let log: string[] = [];
  finish(
    (function* (): Steps<void> {
      const m = new RadixMachine(switches);
      const mm = yield* m.mm();
      for (let id = 0; id < threads; id++) yield* m.run(id, mm);
      m.cpu(0).write(mm.mmUsers, threads);
      for (let i = 0; i < copros; i++) yield* mmContextAddCopro(m.cpu(0), mm);
      yield* flush(m, mm);
      log = m.taken();
    })(),
  );
  return log;
}

const page: Flush = (m, mm) => radixFlushTlbPage(m.cpu(0), mm, PAGE);
const two: Flush = (m, mm) => radixFlushTlbRangePsize(m.cpu(0), mm, PAGE, 3 * PAGE, 0, false);
const twoAndTables: Flush = (m, mm) => radixFlushTlbRangePsize(m.cpu(0), mm, PAGE, 3 * PAGE, 0, true);
const whole: Flush = (m, mm) => radixFlushTlbMm(m.cpu(0), mm);
const all: Flush = (m, mm) => radixFlushAllMm(m.cpu(0), mm, true);
const kernel: Flush = (m) => radixFlushTlbKernelRange(m.cpu(0), 0, PAGE);

const FENCE = '0: ptesync';
const P9: Partial<RadixSwitches> = { errata: 'both' };

test('every CPU, an address: ptesync; tlbie; eieio; tlbsync; ptesync; the errata repeat it', () => {
  expect(sequence(page)).toEqual([FENCE, FENCE, '0: tlbie 1 @65536', '0: tlbsync']);
  const repeated = ['0: ptesync', '0: tlbie 0 @65536', '0: ptesync', '0: tlbie 1 @65536'];
  expect(sequence(page, P9)).toEqual([FENCE, FENCE, '0: tlbie 1 @65536', ...repeated, '0: tlbsync']);
  expect(sequence(page, { errata: 'stq' })).toEqual([
    FENCE,
    FENCE,
    '0: tlbie 1 @65536',
    ...repeated.slice(2),
    '0: tlbsync',
  ]);
});

test('every CPU, addresses: the ways to tables first; one repetition for all', () => {
  expect(sequence(two)).toEqual([FENCE, FENCE, '0: tlbie 1 @65536', '0: tlbie 1 @131072', '0: tlbsync']);
  expect(sequence(twoAndTables, P9)).toEqual([
    FENCE,
    FENCE,
    '0: tlbie 1 ric 1',
    '0: tlbie 1 @65536',
    '0: tlbie 1 @131072',
    '0: ptesync',
    '0: tlbie 0 ric 0',
    '0: ptesync',
    '0: tlbie 1 @131072',
    '0: tlbsync',
  ]);
});

test('every CPU, a PID: RIC 0 for an mm, RIC 2 for all of it; the errata repeat some address', () => {
  expect(sequence(whole)).toEqual([FENCE, FENCE, '0: tlbie 1 ric 0', '0: tlbsync']);
  expect(sequence(all)).toEqual([FENCE, FENCE, '0: tlbie 1 ric 2', '0: tlbsync']);
  expect(sequence(whole, P9).slice(3, -1)).toEqual([
    '0: ptesync',
    '0: tlbie 0 ric 0',
    '0: ptesync',
    `0: tlbie 1 @${2 ** 52 - 1}`,
  ]);
});

test('this CPU alone: the same with tlbiel, and no errata', () => {
  const alone = (flush: Flush): string[] => sequence(flush, P9, 1);
  expect(alone(page)).toEqual([FENCE, FENCE, '0: tlbiel 1 @65536']);
  expect(alone(twoAndTables)).toEqual([FENCE, FENCE, '0: tlbiel 1 ric 1', '0: tlbiel 1 @65536', '0: tlbiel 1 @131072']);
  expect(alone(whole)).toEqual([FENCE, FENCE, '0: tlbiel 1 ric 0']);
  expect(alone(all)).toEqual([FENCE, FENCE, '0: tlbiel 1 ric 2']);
});

test('by interrupts: each CPU does what this CPU alone would do, this one too', () => {
  const local = (id: number): string[] => [`${id}: ptesync`, `${id}: tlbiel 1 ric 0`];
  expect(sequence(whole, { tlbie: false })).toEqual([FENCE, '0: ipi 1', ...local(1), ...local(0)]);
});

test('by interrupts, with a coprocessor: a tlbie follows, RIC 2 for a PID', () => {
  const log = sequence(whole, { tlbie: false }, 2, 1);
  expect(log.slice(-3)).toEqual([FENCE, '0: tlbie 1 ric 2', '0: tlbsync']);
  expect(sequence(page, { tlbie: false }, 2, 1).slice(-3)).toEqual([FENCE, '0: tlbie 1 @65536', '0: tlbsync']);
});

test('a coprocessor before ISA 3.1 makes RIC 0 of a broadcast PID RIC 2, and nothing else', () => {
  expect(sequence(whole, {}, 1, 1)).toContain('0: tlbie 1 ric 2');
  expect(sequence(whole, { isa31: true }, 1, 1)).toContain('0: tlbie 1 ric 0');
  expect(sequence(page, {}, 1, 1)).toContain('0: tlbie 1 @65536');
});

test('the hypervisor does what is broadcast, not what is local', () => {
  expect(sequence(page, { gtse: false })).toEqual([FENCE, FENCE, '0: tlbie 1 @65536', '0: tlbsync']);
  expect(sequence(all, { gtse: false })).toEqual([FENCE, FENCE, '0: tlbie 1 ric 2', '0: tlbsync']);
  expect(sequence(page, { gtse: false }, 1)).toContain('0: tlbiel 1 @65536');
});

test('the kernel: its PID as a whole, whatever the range', () => {
  expect(sequence(kernel)).toEqual([FENCE, '0: tlbie 0 ric 2', '0: tlbsync']);
  expect(sequence(kernel, { tlbie: false }).filter((line) => line.includes('tlb'))).toEqual([
    '1: tlbiel 0 ric 2',
    '0: tlbiel 0 ric 2',
  ]);
});

test('a range of a PMD and more takes the ways to tables along, and huge pages (5.14 on)', () => {
  const range =
    (length: number): Flush =>
    (m, mm) =>
      radixFlushTlbRange(m.cpu(0), mm, 0, length);
  const some = sequence(range(PMD));
  expect(some[2]).toBe('0: tlbie 1 ric 1');
  expect(some.filter((line) => line.includes('/1'))).toEqual(['0: tlbie 1 @0/1']);
  expect(some).toHaveLength(2 + 1 + 32 + 1 + 1);
  expect(sequence(range(PMD - PAGE)).some((line) => line.includes('ric') || line.includes('/1'))).toBe(false);
  expect(sequence(range(PMD), { rangePwc: false }).some((line) => line.includes('ric'))).toBe(false);
  expect(sequence(range(2 * PMD))).toContain('0: tlbie 1 ric 2');
  expect(sequence(range(2 * PMD), { rangePwc: false })).toContain('0: tlbie 1 ric 0');
});

test('a collapsed PMD: 32 pages and the ways to tables; with pages of 4 KiB the whole mm', () => {
  const log = sequence((m, mm) => radixFlushTlbCollapsedPmd(m.cpu(0), mm, 0));
  expect(log.slice(2, 4)).toEqual(['0: tlbie 1 ric 1', '0: tlbie 1 @0']);
  expect(log).toHaveLength(2 + 1 + 32 + 1);
  finish(
    (function* (): Steps<void> {
      const m = new RadixMachine({}, 1, RADIX_4K);
      const mm = yield* m.mm();
      yield* m.run(0, mm);
      yield* radixFlushTlbCollapsedPmd(m.cpu(0), mm, 0);
      expect(m.taken()).toContain('0: tlbiel 1 ric 2');
    })(),
  );
});

test('ceilings: 33 pages where it is broadcast, 256 where it is not', () => {
  const pages = (n: number, threads: number): string[] =>
    sequence((m, mm) => radixFlushTlbRangePsize(m.cpu(0), mm, 0, n * PAGE, 0, false), {}, threads);
  expect(pages(33, 2).filter((line) => line.includes('@'))).toHaveLength(33);
  expect(pages(34, 2)).toContain('0: tlbie 1 ric 0');
  expect(pages(256, 1).filter((line) => line.includes('@'))).toHaveLength(256);
  expect(pages(257, 1)).toContain('0: tlbiel 1 ric 0');
  // (end - start) is unsigned.
  expect(sequence((m, mm) => radixFlushTlbRangePsize(m.cpu(0), mm, PAGE, 0, 0, true))).toContain('0: tlbie 1 ric 2');
});
