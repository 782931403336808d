// One source, two builds: the same random sequence of operations leaves the same memory, page tables and flush log.
import * as direct from '@mmu-gather/core';
import { CountingMachine as DirectMachine } from '@mmu-gather/counting';
import { CountingMachine as SteppedMachine } from '@mmu-gather/counting/stepped';
import * as stepped from '@mmu-gather/core/stepped';
import * as directMm from '@mmu-gather/mm';
import * as steppedMm from '@mmu-gather/mm/stepped';
import { X86_LINUX_5_11, X86_LINUX_6_18, x86 as directX86 } from '@mmu-gather/x86';
import { x86 as steppedX86 } from '@mmu-gather/x86/stepped';
import { expect, test } from 'vitest';

const PAGE = 4096;
/** Three levels, so that tables of two kinds come and go within few pages. */
const GEOMETRY: direct.Geometry = { pageShift: 12, bits: [2, 2, 2] };
const PAGES = 64;
const CPUS = 3;

type Mm = direct.Mm;
/** One operation: its name and three random numbers. */
type Op = readonly [name: string, cpu: number, a: number, b: number];

/** Numbers from a seed (mulberry32). */
function random(seed: number): (below: number) => number {
  let s = seed;
  return (below) => {
    s = (s + 0x6d2b79f5) | 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const NAMES = ['mmap', 'munmap', 'mprotect', 'dontneed', 'store', 'load', 'fork', 'switch', 'kthread', 'exit'];

function sequence(seed: number, length: number): Op[] {
  const r = random(seed);
  return Array.from({ length }, () => [NAMES[r(NAMES.length)]!, r(CPUS), r(PAGES), 1 + r(8)] as const);
}

/** What an operation does, whichever build does it: `run` finishes steps, or just has their value. */
interface Build {
  readonly machine: DirectMachine | SteppedMachine;
  readonly mm: typeof directMm;
  readonly run: <T>(steps: T) => T;
}

/** Runs a sequence. Returns everything that can be seen of it. */
function execute({ machine, mm, run }: Build, ops: readonly Op[]): unknown[] {
  const log: unknown[] = [];
  machine.onTrace = (cpu, event, values) => log.push([cpu, event, ...values]);
  const cpus = machine.cpus as readonly direct.Cpu[];
  const mms: Mm[] = [];
  const current: (Mm | null)[] = cpus.map(() => null);
  const fresh = (on: direct.Cpu): Mm => {
    const made = run(mm.mmAlloc(on));
    mms.push(made);
    return made;
  };
  for (const cpu of cpus) {
    current[cpu.id] = fresh(cpu);
    run(mm.contextSwitch(cpu, current[cpu.id]!));
  }
  for (const [name, c, a, b] of ops) {
    const cpu = cpus[c]!;
    const at = a * PAGE;
    const length = Math.min(b, PAGES - a) * PAGE;
    const own = current[c];
    let result: unknown;
    if (name === 'switch' || own === null || own === undefined) {
      const next = mms.length > 0 ? mms[a % mms.length]! : fresh(cpu);
      if (current[c] === null || !current.includes(next)) {
        run(mm.contextSwitch(cpu, next));
        current[c] = next;
      }
    } else if (name === 'mmap')
      result = run(mm.mmap(cpu, own, at, length, direct.VM_READ | (b % 3 === 0 ? 0 : direct.VM_WRITE)));
    else if (name === 'munmap') result = run(mm.munmap(cpu, own, at, length));
    else if (name === 'mprotect')
      result = run(mm.mprotect(cpu, own, at, length, b % 2 === 0 ? direct.VM_READ : direct.VM_READ | direct.VM_WRITE));
    else if (name === 'dontneed') result = run(mm.madviseDontneed(cpu, own, at, length));
    else if (name === 'store') result = run(mm.doUserAddrFault(cpu, own, at, true));
    else if (name === 'load') result = run(mm.doUserAddrFault(cpu, own, at, false));
    else if (name === 'fork' && mms.length < 6) mms.push(run(mm.dupMm(cpu, own)));
    else if (name === 'kthread') {
      run(mm.contextSwitch(cpu, null));
      current[c] = null;
    } else if (name === 'exit' && mms.length > CPUS && current.filter((m) => m === own).length === 1) {
      run(mm.exitMm(cpu));
      mms.splice(mms.indexOf(own), 1);
      current[c] = null;
    }
    log.push([name, result, { ...machine.counts }]);
  }
  log.push(Array.from(machine.arena.words), machine.complaints);
  return log;
}

test.each([
  ['linux-5.11', direct.LINUX_5_11, X86_LINUX_5_11],
  ['linux-6.18', direct.LINUX_6_18, X86_LINUX_6_18],
] as const)('%s: stepped and direct builds do the same', (_, profile, switches) => {
  let flushes = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const ops = sequence(seed, 120);
    const options = { cpus: CPUS, geometry: GEOMETRY, profile };
    const a = execute(
      { machine: new DirectMachine({ ...options, backend: directX86(switches) }), mm: directMm, run: (value) => value },
      ops,
    );
    const b = execute(
      {
        machine: new SteppedMachine({ ...options, backend: steppedX86(switches) }),
        mm: steppedMm as unknown as typeof directMm,
        run: (steps) => stepped.finish(steps as never),
      },
      ops,
    );
    expect(b).toEqual(a);
    expect(a.at(-1)).toEqual([]);
    flushes += a.filter((entry) => Array.isArray(entry) && entry[1] === 'tlb_flush').length;
  }
  // The sequences are worth comparing.
  expect(flushes).toBeGreaterThan(1000);
});
