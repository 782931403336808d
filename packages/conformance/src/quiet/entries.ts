/**
 * Entries: what user code finds mapped is what the VMAs say.
 */
import {
  DIRTY,
  entryPresent,
  entryTarget,
  isMigrationPte,
  isSwapPte,
  NX,
  Page,
  pageSize,
  PG_DIRTY,
  PG_KSM,
  PSE,
  ptePresent,
  pteUffdWp,
  pteWrite,
  RW,
  SAVED_DIRTY,
  SPECIAL,
  type Vma,
  VM_ACCESS_FLAGS,
  VM_EXEC,
  VM_SHARED,
  VM_UFFD_WP,
  VM_WRITE,
  vmaWantsWritenotify,
} from '@mmu-gather/core/stepped';
import type { Books, Leaf } from './books.ts';
import type { Clause } from './clause.ts';

/** Visits each leaf with its VMA until something is found. */
function each(end: Books, wrong: (leaf: Leaf, vma: Vma, flags: number) => string | undefined): string | undefined {
  for (const leaf of end.leaves) {
    const vma = end.vmaAt(leaf.mm, leaf.address);
    const what = vma === undefined ? undefined : wrong(leaf, vma, end.now.peek(vma.flags));
    if (what !== undefined) return says(end, leaf, what);
  }
  return undefined;
}

function says({ now, kernel }: Books, { mm, address, entry }: Leaf, what: string): string {
  const page = address / 2 ** kernel.geometry.pageShift;
  return `page ${page} of ${now.objectName(mm.address)} has ${now.entryName(entry)}, ${what}`;
}

/** Where entries are. */
export const PLACES: Clause = {
  id: 'places',
  says: 'nothing is mapped where there is no VMA, and nothing that is freed or on its way',
  find(end, own) {
    for (const leaf of end.leaves) {
      const { mm, address, size, entry } = leaf;
      const vma = end.vmaAt(mm, address);
      if (vma === undefined || end.now.peek(vma.end) < address + size) return says(end, leaf, 'where there is no VMA');
      if (isMigrationPte(entry)) return says(end, leaf, 'which nobody will replace');
      const { zeroPage, hugeZeroPage } = end.kernel;
      if (hugeZeroPage !== 0 && entryTarget(entry) === hugeZeroPage) {
        if ((entry & PSE) !== 0) continue;
        return says(end, leaf, 'which is a part of the huge page of zeroes');
      }
      const freed = end.pagesOf(leaf).find((page) => page !== zeroPage && !end.now.live(page));
      if (freed !== undefined && !(isSwapPte(entry) && own.slotFreed(freed))) return says(end, leaf, 'which is freed');
    }
    return undefined;
  },
};

/** What entries allow. */
export const RIGHTS: Clause = {
  id: 'rights',
  says: 'no entry allows more than its VMA does',
  find: (end) =>
    each(end, ({ entry }, _vma, flags) => {
      if (isSwapPte(entry)) return undefined;
      if (entryPresent(entry) && (flags & VM_ACCESS_FLAGS) === 0) return 'and its VMA allows no access';
      if (entryPresent(entry) && (entry & NX) === 0 && (flags & VM_EXEC) === 0) return 'and its VMA is not executable';
      if (pteUffdWp(entry) && (flags & VM_UFFD_WP) === 0) return 'write-protected for a userfaultfd that is not there';
      if (!pteWrite(entry)) return undefined;
      if ((flags & VM_WRITE) === 0) return 'and its VMA is not writable';
      return pteUffdWp(entry) ? 'and is to be write-protected' : undefined;
    }),
};

/** Where the dirty bit is. */
export const DIRTY_BIT: Clause = {
  id: 'dirty-bit',
  says: 'the dirty bit that the hardware sets is in entries that can be written through, and the one for software in others',
  find: (end) =>
    each(end, ({ entry }) => {
      if (!entryPresent(entry)) return undefined;
      if ((entry & RW) === 0) return (entry & DIRTY) === 0 ? undefined : 'dirty as only a writable entry is';
      return (entry & SAVED_DIRTY) === 0 ? undefined : 'dirty as only a read-only entry is';
    }),
};

/** Whose pages are written to. */
export const SHARING: Clause = {
  id: 'sharing',
  says: 'nobody can write to a page that somebody else sees as his own, or that is to stay as it is',
  find: (end) =>
    each(end, (leaf, _vma, flags) => {
      const { entry } = leaf;
      if (!ptePresent(entry) || !pteWrite(entry) || (entry & SPECIAL) !== 0) return undefined;
      const { peek } = end.now;
      for (const address of end.pagesOf(leaf)) {
        const page = Page.at(address);
        if ((peek(page.flags) & PG_KSM) !== 0) return 'which is merged';
        if ((flags & VM_SHARED) !== 0) continue;
        if (peek(page.mapping) !== 0) return 'and that is the page of a file, and the VMA private';
        if (end.references.of(address) > 1) return `and ${end.references.of(address)} places share it, each as its own`;
      }
      return undefined;
    }),
};

/** Whether writes are seen. */
export const NOTICE: Clause = {
  id: 'notice',
  says: 'where the first write to a page shall be seen, a page that can be written to is dirty',
  find: (end) =>
    each(end, (leaf, _vma, flags) => {
      const { entry } = leaf;
      if (!vmaWantsWritenotify(flags) || (flags & VM_UFFD_WP) !== 0 || !pteWrite(entry)) return undefined;
      const clean = end.pagesOf(leaf).some((page) => (end.now.peek(Page.at(page).flags) & PG_DIRTY) === 0);
      return clean ? 'and its file does not know that it may be written to' : undefined;
    }),
};

/** Whose pages are where. */
export const CONTENTS: Clause = {
  id: 'contents',
  says: 'pages of a file are mapped where the VMA says',
  find: (end) =>
    each(end, (leaf, vma) => {
      const { entry, address } = leaf;
      if (!ptePresent(entry) || (entry & SPECIAL) !== 0) return undefined;
      const { peek } = end.now;
      const first = peek(vma.pgoff) + (address - peek(vma.start)) / pageSize(end.kernel.geometry);
      for (const [i, at] of end.pagesOf(leaf).entries()) {
        const page = Page.at(at);
        const file = peek(page.mapping);
        if (file === 0) continue;
        if (file !== peek(vma.file)) return 'and its VMA maps another file, or none';
        // Only files that hold their pages themselves know where these are.
        if (file === peek(vma.mapping) && peek(page.index) !== first + i)
          return `and that is not page ${first + i} of its file`;
      }
      return undefined;
    }),
};

/** Whether the reverse map finds pages. */
export const REVERSE_MAP: Clause = {
  id: 'reverse-map',
  says: 'a VMA with pages of its own is known to the reverse map, and fork copies it',
  find: (end) =>
    each(end, (leaf, vma) => {
      const { entry } = leaf;
      if (!ptePresent(entry) || (entry & SPECIAL) !== 0 || end.now.peek(vma.anonVma) !== 0) return undefined;
      const own = end.pagesOf(leaf).some((page) => end.now.peek(Page.at(page).mapping) === 0);
      return own ? 'which nobody finds by its page' : undefined;
    }),
};
