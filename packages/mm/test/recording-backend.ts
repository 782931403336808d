/**
 * An architecture that flushes at once and writes down what it was asked for, with the hull and level arithmetic that
 * x86 reports.
 */
import {
  ACCESSED,
  ASM_GENERIC,
  type Backend,
  type BackendSpec,
  type Cpu,
  DIRTY,
  type Entry,
  entryPresent,
  entryShift,
  entryTarget,
  EVERYTHING,
  type Geometry,
  Mm,
  type MmuGather,
  NX,
  PRESENT,
  PROTNONE,
  RW,
  type Steps,
  type TlbBatch,
  tlbGetUnmapLevel,
  USER,
} from '@mmu-gather/core/stepped';
import { checkedPte } from './checked-pte.ts';
import type { FakeCpu, FakeMachine } from './fake-machine.ts';

/** One flush. */
export interface Flush {
  /** The function that was called. */
  readonly by: 'gather' | 'gen' | 'mm' | 'range' | 'page' | 'kernel' | 'batch';
  /** Units of the lowest level that was cleared; -1 for everything: what a CPU that flushes reports. */
  readonly local: number;
  /** Base pages; -1 for everything: what the sender reports. */
  readonly sent: number;
  /** freed_tables. */
  readonly tables: boolean;
}

const CEILING = 33;

/** pte_needs_flush of x86, in short. */
function pteNeedsFlush(old: Entry, next: Entry): boolean {
  if (!entryPresent(old)) return false;
  if (entryTarget(old) !== entryTarget(next)) return true;
  const diff = (old % 4096) ^ (next % 4096);
  return (diff & old & (DIRTY | PRESENT | ACCESSED) & ~ACCESSED) !== 0 || (diff & (RW | USER | NX | PROTNONE)) !== 0;
}

/** What a test's architecture has of its own. */
export type Arch = Partial<Omit<Backend, 'id' | 'isa' | 'handlers'>>;

/** The backend of one fake machine. */
export function recordingBackend(machine: FakeMachine, geometry: Geometry, arch: Arch): BackendSpec {
  function flush(by: Flush['by'], mm: Mm, start: number, end: number, level: number, tables: boolean): void {
    const shift = entryShift(geometry, level);
    const units = Math.floor((end - start) / 2 ** shift);
    const full = end === EVERYTHING || units > CEILING;
    machine.flushes.push({ by, local: full ? -1 : units, sent: full ? -1 : (end - start) / 4096, tables });
    machine.invalidate(machine.words[mm.pgd]!, full ? 0 : start, full ? EVERYTHING : end);
  }
  const backend: Omit<Backend, 'id' | 'isa'> = {
    ...ASM_GENERIC,
    pte: checkedPte(machine),
    handlers: [],
    lazyMmu: {
      *enter(): Steps<void> {
        machine.sections.push('enter');
      },
      *leave(): Steps<void> {
        machine.sections.push('leave');
      },
      *flush(): Steps<void> {
        machine.sections.push('flush');
      },
      collected: () => 0,
    },
    *initNewContext(cpu: Cpu, mm: Mm): Steps<void> {
      cpu.write(mm.context, 1);
    },
    *switchMm(cpu: Cpu, next: Mm): Steps<void> {
      if (next.address !== cpu.kernel.initMm && cpu.read(next.context) !== 1)
        throw new Error('an mm without a context');
      if (cpu.kernel !== machine.kernel) throw new Error('a CPU of another machine');
      const fake = cpu as FakeCpu;
      fake.root = machine.words[next.pgd]!;
      fake.lazy = false;
    },
    *enterLazyTlb(cpu: Cpu): Steps<void> {
      (cpu as FakeCpu).lazy = true;
    },
    *leaveMmEverywhere(_cpu: Cpu, mm: Mm): Steps<void> {
      const pgd = machine.words[mm.pgd]!;
      for (const fake of machine.cpus) if (fake.root === pgd) fake.root = 0;
      machine.left.push(mm.address);
    },
    *tlbFlush(_cpu: Cpu, tlb: MmuGather): Steps<void> {
      const all = tlb.fullmm || tlb.needFlushAll;
      if (all) flush('gather', tlb.mm, 0, EVERYTHING, 0, tlb.freedTables);
      else flush('gather', tlb.mm, tlb.start, tlb.end, tlbGetUnmapLevel(tlb), tlb.freedTables);
    },
    *flushTlbMm(_cpu: Cpu, mm: Mm): Steps<void> {
      flush('mm', mm, 0, EVERYTHING, 0, true);
    },
    *flushTlbRange(_cpu: Cpu, mm: Mm, start: number, end: number, level: number): Steps<void> {
      flush('range', mm, start, end, level, true);
    },
    *flushTlbPage(_cpu: Cpu, mm: Mm, address: number): Steps<void> {
      flush('page', mm, address, address + 4096, 0, false);
    },
    *flushTlbKernelRange(_cpu: Cpu, start: number, end: number): Steps<void> {
      flush('kernel', Mm.at(machine.kernel.initMm), start, end, 0, false);
    },
    *flushTlbGen(
      _cpu: Cpu,
      mm: Mm,
      start: number,
      end: number,
      level: number,
      freedTables: boolean,
      gen: number,
    ): Steps<void> {
      flush('gen', mm, start, end, level, freedTables);
      machine.words[mm.tlbGenCompleted] = Math.max(machine.words[mm.tlbGenCompleted]!, gen);
    },
    *tlbbatchShouldDefer(): Steps<boolean> {
      return true;
    },
    *tlbbatchAddPending(_cpu: Cpu, batch: TlbBatch, mm: Mm): Steps<number> {
      deferred.add(mm.address);
      batch.cpumask |= 1;
      return machine.words[mm.tlbGen]!;
    },
    *tlbbatchFlush(_cpu: Cpu, batch: TlbBatch): Steps<void> {
      for (const mm of deferred) flush('batch', Mm.at(mm), 0, EVERYTHING, 0, false);
      deferred.clear();
      batch.cpumask = 0;
    },
    pteNeedsFlush,
    hugePmdNeedsFlush: pteNeedsFlush,
    pteAccessible: entryPresent,
  };
  const deferred = new Set<number>();
  const isa: BackendSpec['isa'] = {
    memoryModel: 'sc',
    geometry,
    asids: 1,
    broadcasts: false,
    cleanWalks: true,
    multiCopyAtomic: true,
    accessed: 'hardware',
    dirty: 'hardware',
    instructions: {},
  };
  return {
    id: 'recording',
    isa,
    mmContextFields: ['context'],
    link: () => ({ ...backend, ...arch, id: 'recording', isa }),
  };
}
