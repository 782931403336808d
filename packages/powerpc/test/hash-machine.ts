/**
 * A machine for tests of the hash MMU: one thing at a time, and what the code does to the hash page table and asks of MMUs is written down.
 *
 *     pte = busy hashed             a change of the one PTE that the test looks at, by its own flags
 *     r0, v0 = valid                words of an entry of the hash page table
 *     ptesync, eieio                smp_mb, smp_wmb
 *     tlbie 1 @4096, tlbiel ...     an address of a context
 *     tlbsync                       eieio; tlbsync; ptesync
 */
import { CountingMachine, type MmuEvent } from '@mmu-gather/counting/stepped';
import {
  type Cell,
  type Cpu,
  type Entry,
  type Geometry,
  LINUX_6_18,
  Mm,
  mkEntry,
  type Profile,
  type Steps,
  tableEntries,
  thisRq,
} from '@mmu-gather/core/stepped';
import {
  activeCpus,
  type Hash,
  HASH_LINUX_6_18,
  type HashSwitches,
  HPTE_LOCKED,
  HPTE_VALID,
  H_PAGE_BUSY,
  H_PAGE_HASHPTE,
  powerpcHash,
} from '@mmu-gather/powerpc/stepped';

/** Flags of an entry that leads to a table: present, and no huge page. */
const TABLE = 1;

/** Two levels of two entries. */
const SMALL: Geometry = { pageShift: 12, bits: [1, 1] };

export class HashMachine {
  readonly machine: CountingMachine;
  readonly log: string[] = [];
  readonly traces: string[] = [];
  #pte: Cell = 0;

  constructor(switches: Partial<HashSwitches> = {}, profile: Partial<Profile> = {}) {
    const backend = powerpcHash({ ...HASH_LINUX_6_18, groups: 16, slots: 2, contexts: 4, ...switches });
    this.machine = new CountingMachine({ cpus: 2, geometry: SMALL, backend, profile: { ...LINUX_6_18, ...profile } });
    this.machine.onMmu = (_cpu, event) => this.log.push(textOf(event));
    this.machine.onTrace = (_cpu, event, values) => this.traces.push(`${event} ${values.join(' ')}`);
    for (const cpu of this.machine.cpus) this.#listen(cpu);
  }

  /** Writes down barriers, and stores to the words that matter. */
  #listen(cpu: Cpu): void {
    const { log } = this;
    const writeOnce = cpu.writeOnce.bind(cpu);
    const storeRelease = cpu.storeRelease.bind(cpu);
    const cmpxchg = cpu.cmpxchg.bind(cpu);
    const note = (cell: Cell): void => {
      const text = this.#stored(cell, cpu.read(cell));
      if (text !== '') log.push(text);
    };
    Object.assign(cpu, {
      *smpMb(): Steps<void> {
        log.push('ptesync');
      },
      *smpWmb(): Steps<void> {
        log.push('eieio');
      },
      *writeOnce(cell: Cell, value: number): Steps<void> {
        yield* writeOnce(cell, value);
        note(cell);
      },
      *storeRelease(cell: Cell, value: number): Steps<void> {
        yield* storeRelease(cell, value);
        note(cell);
      },
      *cmpxchg(cell: Cell, old: number, value: number): Steps<number> {
        const seen = yield* cmpxchg(cell, old, value);
        if (seen === old) note(cell);
        return seen;
      },
    });
  }

  #stored(cell: Cell, value: number): string {
    if (cell === this.#pte) return `pte =${pteText(value)}`;
    const at = cell - this.hash.htab.base;
    if (at < 0 || at >= this.hash.htab.words) return '';
    const slot = Math.floor(at / 2);
    if (at % 2 === 1) return `r${slot}`;
    return `v${slot} = ${value === 0 ? '0' : vText(value)}`;
  }

  get hash(): Hash {
    return this.cpu(0).kernel.backend as Hash;
  }

  cpu(id: number): Cpu {
    return this.machine.cpus[id]!;
  }

  /** A new mm, with tables for its first pages. */
  *mm(): Steps<Mm> {
    const cpu = this.cpu(0);
    const mm = Mm.at(yield* cpu.alloc('mm'));
    const pgd = yield* cpu.alloc('table');
    const table = yield* cpu.alloc('table');
    cpu.write(pgd, mkEntry(table, TABLE));
    cpu.write(mm.pgd, pgd);
    yield* cpu.kernel.backend.initNewContext(cpu, mm);
    return mm;
  }

  /** The PTE of one of the first pages, which is written down from here on. */
  *pte(mm: Mm, page = 0): Steps<Cell> {
    const pgd = this.cpu(0).read(mm.pgd);
    const entries = tableEntries(SMALL, 0);
    this.#pte = Math.floor((this.cpu(0).read(pgd) - TABLE) / 2 ** 14) + (page % entries);
    return this.#pte;
  }

  /** Maps a page there, with its own frame. @returns the entry */
  *map(mm: Mm, page: number, flags: number): Steps<Entry> {
    const cpu = this.cpu(0);
    const pte = yield* this.pte(mm, page);
    const entry = mkEntry(yield* cpu.alloc('page'), flags);
    yield* cpu.kernel.backend.pte.setPteAt(cpu, mm, page * 4096, pte, entry, 0);
    this.log.length = 0;
    return entry;
  }

  /** A task of the mm runs on a CPU. */
  *run(id: number, mm: Mm): Steps<void> {
    const cpu = this.cpu(id);
    cpu.write(thisRq(cpu).mm, mm.address);
    yield* cpu.kernel.backend.switchMm(cpu, mm);
    this.log.length = 0;
  }

  /** What happened since the last call. */
  taken(): string[] {
    return this.log.splice(0);
  }

  /** What the hardware finds for a page. */
  found(mm: Mm, page: number): readonly Entry[] {
    const cpu = this.cpu(0);
    const load = (cell: Cell): number => cpu.read(cell);
    return this.hash.htab.lookup(load, cpu.read(mm.context), page * 4096, 0);
  }

  /** Mask and count of an mm. */
  users(mm: Mm): readonly [mask: number, active: number] {
    const cpu = this.cpu(0);
    return [cpu.read(mm.cpumask), cpu.read(activeCpus(mm))];
  }
}

function pteText(value: Entry): string {
  if (value === 0) return ' none';
  return `${(value & H_PAGE_BUSY) === 0 ? '' : ' busy'}${(value & H_PAGE_HASHPTE) === 0 ? '' : ' hashed'}`;
}

function vText(value: number): string {
  return [(value & HPTE_VALID) === 0 ? '' : 'valid', (value & HPTE_LOCKED) === 0 ? '' : 'locked']
    .filter((text) => text !== '')
    .join(' ');
}

function textOf(event: MmuEvent): string {
  switch (event.kind) {
    case 'load':
      return `context ${event.asid}`;
    case 'invalidate':
    case 'change': {
      const { asid, leaves, broadcast } = event.scope;
      return `${broadcast ? 'tlbie' : 'tlbiel'} ${asid} @${leaves.start}`;
    }
    case 'barrier':
      return 'tlbsync';
    case 'ipi':
      return `ipi ${event.target}`;
  }
}
