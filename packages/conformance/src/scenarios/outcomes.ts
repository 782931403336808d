/**
 * Outcomes: what a scenario is about must come about in some execution. Merging, migration, reclaim and collapse give up if somebody is in
 * their way, and then nothing was shown.
 */
import { entryFlags, entryPresent, entryTarget, type Mm, PSE } from '@mmu-gather/core/stepped';
import type { Sometimes } from '../vacuity.ts';
import type { Twins } from './ksm.ts';
import type { Mapping } from './stage.ts';

interface WithPage {
  readonly p0: Mapping;
}

interface WithMm {
  readonly mm: Mm;
}

/** KSM has made page 0 one with the other. */
export const MERGED: Sometimes<Twins> = {
  what: 'the pages become one',
  when: (peek, { p0, kpage }) => entryTarget(peek(p0.pte)) === kpage,
};

/** Page 0 is the one that it was. */
export const STAYED: Sometimes<WithPage> = {
  what: 'the page stays',
  when: (peek, { p0 }) => entryTarget(peek(p0.pte)) === p0.page,
};

/** Page 0 is another one now: it was copied. */
export const MOVED: Sometimes<WithPage> = {
  what: 'the page has been copied',
  when: (peek, { p0 }) => entryPresent(peek(p0.pte)) && entryTarget(peek(p0.pte)) !== p0.page,
};

/** Page 0 is mapped no more. */
export const RECLAIMED: Sometimes<WithPage> = {
  what: 'the page is reclaimed',
  when: (peek, { p0 }) => !entryPresent(peek(p0.pte)),
};

/** Address 0 is mapped by a huge page. */
export const COLLAPSED: Sometimes<WithMm> = {
  what: 'the range is collapsed',
  when: (peek, { mm }) => (entryFlags(peek(peek(mm.pgd))) & PSE) !== 0,
};

/** The table of address 0 is gone. */
export const RETRACTED: Sometimes<WithMm> = {
  what: 'the table is retracted',
  when: (peek, { mm }) => !entryPresent(peek(peek(mm.pgd))),
};
