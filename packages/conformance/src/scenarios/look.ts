/**
 * What an mm looks like, in one line, for scenarios that say what an operation is for:
 *
 *     0-2 rw, 2-4 r | 1w 2r - 0n        VMAs; then each page: its contents and what the entry lets user code do
 *
 * `w` writable, `r` readable, `n` there and away for the hardware (PROT_NONE, a hint), `s` swapped out, `m` on its way to another frame; `!`
 * write-protected by userfaultfd. Pages of a huge page stand in brackets.
 */
import {
  type Address,
  type Cpu,
  type Entry,
  entryCell,
  entryIndex,
  entryPresent,
  entryTarget,
  type Geometry,
  isMigrationPte,
  isSwapPte,
  type Mm,
  Page,
  PSE,
  pageSize,
  pteUffdWp,
  pteWrite,
  taskSize,
  Vma,
  VM_READ,
  VM_WRITE,
} from '@mmu-gather/core/stepped';

type Peek = (cell: number) => number;

/** The line of an mm. */
export function lookOf(peek: Peek, geometry: Geometry, mm: Mm): string {
  return `${vmasOf(peek, geometry, mm).join(', ')} | ${pagesOf(peek, geometry, mm).join(' ')}`;
}

/** Claims that an mm looks so now. Nobody else runs. */
export function looks(cpu: Cpu, mm: Mm, expected: string): void {
  const found = lookOf((cell) => cpu.read(cell), cpu.kernel.geometry, mm);
  cpu.claim.that(found === expected, 'O17', `memory should be '${expected}', and is '${found}'`);
}

/** Claims that a call has returned this, or user code has read it. */
export function gives(cpu: Cpu, what: string, found: number | boolean, expected: number | boolean): void {
  cpu.claim.that(found === expected, 'O17', `${what} should give ${expected}, and gives ${found}`);
}

function vmasOf(peek: Peek, geometry: Geometry, mm: Mm): string[] {
  const found: string[] = [];
  for (let at = peek(mm.mmap); at !== 0; at = peek(Vma.at(at).next)) {
    const { start, end, flags } = Vma.at(at);
    const [from, to] = [peek(start), peek(end)].map((address) => address / pageSize(geometry));
    const rights = `${(peek(flags) & VM_READ) === 0 ? '' : 'r'}${(peek(flags) & VM_WRITE) === 0 ? '' : 'w'}`;
    found.push(`${from}-${to} ${rights === '' ? 'none' : rights}`);
  }
  return found;
}

function pagesOf(peek: Peek, geometry: Geometry, mm: Mm): string[] {
  const found: string[] = [];
  for (let address = 0; address < taskSize(geometry); address += pageSize(geometry))
    found.push(pageAt(peek, geometry, peek(mm.pgd), address));
  return found;
}

function pageAt(peek: Peek, geometry: Geometry, pgd: Address, address: number): string {
  let table = pgd;
  for (let level = geometry.bits.length - 1; level > 0; level--) {
    const upper = peek(entryCell(geometry, table, level, address));
    if (upper === 0) return '-';
    if ((upper & PSE) !== 0) return `[${pageOf(peek, upper, entryIndex(geometry, 0, address))}]`;
    table = entryTarget(upper);
  }
  return pageOf(peek, peek(entryCell(geometry, table, 0, address)), 0);
}

function pageOf(peek: Peek, entry: Entry, nth: number): string {
  if (entry === 0) return '-';
  if (isMigrationPte(entry)) return 'm';
  const data = peek(Page.at(entryTarget(entry) + nth * Page.words).data);
  if (isSwapPte(entry)) return `${data}s`;
  const rights = entryPresent(entry) ? (pteWrite(entry) ? 'w' : 'r') : 'n';
  return `${data}${rights}${pteUffdWp(entry) ? '!' : ''}`;
}
