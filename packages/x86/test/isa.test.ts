import { ALL, ALL_ASIDS, NOTHING } from '@mmu-gather/core/stepped';
import { x86, X86_LINUX_6_18, x86Isa } from '@mmu-gather/x86/stepped';
import { expect, test } from 'vitest';

const AT = 0x7000;
const THE_PAGE = { start: AT, end: AT + 0x1000 };

test('what each instruction drops', () => {
  const table = Object.entries(x86Isa(6).instructions).map(([name, scope]) => [name, scope(3, AT, 0x1000)]);
  expect(Object.fromEntries(table)).toEqual({
    INVLPG: { asid: 3, leaves: THE_PAGE, walks: ALL, globals: true, broadcast: false },
    INVLPGB: { asid: ALL_ASIDS, leaves: THE_PAGE, walks: ALL, globals: false, broadcast: true },
    INVLPGB_PCID: { asid: 3, leaves: THE_PAGE, walks: ALL, globals: false, broadcast: true },
    INVPCID0: { asid: 3, leaves: THE_PAGE, walks: THE_PAGE, globals: false, broadcast: false },
    INVPCID1: { asid: 3, leaves: ALL, walks: ALL, globals: false, broadcast: false },
    INVPCID2: { asid: ALL_ASIDS, leaves: ALL, walks: ALL, globals: true, broadcast: false },
    INVPCID3: { asid: ALL_ASIDS, leaves: ALL, walks: ALL, globals: false, broadcast: false },
    MOVCR3: { asid: 3, leaves: ALL, walks: ALL, globals: false, broadcast: false },
    MOVCR3_NOFLUSH: { asid: 3, leaves: NOTHING, walks: NOTHING, globals: false, broadcast: false },
    MOVCR4_PGE: { asid: ALL_ASIDS, leaves: ALL, walks: ALL, globals: true, broadcast: false },
  });
});

test('TSO, four levels, as many tags as slots', () => {
  const { isa } = x86({ ...X86_LINUX_6_18, dynAsids: 2 });
  expect([isa.memoryModel, isa.geometry.bits, isa.asids]).toEqual(['tso', [9, 9, 9, 9], 2]);
  expect(x86({ ...X86_LINUX_6_18, pcid: false }).isa.asids).toBe(1);
  expect(isa.broadcasts).toBe(false);
  expect(x86({ ...X86_LINUX_6_18, shootdown: 'broadcast' }).isa.broadcasts).toBe(true);
});
