import { ALL, ALL_ASIDS, NOTHING } from '@mmu-gather/core/stepped';
import { sparc64, SPARC64_LINUX_6_18, sparc64Isa } from '@mmu-gather/sparc/stepped';
import { expect, test } from 'vitest';

const AT = 0x4000;
const PAGE = { start: AT, end: AT + 0x2000 };

test('what each demap drops: one page of one context, a context, kernel pages, everything', () => {
  const table = Object.entries(sparc64Isa(8).instructions).map(([name, scope]) => [name, scope(3, AT, 0x2000)]);
  const page = { asid: 3, leaves: PAGE, walks: NOTHING, globals: false, broadcast: false };
  const context = { asid: 3, leaves: ALL, walks: NOTHING, globals: false, broadcast: false };
  expect(Object.fromEntries(table)).toEqual({
    DEMAP_PAGE: page,
    DEMAP_DATA: { ...page, data: true },
    DEMAP_CONTEXT: context,
    DEMAP_NUCLEUS: { asid: 0, leaves: PAGE, walks: ALL, globals: true, broadcast: false },
    DEMAP_ALL: { asid: ALL_ASIDS, leaves: ALL, walks: NOTHING, globals: true, broadcast: false },
    HV_MMU_UNMAP_ADDR: page,
    HV_FAST_MMU_DEMAP_CTX: context,
  });
});

test('TSO, four levels of 1024 entries of 8 KiB pages, 8192 context numbers, software accessed and dirty bits', () => {
  const { isa } = sparc64(SPARC64_LINUX_6_18);
  expect([isa.memoryModel, isa.geometry, isa.asids, isa.broadcasts]).toEqual([
    'tso',
    { pageShift: 13, bits: [10, 10, 10, 10] },
    8192,
    false,
  ]);
  expect([isa.accessed, isa.dirty]).toEqual(['software', 'software']);
});
