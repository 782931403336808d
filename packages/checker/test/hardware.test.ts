/**
 * What an isa may say beyond x86: level hints, entries that change and are purged in one step, accessed and dirty bits that software sets,
 * and hardware that looks into a table of translations.
 */
import {
  ACCESSED,
  ALL,
  type Arena,
  type Backend,
  type Cpu,
  type Entry,
  mkEntry,
  NOTHING,
  type Scope,
  type Steps,
} from '@mmu-gather/core/stepped';
import { expect, test } from 'vitest';
import { CLEAN, onTree, RO, type Stage, type Tree, verdict, WRITTEN } from './page-tables.ts';

const PAGE_0: Scope = { asid: 0, leaves: { start: 0, end: 4096 }, walks: NOTHING, globals: false, broadcast: true };
const FIRST = { start: 0, end: 4096 };

/** CPU 0 runs this, CPU 1 stands in user mode. */
function alone(body: (cpu: Cpu, tree: Tree) => Steps<unknown>, stage: Stage = {}): string {
  return verdict(onTree((tree) => [(cpu) => body(cpu, tree)], stage));
}

test('a hinted invalidation drops leaves of its level only', () => {
  const unmap = (level?: number): string =>
    alone(
      function* (cpu, tree) {
        yield* cpu.xchg(tree.pte, 0);
        yield* cpu.invalidate(level === undefined ? PAGE_0 : { ...PAGE_0, level });
        yield* cpu.invalidationBarrier();
        yield* cpu.free('page', tree.pages[0]!);
      },
      { isa: { broadcasts: true } },
    );
  expect(unmap()).toBe('holds');
  expect(unmap(0)).toBe('holds');
  expect(unmap(1)).toBe('O1');
});

test('an invalidation on other CPUs takes effect there, and at once', () => {
  const unmap = (scope: Partial<Scope>): string =>
    alone(function* (cpu, tree) {
      yield* cpu.xchg(tree.pte, 0);
      yield* cpu.invalidate({ ...PAGE_0, broadcast: false, ...scope });
      yield* cpu.free('page', tree.pages[0]!);
    });
  expect(unmap({ cpus: 0b10 })).toBe('holds');
  expect(unmap({ cpus: 0b11 })).toBe('holds');
  expect(unmap({ cpus: 0b01 })).toBe('O1');
  expect(unmap({})).toBe('O1');
  // The entry allows execution: an instruction TLB may have it.
  expect(unmap({ cpus: 0b10, data: true })).toBe('O1');
});

test('an entry that changes and is purged in one step needs nothing else', () => {
  const unmap = (scope: Scope, old: (tree: Tree) => Entry = (tree) => mkEntry(tree.pages[0]!, WRITTEN)): string =>
    alone(function* (cpu, tree) {
      yield* cpu.cmpxchgAndInvalidate(tree.pte, old(tree), 0, scope);
      yield* cpu.free('page', tree.pages[0]!);
    });
  expect(unmap(PAGE_0)).toBe('holds');
  expect(unmap({ ...PAGE_0, broadcast: false })).toBe('O1');
  expect(unmap({ ...PAGE_0, leaves: { start: 4096, end: 8192 } })).toBe('O1');
  // The entry is another one: nothing is stored, and nothing dropped.
  expect(unmap(PAGE_0, (tree) => mkEntry(tree.pages[0]!, RO))).toBe('O1');
});

test('nobody walks between the change and the purge', () => {
  const change = (atomic: boolean): string =>
    alone(function* (cpu, tree) {
      const old = mkEntry(tree.pages[0]!, WRITTEN);
      if (atomic) {
        yield* cpu.cmpxchgAndInvalidate(tree.pte, old, mkEntry(tree.pages[0]!, RO), PAGE_0);
      } else {
        yield* cpu.cmpxchgAndInvalidate(tree.pte, old, old, PAGE_0);
        yield* cpu.xchg(tree.pte, mkEntry(tree.pages[0]!, RO));
      }
      cpu.claim.limit(tree.root, FIRST, 'read');
    });
  expect(change(true)).toBe('holds');
  expect(change(false)).toBe('O2');
});

test('where software sets dirty bits, a clean entry allows no store, cached or not', () => {
  const claimed = function* (cpu: Cpu, tree: Tree): Steps<void> {
    yield* cpu.smpMb();
    cpu.claim.limit(tree.root, FIRST, 'read');
  };
  expect(alone(claimed, { flags: CLEAN, isa: { dirty: 'software' } })).toBe('holds');
  expect(alone(claimed, { flags: WRITTEN, isa: { dirty: 'software' } })).toBe('O2');
  const store = (flags: number): string =>
    verdict(
      onTree(
        () => [
          undefined,
          function* (cpu): Steps<void> {
            const result = yield* cpu.userWrite(0, 1);
            cpu.claim.that(result === 0, 'O16', 'faults');
          },
        ],
        { flags, isa: { dirty: 'software' } },
      ),
    );
  expect(store(WRITTEN)).toBe('holds');
  expect(store(CLEAN)).toBe('O16');
});

test('where software sets accessed bits, an entry without is not cached', () => {
  const free = (accessed: 'hardware' | 'software'): string =>
    alone(
      function* (cpu, tree) {
        yield* cpu.xchg(tree.pte, 0);
        yield* cpu.free('page', tree.pages[0]!);
      },
      { flags: WRITTEN - ACCESSED, isa: { accessed } },
    );
  expect(free('software')).toBe('holds');
  expect(free('hardware')).toBe('O1');
});

/** CPU 1 has walked to page 0 while its entry, or the one above, was not there. CPU 0 puts it there, CPU 1 fences, and loads. */
function cachedInvalid(
  cachesInvalid: 'leaves' | 'all' | undefined,
  upper: boolean,
  fence: Partial<Scope> | undefined,
  access: 'read' | 'write' = 'read',
): string {
  const isa = cachesInvalid === undefined ? {} : { cachesInvalid };
  return verdict(
    onTree(
      (tree) => [
        undefined,
        function* (cpu): Steps<void> {
          const cell = upper ? tree.pmd : tree.pte;
          const entry = yield* cpu.xchg(cell, access === 'read' ? 0 : mkEntry(tree.pages[0]!, RO));
          yield* cpu.invalidate({ asid: 0, leaves: ALL, walks: ALL, globals: false, broadcast: false });
          yield* cpu.writeOnce(cell, entry);
          if (fence !== undefined) yield* cpu.invalidate({ ...PAGE_0, broadcast: false, ...fence });
          const result = access === 'read' ? yield* cpu.userRead(0) : yield* cpu.userWrite(0, 1);
          cpu.claim.that(result >= 0, 'O16', 'faults');
        },
      ],
      { isa },
    ),
  );
}

test('where entries that are not valid may be cached, an access faults until they are dropped', () => {
  expect(cachedInvalid(undefined, false, undefined)).toBe('holds');
  expect(cachedInvalid('leaves', false, undefined)).toBe('O16');
  expect(cachedInvalid('leaves', false, {})).toBe('holds');
  expect(cachedInvalid('leaves', false, { leaves: { start: 4096, end: 8192 } })).toBe('O16');
  // One that grants less than memory does now is a way to fault, too.
  expect(cachedInvalid(undefined, false, undefined, 'write')).toBe('holds');
  expect(cachedInvalid('leaves', false, undefined, 'write')).toBe('O16');
  expect(cachedInvalid('leaves', false, {}, 'write')).toBe('holds');
});

test('an upper entry that is not valid is a leaf, or one of walk caches', () => {
  expect(cachedInvalid('leaves', true, {})).toBe('holds');
  expect(cachedInvalid('all', true, {})).toBe('O16');
  expect(cachedInvalid('all', true, { walks: ALL })).toBe('holds');
});

/** One word per page of ASID 0, as the table that the hardware looks into. */
function hashTable(arena: Arena): Pick<Backend, 'translationTable'> {
  const base = arena.reserve('hash', ['0', '1', '2', '3']);
  const lookup = (load: (cell: number) => number, asid: number, address: number): Entry[] =>
    asid === 0 ? [load(base + address / 4096)] : [];
  return { translationTable: { base, words: 4, lookup } };
}

/** The program's own word for page 0: the table lies where the first backend word does. */
function slotOf(cpu: Cpu): number {
  return cpu.kernel.backend.translationTable!.base;
}

test('only what stands in the table of translations is cached', () => {
  const unmap = (steps: (cpu: Cpu, tree: Tree) => Steps<void>): string =>
    alone(
      function* (cpu, tree) {
        yield* steps(cpu, tree);
        yield* cpu.free('page', tree.pages[0]!);
      },
      { own: hashTable },
    );
  const fill = (cpu: Cpu, tree: Tree): Steps<void> => cpu.writeOnce(slotOf(cpu), mkEntry(tree.pages[0]!, WRITTEN));
  // Never hashed: no CPU can hold it.
  expect(unmap((cpu, tree) => cpu.writeOnce(tree.pte, 0))).toBe('holds');
  const removed = (empties: boolean, drops: boolean, last = 0) =>
    unmap(function* (cpu, tree) {
      yield* fill(cpu, tree);
      yield* cpu.xchg(tree.pte, 0);
      if (drops && last === 0) yield* cpu.cmpxchgAndInvalidate(tree.pte, 0, 0, { ...PAGE_0, leaves: ALL });
      if (empties) yield* cpu.writeOnce(slotOf(cpu), 0);
      if (drops && last === 1) yield* cpu.cmpxchgAndInvalidate(tree.pte, 0, 0, { ...PAGE_0, leaves: ALL });
    });
  expect(removed(true, true, 1)).toBe('holds');
  expect(removed(true, false)).toBe('O1');
  expect(removed(false, true, 1)).toBe('O1');
  // The TLB first: it is filled again from the table.
  expect(removed(true, true, 0)).toBe('O1');
});

test('a root that is cached of a tag stays until roots are invalidated, unless the table still has it', () => {
  const ROOTS: Scope = { asid: 1, leaves: ALL, walks: ALL, globals: false, broadcast: true, roots: true };
  const base = { cell: 0 };
  const own = (arena: Arena): Partial<Backend> => {
    base.cell = arena.reserve('process_tb', ['[0]', '[1]']);
    return { processTable: base.cell };
  };
  const reuse = (cleared: boolean, scope: Scope): string =>
    verdict(
      onTree(
        (tree) => [
          function* (cpu): Steps<void> {
            const other = yield* cpu.alloc('table');
            yield* cpu.writeOnce(base.cell + 1, tree.root);
            yield* cpu.writeOnce(tree.pmd, 0);
            yield* cpu.loadContext(tree.root, 1, true);
            if (cleared) yield* cpu.writeOnce(base.cell + 1, 0);
            yield* cpu.invalidate(scope);
            yield* cpu.invalidationBarrier();
            yield* cpu.loadContext(0, 0, true);
            yield* cpu.loadContext(other, 1, true);
          },
        ],
        { own, isa: { asids: 2, broadcasts: true }, loaded: [] },
      ),
    );
  expect(reuse(true, ROOTS)).toBe('holds');
  expect(reuse(true, { ...ROOTS, broadcast: false })).toBe('holds');
  expect(reuse(false, ROOTS)).toBe('O8');
  expect(reuse(true, { ...ROOTS, roots: false })).toBe('O8');
  expect(reuse(true, { ...ROOTS, asid: 0 })).toBe('O8');
});

test('a tag that stays loaded finds the root that the table has of it later', () => {
  const base = { cell: 0 };
  const own = (arena: Arena): Partial<Backend> => {
    base.cell = arena.reserve('process_tb', ['[0]', '[1]']);
    return { processTable: base.cell };
  };
  const given = (leaves: boolean): string =>
    verdict(
      onTree(
        (tree) => [
          function* (cpu): Steps<void> {
            yield* cpu.writeOnce(base.cell + 1, tree.root);
            yield* cpu.free('page', tree.pages[0]!);
          },
          function* (cpu): Steps<void> {
            yield* cpu.loadContext(0, leaves ? 0 : 1, true);
            yield* cpu.enterUser();
          },
        ],
        { own, isa: { asids: 2 }, loaded: [] },
      ),
    );
  expect(given(true)).toBe('holds');
  expect(given(false)).toBe('O1');
});
