import {
  FLUSH_1_PAGE,
  FLUSH_33_PAGES,
  FLUSH_ALL,
  INVLPG,
  MPROTECT_LOCAL,
  MPROTECT_NO_FLUSH,
  MPROTECT_REMOTE,
  X86_LINUX_6_18,
} from '@mmu-gather/x86/stepped';
import { expect, test } from 'vitest';

test('pages up to the ceiling are dearer than everything, and an interrupt is dearer than both', () => {
  const perPage = (FLUSH_33_PAGES.value - FLUSH_1_PAGE.value) / (X86_LINUX_6_18.ceiling - 1);
  expect(perPage).toBeCloseTo(INVLPG.value, -2);
  expect(FLUSH_33_PAGES.value).toBeGreaterThan(FLUSH_ALL.value);
  expect(MPROTECT_REMOTE.value - MPROTECT_LOCAL.value).toBeGreaterThan(
    5 * (MPROTECT_LOCAL.value - MPROTECT_NO_FLUSH.value),
  );
});
