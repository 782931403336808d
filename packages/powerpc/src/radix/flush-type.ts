/**
 * flush_type_needed: who must be flushed (radix_tlb.c). After a full barrier behind the change of entries:
 *
 *     CPU 0 (flush)                            CPU 1 (switch_mm_irqs_off)
 *     change entries                           set bit in mm_cpumask; active_cpus + 1
 *     smp_mb                                   smp_mb
 *     read active_cpus, mm_cpumask             load PID: walks begin
 *     // CPU 0 sees CPU 1, or CPU 1 walks what CPU 0 has changed
 *
 *     none     nobody has used the mm since it was trimmed
 *     local    this CPU alone: others that are in the mask have flushed by an interrupt that trimmed it
 *     global   every CPU, and the coprocessors
 */
import type { Cpu, Mm, Steps } from '@mmu-gather/core/stepped';
import { exitFlushLazyTlbs, exitLazyFlushTlb, runs, tickAndTestTrimClock } from './lazy.ts';
import { hasCopros } from './multicast.ts';
import { mmActiveCpus, radixOf, thisRadixCpu } from './state.ts';

/** enum tlb_flush_type. */
export type FlushType = 'none' | 'local' | 'global';

/** Who uses the mm. */
interface Users {
  readonly activeCpus: number;
  readonly cpumask: number;
}

/**
 * smp_mb and flush_type_needed.
 * @param fullmm the mm is torn down: not worth trimming
 */
export function* flushTypeNeeded(cpu: Cpu, mm: Mm, fullmm: boolean): Steps<FlushType> {
  const { switches } = radixOf(cpu);
  // Pairs with smp_mb in switch_mm_irqs_off.
  if (switches.flushFence) yield* cpu.smpMb();
  if (switches.reach === 'self') return 'local';
  const { activeCpus, cpumask } = yield* usersOf(cpu, mm);
  const mine = (cpumask & (1 << cpu.id)) !== 0;
  if (switches.noneType && activeCpus === 0) return 'none';
  if (activeCpus <= 1 && mine) return switches.ownPart ? yield* aloneInMask(cpu, mm) : 'none';
  if (fullmm || (yield* hasCopros(cpu, mm))) return 'global';
  if (runs(cpu, mm) && (yield* cpu.readOnce(mm.mmUsers)) <= 1) {
    yield* exitFlushLazyTlbs(cpu, mm);
    return 'local';
  }
  return tickAndTestTrimClock(cpu) ? yield* trim(cpu, mm, mine) : 'global';
}

function* usersOf(cpu: Cpu, mm: Mm): Steps<Users> {
  const { earlyActive, earlyMask } = thisRadixCpu(cpu);
  const early = cpu.read(earlyActive);
  if (early === 0)
    return { activeCpus: yield* cpu.readOnce(mmActiveCpus(mm)), cpumask: yield* cpu.readOnce(mm.cpumask) };
  cpu.write(earlyActive, 0);
  return { activeCpus: early - 1, cpumask: cpu.read(earlyMask) };
}

/** `typeRead: 'before-clear'`: remembers who uses the mm for the flush that follows. */
export function* lookEarly(cpu: Cpu, mm: Mm): Steps<void> {
  const { earlyActive, earlyMask } = thisRadixCpu(cpu);
  const activeCpus = yield* cpu.readOnce(mmActiveCpus(mm));
  cpu.write(earlyActive, 1 + activeCpus);
  cpu.write(earlyMask, yield* cpu.readOnce(mm.cpumask));
}

/** Who flushes from outside the mm may leave it now and then: the mask of a process that does not run would never shrink. */
function* aloneInMask(cpu: Cpu, mm: Mm): Steps<FlushType> {
  if (runs(cpu, mm) || !tickAndTestTrimClock(cpu)) return 'local';
  yield* exitLazyFlushTlb(cpu, mm);
  return 'none';
}

function* trim(cpu: Cpu, mm: Mm, mine: boolean): Steps<FlushType> {
  yield* exitFlushLazyTlbs(cpu, mm);
  if (runs(cpu, mm)) return 'local';
  if (mine) yield* exitLazyFlushTlb(cpu, mm);
  return 'none';
}
