/**
 * Slots: the mms of a stress run. A slot holds one user's reference; who runs an mm has one of its own.
 */
import { type Cpu, Mm } from '@mmu-gather/core';
import { mmget, mmput } from '@mmu-gather/mm';
import type { Shared } from './space.ts';

/** The mm of a slot, with a reference for the caller. */
export function getSlot(cpu: Cpu, shared: Shared, slot: number): Mm {
  cpu.spinLock(shared.slotLock(slot));
  const mm = Mm.at(cpu.read(shared.slotMm(slot)));
  mmget(cpu, mm);
  cpu.spinUnlock(shared.slotLock(slot));
  return mm;
}

/** Puts an mm into a slot, with its reference; the one that was there loses that. @param mm null leaves the slot empty */
export function putSlot(cpu: Cpu, shared: Shared, slot: number, mm: Mm | null): void {
  cpu.spinLock(shared.slotLock(slot));
  const old = cpu.read(shared.slotMm(slot));
  cpu.write(shared.slotMm(slot), mm === null ? 0 : mm.address);
  cpu.spinUnlock(shared.slotLock(slot));
  if (old !== 0) mmput(cpu, Mm.at(old));
}
