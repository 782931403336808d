/**
 * Objects: what is there is referred to as often as it counts, and what nothing refers to was given back.
 */
import { AddressSpace, Mm, Page, Runqueue, Vma, VmapArea, VmapLists, type Address } from '@mmu-gather/core/stepped';
import type { Books } from './books.ts';
import type { Clause } from './clause.ts';

/** The first live object of a kind that something is wrong with, in words. */
function first(
  { now }: Books,
  cache: Parameters<Books['now']['forLive']>[0],
  wrong: (object: Address) => string | undefined,
): string | undefined {
  let found: string | undefined;
  now.forLive(cache, (object) => {
    const what = found === undefined ? wrong(object) : undefined;
    if (what !== undefined) found = `${now.objectName(object)} ${what}`;
  });
  return found;
}

/** References to the struct of an mm: its users together, and CPUs that borrow it. */
function mmReferences({ now, kernel }: Books, mm: Mm): number {
  let references = now.peek(mm.mmUsers) > 0 ? 1 : 0;
  // Where lazy CPUs are made to leave an mm before it goes, they hold none.
  if (kernel.backend.cleanupLazyTlbs !== null) return references;
  for (const rq of runqueues(kernel.runqueues, kernel.cpus))
    if (now.peek(rq.mm) === 0 && now.peek(rq.activeMm) === mm.address) references++;
  return references;
}

function runqueues(base: Address, cpus: number): Runqueue[] {
  return Array.from({ length: cpus }, (_, cpu) => Runqueue.at(base + cpu * Runqueue.words));
}

/** Address spaces. */
export const MMS: Clause = {
  id: 'mms',
  says: 'an mm counts those who use and borrow it; without users it maps nothing, without references it is freed',
  find: (end, own) =>
    first(end, 'mm', (address) => {
      const { now } = end;
      const mm = Mm.at(address);
      const [users, count] = [now.peek(mm.mmUsers), now.peek(mm.mmCount)];
      if (users === 0 && now.peek(mm.mmap) !== 0) return 'has no users, and still maps something';
      if (count === 0) return 'has no references, and was not freed';
      const found = mmReferences(end, mm);
      return own.counts(address, 'references', count, found)
        ? undefined
        : `counts ${count} references, and ${found} are there`;
    }),
};

/** VMAs. */
export const VMAS: Clause = {
  id: 'vmas',
  says: 'the VMAs of an mm are in order and its own, and every VMA is on the lists that it belongs to, or freed',
  find(end) {
    const { now } = end;
    for (const mm of end.mms) {
      let from = 0;
      for (const vma of end.vmas.get(mm.address) ?? []) {
        const name = now.objectName(vma.address);
        if (!now.live(vma.address)) return `${name} is freed, and on the list of ${now.objectName(mm.address)}`;
        if (now.peek(vma.mm) !== mm.address)
          return `${name} is on the list of ${now.objectName(mm.address)}, and not its`;
        if (now.peek(vma.start) < from) return `${name} overlaps the VMA before it`;
        if (now.peek(vma.end) <= now.peek(vma.start)) return `${name} is empty`;
        from = now.peek(vma.end);
      }
    }
    return first(end, 'vma', (address) => {
      const places = end.places.of(address);
      return places !== 1 ? `is on the lists of ${places} mms` : undefined;
    });
  },
};

/** Files. */
export const FILES: Clause = {
  id: 'files',
  says: 'a file lists the VMAs that map it, and caches pages of its own',
  find(end) {
    const { now } = end;
    return first(end, 'mapping', (address) => {
      const file = AddressSpace.at(address);
      for (let i = 0; now.cellName(file.pages + i).startsWith(`${now.objectName(address)}.`); i++) {
        const page = now.peek(file.pages + i);
        if (page !== 0 && !now.live(page)) return `caches ${now.objectName(page)}, which is freed`;
      }
      const listed: Address[] = [];
      for (let at = now.peek(file.iMmap); at !== 0 && !listed.includes(at); at = now.peek(Vma.at(at).nextShared))
        listed.push(at);
      const mapping = [...end.vmas.values()].flat().filter((vma) => now.peek(vma.mapping) === address);
      const missing = mapping.find((vma) => !listed.includes(vma.address));
      if (missing !== undefined) return `does not list ${now.objectName(missing.address)}, which maps it`;
      const extra = listed.find((vma) => !mapping.some((other) => other.address === vma));
      return extra === undefined ? undefined : `lists ${now.objectName(extra)}, which does not map it`;
    });
  },
};

/** Pages. */
export const PAGES: Clause = {
  id: 'pages',
  says: 'a page counts what refers to it and what maps it, and is freed with the last reference',
  find(end, own) {
    const { now } = end;
    return first(end, 'page', (address) => {
      const page = Page.at(address);
      const count = now.peek(page.refcount);
      const references = end.references.of(address);
      if (!own.counts(address, 'references', count, references))
        return `counts ${count} references, and ${references} are there`;
      if (count === 0 && !own.apart(address) && !end.frames.has(address)) return 'has no references, and was not freed';
      const mapcount = now.peek(page.mapcount);
      const mappings = end.mappings.of(address);
      if (own.counts(address, 'mappings', mapcount, mappings)) return undefined;
      return `counts ${mapcount} mappings, and ${mappings} are there`;
    });
  },
};

/** Page tables. */
export const TABLES: Clause = {
  id: 'tables',
  says: 'one entry leads to each table, or it is deposited, or freed; and some VMA needs it',
  find(end, own) {
    const { now } = end;
    for (const { mm, table, address, size } of end.tables) {
      const name = now.objectName(table);
      if (!now.live(table)) return `an entry leads to ${name}, which is freed`;
      const vmas = end.vmas.get(mm.address) ?? [];
      const needed = vmas.some((vma) => now.peek(vma.start) < address + size && address < now.peek(vma.end));
      if (!needed && !own.apart(table)) return `no VMA needs ${name} any more, and it was not freed`;
    }
    return first(end, 'table', (table) => {
      const ways = end.ways.of(table);
      if (ways > 1) return `is led to by ${ways} entries`;
      return ways === 0 && !own.apart(table) ? 'is led to by no entry, and was not freed' : undefined;
    });
  },
};

/** Areas of kernel addresses. */
export const AREAS: Clause = {
  id: 'areas',
  says: 'every area of kernel addresses is in use, or waits for its flush, or is freed; entries belong to those in use',
  find(end) {
    const { now, kernel } = end;
    const lists = VmapLists.at(kernel.vmap);
    const listed = (head: number): VmapArea[] => {
      const areas: VmapArea[] = [];
      for (
        let at = now.peek(head);
        at !== 0 && areas.every(({ address }) => address !== at);
        at = now.peek(VmapArea.at(at).next)
      )
        areas.push(VmapArea.at(at));
      return areas;
    };
    const [busy, lazy] = [listed(lists.busy), listed(lists.lazy)];
    const pages =
      lazy.reduce((sum, area) => sum + now.peek(area.end) - now.peek(area.start), 0) / 2 ** kernel.geometry.pageShift;
    if (now.peek(lists.lazyPages) !== pages)
      return `${now.peek(lists.lazyPages)} pages count as not flushed, and ${pages} wait`;
    const apart = end.kernelLeaves.find(
      ({ address }) => !busy.some((area) => now.peek(area.start) <= address && address < now.peek(area.end)),
    );
    if (apart !== undefined) return `${now.entryName(apart.entry)} stands at a kernel address that nobody uses`;
    return first(end, 'area', (area) =>
      [...busy, ...lazy].some(({ address }) => address === area) ? undefined : 'is on no list, and was not freed',
    );
  },
};
