/**
 * Where programs begin on 64-bit powerpc with pages of 64 KiB (mmap_base, ELF_ET_DYN_BASE; 128 TiB unless more is asked for).
 */
import type { Places } from './arch.ts';

/** Places of powerpc. */
export const POWERPC_PLACES: Places = {
  fixed: [[0x7ffff7000000, 0x800000000000]],
  random: [[0x7ff000000000, 0x7ffff7000000]],
  // The arguments are put at the top of 4 PiB, and the stack moves to where programs that do not ask for so much have it.
  stackTop: 2 ** 52,
  stackShift: 2 ** 52 - 2 ** 47 + 2 ** 29,
};
