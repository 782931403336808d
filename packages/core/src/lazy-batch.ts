/**
 * Lazy batch: what a CPU has collected in a lazy MMU section (struct ppc64_tlb_batch of powerpc's hash MMU, struct tlb_batch of sparc64).
 *
 *     add      of another mm or kind than what is in it: drain first        (kind: page and segment size, or page shift)
 *              adopt mm and kind if it is empty; put the entry in; drain if it is full
 *     drain    hands everything to the architecture, and is empty again
 *
 * All entries are of one mm and of one kind. `mm` and `kind` mean something only while there are entries; a drain leaves them as they are.
 *
 * One batch per CPU, which nobody else looks at: a task that moves to another CPU in the middle of a section leaves its entries behind
 * (bug B50), so the plain accesses here are those of one CPU as long as nobody does that.
 */
import type { Cpu } from './cpu.ts';
import type { Arena } from './kernel.ts';
import { isLazyMmuModeActive, type LazyMmu, preemptDisable, preemptEnable } from './lazy-mmu.ts';
import type { Mm } from './mm.ts';
import type { Steps } from './steps.ts';
import { type Cell, type Handle, type Struct, struct } from './struct.ts';

/** The words of a batch before its entries. */
export interface LazyBatchHead extends Handle {
  /** 1 inside a section, as long as the mode is a flag of the architecture; later the task knows (lazy-mmu.ts). */
  readonly active: Cell;
  /** Number of entries. */
  readonly index: Cell;
  /** The mm of all of them. */
  readonly mm: Cell;
  /** What else all of them share, as the architecture numbers it. */
  readonly kind: Cell;
}

/** Struct type of {@link LazyBatchHead}. */
const Head: Struct<LazyBatchHead> = struct<LazyBatchHead>('lazyBatch', ['active', 'index', 'mm', 'kind']);

/** The batch of one CPU. Immutable: its words are in the arena. */
export interface LazyBatch extends LazyBatchHead {
  /** First word of the entries. */
  readonly entries: Cell;
  /** Words of an entry. */
  readonly entryWords: number;
  /** Entries that fill it: PPC64_TLB_BATCH_NR and TLB_BATCH_NR are 192. */
  readonly capacity: number;
}

/** Does what a batch has collected; it is emptied after that. */
export type Drain = (cpu: Cpu, batch: LazyBatch) => Steps<void>;

/**
 * Reserves the batch of each CPU.
 * @param name of the per-CPU variable, for diagrams
 * @param fields names of the words of an entry
 * @param capacity entries that fill it, at least 1
 */
export function reserveLazyBatches(
  arena: Arena,
  name: string,
  cpus: number,
  fields: readonly string[],
  capacity: number,
): readonly LazyBatch[] {
  return Array.from({ length: cpus }, (_, cpu) => {
    const names = Array.from({ length: capacity }, (_entry, i) => fields.map((field) => `${field}[${i}]`)).flat();
    const head = Head.at(arena.reserve(`${name}[${cpu}]`, [...Head.fields, ...names]));
    return { ...head, entries: head.address + Head.words, entryWords: fields.length, capacity };
  });
}

/** Number of entries of a batch. On its own CPU. */
export function lazyBatchCount(cpu: Cpu, batch: LazyBatch): number {
  return cpu.read(batch.index);
}

/** A word of an entry of a batch. On its own CPU. */
export function lazyBatchEntry(cpu: Cpu, batch: LazyBatch, index: number, word: number): number {
  return cpu.read(batch.entries + index * batch.entryWords + word);
}

/** __flush_tlb_pending, flush_tlb_pending: nothing is collected any more. */
export function* drainLazyBatch(cpu: Cpu, batch: LazyBatch, drain: Drain): Steps<void> {
  if (cpu.read(batch.index) === 0) return;
  yield* drain(cpu, batch);
  cpu.write(batch.index, 0);
}

/** Puts an entry into this CPU's batch; drains before, if it is of another mm or kind, and after, if it is full. */
export function* addToLazyBatch(
  cpu: Cpu,
  batch: LazyBatch,
  mm: Mm,
  kind: number,
  entry: readonly number[],
  drain: Drain,
): Steps<void> {
  if (cpu.read(batch.mm) !== mm.address || cpu.read(batch.kind) !== kind) yield* drainLazyBatch(cpu, batch, drain);
  const index = cpu.read(batch.index);
  if (index === 0) {
    cpu.write(batch.mm, mm.address);
    cpu.write(batch.kind, kind);
  }
  for (let word = 0; word < batch.entryWords; word++)
    cpu.write(batch.entries + index * batch.entryWords + word, entry[word]!);
  cpu.write(batch.index, index + 1);
  if (index + 1 === batch.capacity) yield* drainLazyBatch(cpu, batch, drain);
}

/** Does this CPU collect now? As long as the mode is a flag of the architecture, its batch says so; later the task does. */
export function collectsLazily(cpu: Cpu, batch: LazyBatch): boolean {
  if (cpu.kernel.profile.lazyMmuNesting === 'none') return cpu.read(batch.active) !== 0;
  return isLazyMmuModeActive(cpu);
}

/** arch_enter_lazy_mmu_mode up to 6.19, for a batch that was looked up. */
export function activateLazyBatch(cpu: Cpu, batch: LazyBatch): void {
  cpu.write(batch.active, 1);
}

/** arch_leave_lazy_mmu_mode up to 6.19, for a batch that was looked up. */
export function* deactivateLazyBatch(cpu: Cpu, batch: LazyBatch, drain: Drain): Steps<void> {
  yield* drainLazyBatch(cpu, batch, drain);
  cpu.write(batch.active, 0);
}

/**
 * Lazy MMU mode of an architecture that has such a batch.
 * @param batchOf this CPU's batch
 * @param preemption whether tasks may be preempted in a section: powerpc up to 6.0 (b9ef323ea168), sparc64 up to 6.14 (a1d416bf9faf)
 */
export function batchingLazyMmu(batchOf: (cpu: Cpu) => LazyBatch, drain: Drain, preemption: boolean): LazyMmu {
  return {
    *enter(cpu: Cpu): Steps<void> {
      if (!preemption) preemptDisable(cpu);
      activateLazyBatch(cpu, batchOf(cpu));
    },
    *leave(cpu: Cpu): Steps<void> {
      yield* deactivateLazyBatch(cpu, batchOf(cpu), drain);
      if (!preemption) preemptEnable(cpu);
    },
    flush(cpu: Cpu): Steps<void> {
      return drainLazyBatch(cpu, batchOf(cpu), drain);
    },
    collected(cpu: Cpu): number {
      return lazyBatchCount(cpu, batchOf(cpu));
    },
  };
}
