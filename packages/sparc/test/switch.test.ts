import { Mm, type Steps } from '@mmu-gather/core/stepped';
import { contextTsb, thisCpuState } from '@mmu-gather/sparc/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

test(
  'first run: says what it will run, takes the lock, a number, its bit, then loads and demaps; the TSB register is empty meanwhile',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.mm('a');
    yield* m.switchTo(0, mm);
    expect(m.takeLog()).toEqual([
      '0: write trap_block[0].secondaryMm',
      '0: lock a.context.lock',
      '0: read a.context.ctxVal',
      '0: read tlb_context_cache',
      '0: lock ctx_alloc_lock',
      '0: read a.context.ctxVal',
      '0: read tlb_context_cache',
      '0: read tlb_context_cache',
      '0: write a.context.ctxVal',
      '0: write tlb_context_cache',
      '0: read tlb_context_cache',
      '0: unlock ctx_alloc_lock',
      '0: or a.cpumask 1',
      '0: write tsb.register[0]',
      '0: context 1, demapped',
      '0: write tsb.register[0]',
      '0: unlock a.context.lock',
    ]);
    expect(m.words[m.sparc.tsbs.registers]).toBe(m.words[contextTsb(mm)]);
    expect(m.words[thisCpuState(m.port(0)).pgd]).toBe(m.words[mm.pgd]);
  }),
);

test(
  'again: no demap, but the registers are loaded in any case',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.mm('a');
    yield* m.switchTo(0, mm);
    m.takeLog();
    yield* m.switchTo(0, mm);
    expect(m.takeLog().slice(4)).toEqual([
      '0: read a.cpumask',
      '0: context 1',
      '0: write tsb.register[0]',
      '0: unlock a.context.lock',
    ]);
  }),
);

test(
  "lazy mode changes nothing; the kernel's own mm leaves what is loaded",
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.mm('a');
    yield* m.switchTo(0, mm);
    m.takeLog();
    yield* m.kernel.backend.enterLazyTlb(m.port(0), mm);
    expect([m.takeLog(), m.words[mm.cpumask]]).toEqual([[], 1]);
    yield* m.switchTo(0, Mm.at(m.kernel.initMm));
    expect(m.takeLog().every((line) => line.endsWith('secondaryMm'))).toBe(true);
    expect([m.words[m.sparc.tsbs.registers], m.words[mm.cpumask]]).toEqual([m.words[contextTsb(mm)], 1]);
  }),
);
