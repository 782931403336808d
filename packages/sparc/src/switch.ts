/**
 * switch_mm (arch/sparc/include/asm/mmu_context_64.h): this CPU's secondary context becomes another mm's. Interrupts off.
 *
 *     secondaryMm = mm                       before the version is looked at: context.ts
 *     lock the context
 *       a new number, if it has no valid one
 *       TSB register, context register       always: another CPU may have given the mm a larger TSB (tsb-grow.ts)
 *       first run of this number here?       bit in mm_cpumask, then demap of the context
 *     unlock
 *
 * A flush makes the TSB clean under the same lock, and reads mm_cpumask then (tlb-batch.ts): either it finds this CPU's bit, or this CPU
 * comes after it, and the TSB has nothing old to fill its TLB from.
 *
 * enter_lazy_tlb does nothing: a kernel thread keeps the context that is loaded, and its bit.
 */
import { type Address, type Cpu, type Mm, type Steps } from '@mmu-gather/core/stepped';
import { ctxNumber, ctxValid, getNewMmuContext } from './context.ts';
import { contextTsb, contextVal, sparc64Of, thisCpuState } from './state.ts';
import { lockContext, unlockContext } from './tsb.ts';

/** switch_mm. Interrupts off. The kernel's own mm has no context: what is loaded stays. */
export function* switchMm(cpu: Cpu, next: Mm): Steps<void> {
  const { switches } = sparc64Of(cpu);
  const { secondaryMm } = thisCpuState(cpu);
  const user = next.address !== cpu.kernel.initMm;
  if (!user || switches.secondaryFirst) yield* cpu.writeOnce(secondaryMm, next.address);
  if (!user) return;
  yield* lockContext(cpu, next);
  let val = yield* cpu.readOnce(contextVal(next));
  const valid = yield* ctxValid(cpu, val);
  if (!valid) val = yield* getNewMmuContext(cpu, next);
  const bit = 1 << cpu.id;
  const first = !valid || ((yield* cpu.readOnce(next.cpumask)) & bit) === 0;
  if (first && switches.arrival === 'locked') yield* cpu.atomicOr(next.cpumask, bit);
  // The demap of a first run and the load are one step: what the TSB fills between the two goes with the demap, and no user code runs.
  yield* tsbContextSwitch(cpu, next, ctxNumber(val), !first || !switches.firstRunDemap);
  if (!switches.secondaryFirst) yield* cpu.writeOnce(secondaryMm, next.address);
  yield* unlockContext(cpu, next);
  if (first && switches.arrival === 'unlocked') yield* cpu.atomicOr(next.cpumask, bit);
}

/**
 * tsb_context_switch_ctx: root for the miss handler, TSB register, context number. The hardware must not look into one mm's TSB under
 * another one's number, so the register is empty in between.
 * @param keep whether entries under this number stay; if not, the context is demapped
 */
function* tsbContextSwitch(cpu: Cpu, next: Mm, ctx: number, keep: boolean): Steps<void> {
  const { pgd } = thisCpuState(cpu);
  const root = cpu.read(next.pgd);
  const same = cpu.read(pgd) === root;
  if (!same) yield* loadTsbRegister(cpu, 0);
  cpu.write(pgd, root);
  yield* cpu.loadContext(root, ctx, keep);
  yield* loadTsbRegister(cpu, cpu.read(contextTsb(next)));
}

/** Writes this CPU's TSB register: it takes effect before user code runs, or a context is loaded. */
export function* loadTsbRegister(cpu: Cpu, tsb: Address): Steps<void> {
  const { tsbs } = sparc64Of(cpu);
  if (tsbs.each > 0) yield* cpu.writeOnce(tsbs.registers + cpu.id, tsb);
}

/** tsb_context_switch: the mm that runs here has another TSB now. Interrupts off. */
export function* reloadTsb(cpu: Cpu, mm: Mm): Steps<void> {
  if (cpu.read(thisCpuState(cpu).pgd) === cpu.read(mm.pgd)) yield* loadTsbRegister(cpu, cpu.read(contextTsb(mm)));
}

/** enter_lazy_tlb: nothing. */
export function* enterLazyTlb(_cpu: Cpu, _mm: Mm): Steps<void> {}
