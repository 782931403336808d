import {
  ACCESSED,
  type Address,
  ASM_GENERIC,
  type Backend,
  type BackendSpec,
  type BootOptions,
  type Cpu,
  DIRTY,
  entryFlags,
  FAULT,
  finish,
  type Isa,
  LINUX_6_18,
  mkEntry,
  Mm,
  NOTHING,
  Page,
  PRESENT,
  PSE,
  RW,
  type Steps,
  TINY,
} from '@mmu-gather/core/stepped';
import { describe, expect, test } from 'vitest';
import { CountingMachine } from '../src/index.ts';

/** No architecture: one handler, which says where it ran. */
function backend(log: string[], more: Partial<Isa> = {}, own: Partial<Backend> = {}): BackendSpec {
  const handler = function* (cpu: Cpu, argument: Address): Steps<void> {
    log.push(`handler on ${cpu.id}, ${argument}`);
  };
  const isa: Isa = {
    memoryModel: 'sc',
    multiCopyAtomic: true,
    geometry: TINY,
    asids: 1,
    broadcasts: false,
    cleanWalks: true,
    accessed: 'hardware',
    dirty: 'hardware',
    instructions: {},
    ...more,
  };
  return {
    id: 'bare',
    isa,
    mmContextFields: ['context'],
    link: () => ({ ...ASM_GENERIC, id: 'bare', isa, handlers: [handler], ...own }) as unknown as Backend,
  };
}

function machine(log: string[] = [], isa: Partial<Isa> = {}, own: Partial<Backend> = {}): CountingMachine {
  const options: BootOptions = { cpus: 2, geometry: TINY, backend: backend(log, isa, own), profile: LINUX_6_18 };
  return new CountingMachine(options);
}

describe('memory', () => {
  test('grows, and keeps what it holds', () => {
    const { arena } = machine();
    const first = arena.reserve('first', ['a']);
    arena.initialise(first, 2 ** 50);
    const words = arena.words.length;
    for (let i = 0; i < words; i++) arena.reserve('filler', ['x']);
    expect(arena.words.length).toBeGreaterThan(words);
    expect(arena.words[first]).toBe(2 ** 50);
  });

  test('an object that was given back is the next to be taken, and empty', () => {
    const { arena } = machine();
    const page = arena.alloc('page');
    arena.words[Page.at(page).refcount] = 7;
    expect(arena.live('page')).toBe(1);
    arena.free('page', page);
    expect(arena.live('page')).toBe(0);
    expect(arena.alloc('page')).toBe(page);
    expect(arena.words[Page.at(page).refcount]).toBe(0);
  });
});

describe('the port', () => {
  test('atomics return what the kernel ones return', () => {
    const m = machine();
    const cpu = m.cpus[0]!;
    const cell = m.arena.reserve('cell', ['v']);
    finish(
      (function* (): Steps<void> {
        yield* cpu.atomicAdd(cell, 5);
        expect(yield* cpu.atomicAddReturn(cell, 2)).toBe(7);
        expect(yield* cpu.cmpxchg(cell, 6, 1)).toBe(7);
        expect(yield* cpu.cmpxchg(cell, 7, 0b1100)).toBe(7);
        expect(yield* cpu.atomicFetchAndNot(cell, 0b0100)).toBe(0b1100);
        yield* cpu.atomicOr(cell, 1);
        expect(yield* cpu.xchg(cell, 0)).toBe(0b1001);
        expect(yield* cpu.readOnce(cell)).toBe(0);
      })(),
    );
  });

  test('an IPI runs on its target at once, and is counted', () => {
    const log: string[] = [];
    const m = machine(log);
    finish(m.cpus[0]!.sendIpi(1, 0, 42));
    expect(log).toEqual(['handler on 1, 42']);
    expect(m.counts.ipis).toBe(1);
  });

  test('a claim that fails becomes a complaint', () => {
    const m = machine();
    m.cpus[0]!.claim.that(true, 'O16', 'fine');
    m.cpus[0]!.claim.that(false, 'O16', 'not fine');
    expect(m.complaints).toEqual([{ oracle: 'O16', message: 'not fine' }]);
  });

  test('tracepoints come with their CPU, and the clock stands where it was put', () => {
    const m = machine();
    const seen: unknown[] = [];
    m.onTrace = (cpu, event, values) => seen.push([cpu, event, ...values]);
    m.now = 1234;
    m.cpus[1]!.trace('tlb_flush', 3, -1);
    expect(seen).toEqual([[1, 'tlb_flush', 3, -1]]);
    expect(m.cpus[1]!.jiffies()).toBe(1234);
  });

  test('user accesses go through memory as it is: a store sets the dirty bit, and faults where it may not', () => {
    const m = machine();
    const cpu = m.cpus[0]!;
    const [root, table, page] = [m.arena.alloc('table'), m.arena.alloc('table'), m.arena.alloc('page')];
    m.arena.words[root] = mkEntry(table, PRESENT | RW);
    m.arena.words[table] = mkEntry(page, PRESENT | RW);
    finish(
      (function* (): Steps<void> {
        yield* cpu.loadContext(root, 0, false);
        expect(yield* cpu.userWrite(0, 9)).toBe(0);
        expect(entryFlags(m.arena.words[table]!) & DIRTY).toBe(DIRTY);
        expect(yield* cpu.userRead(0)).toBe(9);
        m.arena.words[table] = mkEntry(page, PRESENT);
        expect(yield* cpu.userWrite(0, 10)).toBe(FAULT);
        expect(yield* cpu.userRead(4096)).toBe(FAULT);
      })(),
    );
    expect(m.counts).toMatchObject({ contextFlushes: 1, contextLoads: 0 });
  });

  test('a huge entry maps a row of pages', () => {
    const m = machine();
    const cpu = m.cpus[0]!;
    const [root, row] = [m.arena.alloc('table'), m.arena.alloc('page', 2)];
    m.arena.words[root] = mkEntry(row, PRESENT | RW | PSE);
    m.arena.words[Mm.at(m.kernel.initMm).pgd] = root;
    finish(
      (function* (): Steps<void> {
        yield* cpu.loadContext(root, 0, true);
        expect(yield* cpu.userWrite(4096, 9)).toBe(0);
        expect(m.arena.words[Page.at(row + Page.words).data]).toBe(9);
        expect(yield* cpu.kernelRead(4096)).toBe(9);
        expect(yield* cpu.kernelRead(0)).toBe(0);
        expect(yield* cpu.kernelRead(8192)).toBe(FAULT);
      })(),
    );
  });

  test('what RCU frees is free at once, or when the last section that is open has ended', () => {
    const m = machine();
    const [reader, cpu] = m.cpus as [Cpu, Cpu];
    const objects = [m.arena.alloc('table'), m.arena.alloc('table')] as const;
    finish(cpu.freeRcu('table', objects[0]));
    expect(m.arena.live('table')).toBe(1);
    finish(reader.rcuReadLock());
    finish(reader.rcuReadLock());
    finish(cpu.freeRcu('table', objects[1]));
    finish(reader.rcuReadUnlock());
    expect(m.arena.live('table')).toBe(1);
    finish(reader.rcuReadUnlock());
    expect(m.arena.live('table')).toBe(0);
    finish(cpu.synchronizeRcu());
  });
});

describe('what MMUs are asked for', () => {
  test('is told in order, with the CPU', () => {
    const under = machine();
    const told: string[] = [];
    under.onMmu = (cpu, event) => told.push(`${cpu} ${event.kind}`);
    const scope = { asid: 0, leaves: NOTHING, walks: NOTHING, globals: false, broadcast: true };
    const cell = under.arena.reserve('cell', ['']);
    const cpu = under.cpus[1]!;
    finish(cpu.loadContext(0, 0, true));
    finish(cpu.invalidate(scope));
    finish(cpu.invalidationBarrier());
    finish(cpu.sendIpi(0, 0, 0));
    expect(finish(cpu.cmpxchgAndInvalidate(cell, 5, 6, scope))).toBe(0);
    expect(finish(cpu.cmpxchgAndInvalidate(cell, 0, 6, scope))).toBe(0);
    expect(under.arena.words[cell]).toBe(6);
    // The exchange that failed has dropped nothing.
    expect(told).toEqual(['1 load', '1 invalidate', '1 barrier', '1 ipi', '1 change']);
  });
});

describe('who sets bits, and who walks', () => {
  /** A machine whose only page table maps page 0, and the frame. */
  function mapped(flags: number, isa: Partial<Isa> = {}, own: Partial<Backend> = {}): [CountingMachine, Cpu, number] {
    const under = machine([], isa, own);
    const { arena } = under;
    const [root, table, page] = [arena.alloc('table'), arena.alloc('table'), arena.alloc('page')];
    arena.words[root] = mkEntry(table, PRESENT);
    arena.words[table] = mkEntry(page, flags);
    arena.words[Page.at(page).data] = 9;
    finish(under.cpus[0]!.loadContext(root, 3, true));
    return [under, under.cpus[0]!, table];
  }

  test('dirty and accessed bits of hardware are set on the way, those of software are asked for', () => {
    const [under, cpu, table] = mapped(PRESENT | RW);
    expect(finish(cpu.userWrite(0, 1))).toBe(0);
    expect(entryFlags(under.arena.words[table]!) & DIRTY).toBe(DIRTY);
    const [, clean] = mapped(PRESENT | ACCESSED | RW, { accessed: 'software', dirty: 'software' });
    expect(finish(clean.userRead(0))).toBe(9);
    expect(finish(clean.userWrite(0, 1))).toBe(FAULT);
    const [, old] = mapped(PRESENT | RW | DIRTY, { accessed: 'software' });
    expect(finish(old.userRead(0))).toBe(FAULT);
  });

  test('a table of translations takes the place of page tables, and is asked by ASID, address and CPU', () => {
    const asked: number[][] = [];
    let found: number[] = [];
    const lookup = (_load: unknown, asid: number, address: number, cpu: number): number[] => {
      asked.push([asid, address, cpu]);
      return found;
    };
    const [under, cpu] = mapped(PRESENT, {}, { translationTable: { base: 1, words: 1, lookup } });
    expect(finish(cpu.userRead(0))).toBe(FAULT);
    const page = under.arena.alloc('page');
    under.arena.words[Page.at(page).data] = 4;
    found = [mkEntry(page, PRESENT)];
    expect(finish(cpu.userRead(8))).toBe(4);
    expect(asked).toEqual([
      [3, 0, 0],
      [3, 8, 0],
    ]);
  });
});
