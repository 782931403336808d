/**
 * Page faults of recordings whose kernel has no tracepoint for them: a probe on handle_mm_fault.
 *
 *     handle_mm_fault: ... addr=0xffffa4294000 flags=0x255
 *
 * The flags (enum fault_flag) say what the access was, and who asked: a CPU that faulted may be interrupted by signals (INTERRUPTIBLE); code that
 * gets pages on its own (get_user_pages) does not say so, and is part of the operation that called it.
 */
import type { AdvisedRange, Other, TaskEvent } from '../read/event.ts';
import { hex, valueAt, word } from '../read/fields.ts';
import { RANGES, RANGES_EVENT } from '../read/made-events.ts';

const FAULT_FLAG_WRITE = 0x1;
const FAULT_FLAG_USER = 0x40;
const FAULT_FLAG_INSTRUCTION = 0x100;
const FAULT_FLAG_INTERRUPTIBLE = 0x200;

/** Bits of the error code that stand for them. */
const WRITE = 2;
const FETCH = 16;

/** The value of `key` in an event's text, NaN if it has none. */
export function valueOf({ text }: Other, key: string): number {
  const at = valueAt(text, key);
  return at < 0 ? NaN : hex(text, at);
}

/** The fault that a probe on handle_mm_fault shows; the event itself if it is none that a CPU took. */
export function faultOf(event: Other): TaskEvent {
  const address = valueOf(event, 'addr=');
  const flags = valueOf(event, 'flags=');
  if (Number.isNaN(address) || Number.isNaN(flags) || (flags & FAULT_FLAG_INTERRUPTIBLE) === 0) return event;
  const errorCode =
    ((flags & FAULT_FLAG_WRITE) !== 0 ? WRITE : 0) | ((flags & FAULT_FLAG_INSTRUCTION) !== 0 ? FETCH : 0);
  const mode = (flags & FAULT_FLAG_USER) !== 0 ? 'user' : 'kernel';
  return {
    ...head(event),
    kind: 'pageFault',
    mode,
    address,
    errorCode,
    unknown: true,
    vma: word(event.text, 'vma='),
    ip: '',
  };
}

/** What probes and less usual events show that are the same on all architectures; null: another event. */
export function probed(event: Other): TaskEvent | null {
  if (event.name === 'tlb_gather_mmu_fullmm') return { ...head(event), kind: 'fullmmGather' };
  if (event.name === 'dup_mmap') return { ...head(event), kind: 'forkCopies' };
  if (event.name === 'remove_migration_pte') {
    return { ...head(event), kind: 'pageReturns', address: valueOf(event, 'addr=') };
  }
  if (event.name === RANGES_EVENT) return { ...head(event), kind: 'advisedRanges', ranges: rangesOf(event) };
  if (event.name === 'wp_page_copy') return { ...head(event), kind: 'pagePresent', copies: true };
  if (event.name === 'unmap_vmas') return { ...head(event), kind: 'areasGo' };
  if (event.name === 'vm_unmapped_area') return areaOf(event);
  if (event.name !== 'move_page_tables') return null;
  return { ...head(event), kind: 'tablesMove', from: valueOf(event, 'old='), to: valueOf(event, 'new=') };
}

/** The ranges that a probe has shown: s0=0x7f0000000000 l0=0x1000 s1=... */
function rangesOf(event: Other): AdvisedRange[] {
  const all = Array.from({ length: RANGES }, (_, at) => ({
    start: valueOf(event, `s${at}=`),
    length: valueOf(event, `l${at}=`),
  }));
  return all.filter(({ start, length }) => !Number.isNaN(start + length));
}

/** A place for a mapping, unless there was none. */
function areaOf(event: Other): TaskEvent | null {
  if (valueOf(event, 'err=') !== 0) return null;
  return { ...head(event), kind: 'areaFound', address: valueOf(event, 'addr='), length: valueOf(event, 'len=') };
}

/** The head that every event has. */
export function head({ line, time, cpu, pid, tgid, comm, flags }: Other): Omit<Other, 'kind' | 'name' | 'text'> {
  return { line, time, cpu, pid, tgid, comm, flags };
}
