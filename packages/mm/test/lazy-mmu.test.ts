/** Lazy MMU mode: walks that change many entries of a table do so in a section, which ends before the table's lock is dropped. */
import { finish, type Mm, type Steps, VM_READ, VM_WRITE } from '@mmu-gather/core/stepped';
import {
  dupMm,
  MADV_COLD,
  MADV_FREE,
  madvise,
  mmap,
  mprotect,
  mremap,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  munmap,
  userStore,
  vmallocInit,
  vmap,
  vunmap,
} from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, type FakeOptions, run } from './fake-machine.ts';

const PAGE = 4096;
const TABLE = 512 * PAGE;
const RW = VM_READ | VM_WRITE;

/** Memory in two tables, a page of each touched. */
function* twoTables(options: FakeOptions = {}): Steps<{ m: FakeMachine; mm: Mm }> {
  const m = new FakeMachine(options);
  const mm = yield* m.newMm();
  yield* mmap(m.cpu, mm, 0, 2 * TABLE, RW);
  yield* userStore(m.cpu, mm, 0, 1);
  yield* userStore(m.cpu, mm, TABLE, 2);
  m.sections.splice(0);
  return { m, mm };
}

const SECTION = ['enter', 'leave'];

test.each([
  ['munmap', (m: FakeMachine, mm: Mm) => munmap(m.cpu, mm, 0, 2 * TABLE)],
  ['mprotect', (m: FakeMachine, mm: Mm) => mprotect(m.cpu, mm, 0, 2 * TABLE, VM_READ)],
  ['MADV_FREE', (m: FakeMachine, mm: Mm) => madvise(m.cpu, mm, 0, 2 * TABLE, MADV_FREE)],
  ['MADV_COLD', (m: FakeMachine, mm: Mm) => madvise(m.cpu, mm, 0, 2 * TABLE, MADV_COLD)],
  ['fork', (m: FakeMachine, mm: Mm) => dupMm(m.cpu, mm)],
])('%s has a section for each table', (_name, operation) =>
  run(function* (): Steps<void> {
    const { m, mm } = yield* twoTables();
    yield* operation(m, mm);
    expect(m.sections).toEqual([...SECTION, ...SECTION]);
  })(),
);

test(
  'a fault has none: it changes one entry',
  run(function* (): Steps<void> {
    const { m, mm } = yield* twoTables();
    yield* userStore(m.cpu, mm, PAGE, 3);
    expect(m.sections).toEqual([]);
  }),
);

test(
  'mremap of part of a table has one for both places',
  run(function* (): Steps<void> {
    const { m, mm } = yield* twoTables();
    expect(yield* mremap(m.cpu, mm, 0, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, 4 * TABLE)).toBe(4 * TABLE);
    expect(m.sections.slice(0, 2)).toEqual(SECTION);
  }),
);

test.each([
  [true, [...SECTION, ...SECTION]],
  [false, []],
])('addresses of the kernel are mapped and unmapped in sections since 6.16: %s', (vmapSections, sections) =>
  run(function* (): Steps<void> {
    const m = new FakeMachine({ profile: { vmapSections } });
    yield* vmallocInit(m.cpu);
    const at = yield* vmap(m.cpu, [yield* m.cpu.alloc('page')]);
    yield* vunmap(m.cpu, at);
    expect(m.sections).toEqual(sections);
  })(),
);

test(
  'a section that outlives its lock is found out',
  run(function* (): Steps<void> {
    const { m, mm } = yield* twoTables({ profile: { leaveLazyMmu: 'after-unlock' } });
    expect(() => finish(mprotect(m.cpu, mm, 0, TABLE, VM_READ))).toThrow(
      'O16: a PTL is dropped inside a lazy MMU section',
    );
  }),
);
