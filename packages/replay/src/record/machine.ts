/**
 * Facts of this machine, as far as it says them: what it does not say is left out, and a replay will list it as assumed.
 */
import { existsSync, readFileSync } from 'node:fs';
import { arch, release, version } from 'node:os';
import { gunzipSync } from 'node:zlib';
import type { HugePages, MachineFacts } from '../facts.ts';

/** personality(2): addresses are not randomised. */
const ADDR_NO_RANDOMIZE = 0x40000;

/** @param root the process that is recorded, if it is one: whether its addresses are randomised is its own affair */
export function machineFacts(root: number | null): MachineFacts {
  const kernel = release();
  const config = kernelConfig(kernel);
  const flags = new Set(/^flags\s*:(.*)$/m.exec(read('/proc/cpuinfo') ?? '')?.[1]?.split(' ') ?? []);
  const ceiling = read('/sys/kernel/debug/x86/tlb_single_page_flush_ceiling');
  const hz = /^CONFIG_HZ=(\d+)$/m.exec(config)?.[1];
  const levels = /^CONFIG_PGTABLE_LEVELS=(\d+)$/m.exec(config)?.[1];
  const thp = /\[(always|madvise|never)\]/.exec(read('/sys/kernel/mm/transparent_hugepage/enabled') ?? '')?.[1];
  return {
    kernel: stableRelease(kernel, version()),
    cpus: cpusOf(read('/sys/devices/system/cpu/possible')),
    ...(arch() === 'x64'
      ? { backend: 'x86', pcid: flags.has('pcid'), invlpgb: flags.has('invlpgb'), dynAsids: TLB_NR_DYN_ASIDS }
      : {}),
    ...(ceiling === null ? {} : { ceiling: Number(ceiling) }),
    ...(hz === undefined ? {} : { hz: Number(hz) }),
    ...(levels === undefined ? {} : { foldedLevels: levels === '5' && !flags.has('la57') }),
    ...(thp === undefined ? {} : { hugePages: thp as HugePages }),
    aslr: randomises(root),
  };
}

/**
 * Debian's names stand still while the kernel goes on: the release is in the text beside it.
 * @param text `#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-05-01)`
 */
export function stableRelease(kernel: string, text: string): string {
  const [, stable] = / Debian (\d+\.\d+\.\d+)-/.exec(text) ?? [];
  return stable === undefined || kernel.startsWith(stable) ? kernel : `${kernel} (${stable})`;
}

/** The same in all kernels since 4.14. */
const TLB_NR_DYN_ASIDS = 6;

/** `0-3,6`: CPUs that may exist. Events name CPUs up to the last one. */
function cpusOf(possible: string | null): number {
  const last = /(\d+)\s*$/.exec(possible ?? '')?.[1];
  return last === undefined ? 1 : Number(last) + 1;
}

function kernelConfig(kernel: string): string {
  const packed = '/proc/config.gz';
  try {
    if (existsSync(packed)) return gunzipSync(readFileSync(packed)).toString('latin1');
  } catch {
    // A container may show the file, and not let it be read.
  }
  return read(`/boot/config-${kernel}`) ?? read(`/lib/modules/${kernel}/config`) ?? '';
}

function randomises(root: number | null): boolean {
  const personality = root === null ? null : read(`/proc/${root}/personality`);
  const fixed = personality !== null && (Number.parseInt(personality, 16) & ADDR_NO_RANDOMIZE) !== 0;
  return !fixed && read('/proc/sys/kernel/randomize_va_space')?.trim() !== '0';
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
