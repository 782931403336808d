import { expect, test } from 'vitest';
import { ASM_GENERIC, finish, Mm, mkEntry, PRESENT, type TlbBatch } from '../src/index.ts';

const batch: TlbBatch = { cpumask: 0, writable: false, flushRequired: false, gens: new Map() };

test('who has no rules of its own flushes each change, and takes any entry to be cached', () => {
  expect(ASM_GENERIC.pteNeedsFlush(0, mkEntry(1000, PRESENT))).toBe(true);
  expect(ASM_GENERIC.hugePmdNeedsFlush(0, 0)).toBe(true);
  expect(ASM_GENERIC.pteAccessible(0)).toBe(true);
});

test('who has no batch for reclaim is asked for none', () => {
  const cpu = null as never;
  expect(finish(ASM_GENERIC.tlbbatchShouldDefer(cpu, Mm.at(1000)))).toBe(false);
  expect(() => ASM_GENERIC.tlbbatchAddPending(cpu, batch, Mm.at(1000), 0)).toThrow('has no batch');
});
