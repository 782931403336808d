/**
 * x86: the tracepoint tlb:tlb_flush, which the running code emits as the kernel does.
 */
import { flushTlbFunc, x86Of } from '@mmu-gather/x86';
import type { Architecture } from './arch.ts';
import { probed } from './faults.ts';

/** Recordings of x86. */
export const X86: Architecture = {
  id: 'x86',
  names: {
    0: 'task switch',
    1: 'remote shootdown',
    2: 'local shootdown',
    3: 'local MM shootdown',
    4: 'remote IPI send',
    5: 'remote wrong CPU',
  },
  recorded: (event) => probed(event) ?? event,
  traced: (event, [reason = 0, pages = 0]) => (event === 'tlb_flush' ? { reason, pages } : null),
  // From the fourth reason on it is no flush, but a request of one; no pages: the CPU was up to date, or kept its entries.
  drops: (event, [reason = 0, pages = 0]) => (event === 'tlb_flush' && reason < 4 && pages !== 0 ? pages : null),
  mmu: null,
  trimClock: null,
  runsLast: (cpu, from, space) => {
    const info = x86Of(cpu).flushTlbInfo[from]!;
    if (cpu.read(info.mm) !== space) return false;
    flushTlbFunc(cpu, info.address);
    return true;
  },
  hashed: 0,
  mapLocked: 0x2000,
  mapNoreserve: 0x4000,
  slots: true,
  places: {
    // mmap_base, ELF_ET_DYN_BASE.
    fixed: [
      [0x555555554000, 0x555557000000],
      [0x7ffff7000000, 0x7ffffffff000],
    ],
    random: [
      [0x550000000000, 0x580000000000],
      [0x7e0000000000, 0x7ffff7000000],
    ],
    stackTop: 2 ** 47 - 4096,
    // To another 1 GiB, as in 15 of 16 cases.
    stackShift: 2 ** 33,
  },
};
