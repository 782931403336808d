import { ALL, ALL_ASIDS, NOTHING } from '@mmu-gather/core/stepped';
import { riscvIsa } from '@mmu-gather/riscv/stepped';
import { expect, test } from 'vitest';

const { instructions, ...isa } = riscvIsa({ asids: 16, svadu: false, cachesInvalid: 'leaves' });
const THE_PAGE = { start: 0x7000, end: 0x8000 };

test('what each form of SFENCE.VMA drops: none names walk caches of one address', () => {
  const table = Object.entries(instructions).map(([name, scope]) => [name, scope(3, 0x7000, 0x1000)]);
  expect(Object.fromEntries(table)).toEqual({
    'SFENCE.VMA': { asid: ALL_ASIDS, leaves: ALL, walks: ALL, globals: true, broadcast: false },
    'SFENCE.VMA.ASID': { asid: 3, leaves: ALL, walks: ALL, globals: false, broadcast: false },
    'SFENCE.VMA.VA': { asid: ALL_ASIDS, leaves: THE_PAGE, walks: NOTHING, globals: true, broadcast: false },
    'SFENCE.VMA.VA.ASID': { asid: 3, leaves: THE_PAGE, walks: NOTHING, globals: false, broadcast: false },
  });
});

test('without Svadu faults set accessed and dirty bits; what is not valid may be cached', () => {
  expect(isa).toMatchObject({ accessed: 'software', dirty: 'software', cachesInvalid: 'leaves', memoryModel: 'weak' });
  expect(riscvIsa({ asids: 16, svadu: true, cachesInvalid: 'never' })).not.toHaveProperty('cachesInvalid');
});
