/**
 * powerpc with radix page tables: the tracepoint powerpc:tlbie, one for each tlbie and tlbiel.
 *
 *     tlbie: lpid=0, local=0, rb=0x7fffa27300a0, rs=0x500000000, ric=0x0, prs=0x1, r=0x1
 *
 * rb is the address with its page size, or the set of a PID. Of rs, which holds the PID, it is compared if it is the kernel's: which others were
 * in use when the recording began is not known. Calls of radix__flush_* tell whose flush it is that interrupts answer. Faults are a probe on handle_mm_fault, and copies one on wp_page_copy.
 */
import { radixOf } from '@mmu-gather/powerpc';
import type { Other, TaskEvent } from '../read/event.ts';
import { number, word } from '../read/fields.ts';
import { type Architecture, hexText, type Observed } from './arch.ts';
import { faultOf, head, probed, valueOf } from './faults.ts';
import { POWERPC_PLACES } from './powerpc.ts';

const TLBIE = 16;
const TLBIEL = 17;

/** IS: 1 is a PID as a whole. */
const IS_PID = 0x400;

function tlbie(local: boolean, rb: string, ric: number, kernel: boolean): Observed {
  const whole = (Number.parseInt(rb.slice(-3), 16) & IS_PID) !== 0;
  const where = `${rb} ric ${ric}${kernel ? ' pid 0' : ''}`;
  return { reason: local ? TLBIEL : TLBIE, pages: whole ? -1 : 1, where };
}

function observed(event: Other): Observed {
  const rb = word(event.text, 'rb=').replace('0x', '');
  return tlbie(number(event.text, 'local=') === 1, rb, valueOf(event, 'ric='), valueOf(event, 'rs=') === 0);
}

function recorded(event: Other): TaskEvent {
  switch (event.name) {
    case 'tlbie':
      return { ...head(event), kind: 'tlbFlush', ...observed(event) };
    case 'do_exit_flush_lazy_tlb':
      return { ...head(event), kind: 'trimArrives' };
    case 'handle_mm_fault':
      return faultOf(event);
    default:
      return /^(__)?radix__flush_/.test(event.name)
        ? { ...head(event), kind: 'flushCall', asks: false }
        : (probed(event) ?? event);
  }
}

function traced(event: string, [, local = 0, rb = 0, rs = 0, ric = 0]: readonly number[]): Observed | null {
  return event === 'tlbie' ? tlbie(local === 1, hexText(rb), ric, rs === 0) : null;
}

/** Recordings of powerpc with radix page tables and pages of 64 KiB. */
export const RADIX: Architecture = {
  id: 'powerpc-radix',
  names: { [TLBIE]: 'tlbie', [TLBIEL]: 'tlbiel' },
  recorded,
  traced,
  drops: (event, values) => traced(event, values)?.pages ?? null,
  mmu: null,
  trimClock: (cpu, due) => {
    const { cpus, switches } = radixOf(cpu);
    cpu.write(cpus[cpu.id]!.trimClock, due ? switches.trimTimer - 1 : -Infinity);
  },
  runsLast: null,
  hashed: 0,
  mapLocked: 0x80,
  mapNoreserve: 0x40,
  slots: false,
  places: POWERPC_PLACES,
};
