/**
 * flush_tlb_multi: which CPUs of a mask are interrupted for a request, and in which order with the initiator's own part
 * (arch/x86/mm/tlb.c: native_flush_tlb_multi, native_flush_tlb_others).
 *
 * The event is traced before anybody is asked, and even if nobody is a target.
 */
import { type Address, type Cpu, type IpiCondition, Mm, onEachCpuCondMask, type Steps } from '@mmu-gather/core/stepped';
import {
  FLUSH_TLB_FUNC,
  FLUSH_TLB_FUNC_REMOTE,
  flushTlbFuncCommon,
  flushTlbFuncRemote,
  ipiPages,
} from './flush-func.ts';
import { FlushTlbInfo } from './flush-tlb-info.ts';
import { mmInAsidTransition } from './global-asid.ts';
import { kvmFlushTargets } from './kvm.ts';
import { TLB_REMOTE_SEND_IPI } from './reason.ts';
import { LOADED_MM_SWITCHING, x86Of } from './tlbstate.ts';

/** tlb_is_not_lazy: a lazy CPU compares generations before it runs user code. Pairs with smp_mb at lazy exit (switch.ts). */
export function* tlbIsNotLazy(cpu: Cpu, target: number, _argument: Address): Steps<boolean> {
  return (yield* cpu.readOnce(x86Of(cpu).tlbstate[target]!.isLazy)) === 0;
}

/**
 * should_flush_tlb: the target may run user code of the mm, or is about to. Reads loadedMm before isLazy, the reverse of the
 * order in which a switch stores them, so that isLazy is at least as new:
 *
 *     target (switch_mm_irqs_off)          initiator
 *     isLazy = 0                           read loadedMm
 *     loadedMm = SWITCHING                 smp_rmb
 *                                          read isLazy
 */
export function* shouldFlushTlb(cpu: Cpu, target: number, argument: Address): Steps<boolean> {
  const { switches, tlbstate } = x86Of(cpu);
  const info = FlushTlbInfo.at(argument);
  const loadedMm = yield* cpu.readOnce(tlbstate[target]!.loadedMm);
  yield* cpu.smpRmb();
  if ((yield* cpu.readOnce(tlbstate[target]!.isLazy)) !== 0) return false;
  const mm = cpu.read(info.mm);
  if (mm === 0 || mm === loadedMm) return true;
  // Which mm it switches to is not known; it may have read the generation before this request made a new one.
  if (loadedMm === LOADED_MM_SWITCHING) return switches.switchingIsTarget;
  return cpu.read(info.trimCpumask) !== 0;
}

/** Who decides. Nobody if tables were freed: even a lazy CPU may walk them by speculation (bug B33). */
function* ipiCondition(cpu: Cpu, info: FlushTlbInfo): Steps<IpiCondition | null> {
  const { switches } = x86Of(cpu);
  const mm = cpu.read(info.mm);
  if (mm !== 0 && (yield* mmInAsidTransition(cpu, Mm.at(mm)))) return null;
  if (cpu.read(info.freedTables) !== 0 && switches.freedTablesReachLazy) return null;
  return switches.targets === 'loaded' ? shouldFlushTlb : tlbIsNotLazy;
}

/** native_flush_tlb_multi (5.13 on): all CPUs of the mask, this one too if it is in it, remote and local parts overlapping. */
export function* flushTlbMulti(cpu: Cpu, mask: number, info: FlushTlbInfo): Steps<void> {
  cpu.trace('tlb_flush', TLB_REMOTE_SEND_IPI, ipiPages(cpu, info));
  const targets = x86Of(cpu).switches.pvFlush ? yield* kvmFlushTargets(cpu, mask) : mask;
  yield* onEachCpuCondMask(
    cpu,
    targets,
    yield* ipiCondition(cpu, info),
    FLUSH_TLB_FUNC,
    info.address,
    x86Of(cpu).switches.waitForIpis,
  );
}

/**
 * native_flush_tlb_others (up to 5.12): the other CPUs of the mask, then, because on_each_cpu_cond_mask is given the whole
 * mask, the remote function once more on this one. With freed tables smp_call_function_many leaves this one out.
 */
export function* flushTlbOthers(cpu: Cpu, mask: number, info: FlushTlbInfo): Steps<void> {
  const { waitForIpis } = x86Of(cpu).switches;
  const self = 1 << cpu.id;
  const condition = yield* ipiCondition(cpu, info);
  cpu.trace('tlb_flush', TLB_REMOTE_SEND_IPI, ipiPages(cpu, info));
  yield* onEachCpuCondMask(cpu, mask & ~self, condition, FLUSH_TLB_FUNC_REMOTE, info.address, waitForIpis);
  if (condition === null || (mask & self) === 0 || !(yield* condition(cpu, cpu.id, info.address))) return;
  yield* cpu.localIrqDisable();
  yield* flushTlbFuncRemote(cpu, info.address);
  yield* cpu.localIrqEnable();
}

/** The initiator alone. */
export function* flushTlbLocal(cpu: Cpu, info: FlushTlbInfo): Steps<void> {
  yield* cpu.localIrqDisable();
  yield* flushTlbFuncCommon(cpu, info, 'local');
  yield* cpu.localIrqEnable();
}
