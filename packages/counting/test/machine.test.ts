import {
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
  LINUX_6_18,
  mkEntry,
  Mm,
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
function backend(log: string[]): BackendSpec {
  const handler = function* (cpu: Cpu, argument: Address): Steps<void> {
    log.push(`handler on ${cpu.id}, ${argument}`);
  };
  return {
    id: 'bare',
    isa: {
      memoryModel: 'sc',
      multiCopyAtomic: true,
      geometry: TINY,
      asids: 1,
      broadcasts: false,
      cleanWalks: true,
      accessed: 'hardware',
      dirty: 'hardware',
      instructions: {},
    },
    mmContextFields: ['context'],
    link: () => ({ ...ASM_GENERIC, id: 'bare', handlers: [handler] }) as unknown as Backend,
  };
}

function machine(log: string[] = []): CountingMachine {
  const options: BootOptions = { cpus: 2, geometry: TINY, backend: backend(log), profile: LINUX_6_18 };
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
