/**
 * What stepping costs: the same gathers and flushes on the counting machine, in the direct and in the stepped build.
 * A cycle opens a gather, records one entry, and finishes: it flushes here and on the other CPU that runs the mm.
 */
import * as direct from '@mmu-gather/core';
import * as stepped from '@mmu-gather/core/stepped';
import { CountingMachine as DirectMachine } from '@mmu-gather/counting';
import { CountingMachine as SteppedMachine } from '@mmu-gather/counting/stepped';
import * as directMm from '@mmu-gather/mm';
import * as steppedMm from '@mmu-gather/mm/stepped';
import { x86 as directX86, X86_LINUX_6_18 } from '@mmu-gather/x86';
import { x86 as steppedX86 } from '@mmu-gather/x86/stepped';
import { median, print } from './table.ts';

const CYCLES = 20_000;
const PAGE = 4096;
const SHAPE = { cpus: 2, geometry: direct.FOUR_LEVELS, profile: direct.LINUX_6_18 };

/** The direct build: plain functions. */
function inDirect(): { run: () => void; ipis: () => number } {
  const machine = new DirectMachine({ ...SHAPE, backend: directX86(X86_LINUX_6_18) });
  const cpu = machine.cpus[0]!;
  const mm = directMm.mmAlloc(cpu);
  for (const each of machine.cpus) directMm.contextSwitch(each, mm);
  const cycle = (address: number): void => {
    const tlb = direct.tlbGatherMmu(cpu, mm);
    direct.tlbRemoveTlbEntry(cpu, tlb, address, 0);
    direct.tlbFinishMmu(cpu, tlb, address, address + PAGE);
  };
  return {
    run() {
      for (let i = 0; i < CYCLES; i++) cycle((i & 63) * PAGE);
    },
    ipis: () => machine.counts.ipis,
  };
}

/** The stepped build: generators, run to their end. */
function inSteps(): { run: () => void; ipis: () => number } {
  const machine = new SteppedMachine({ ...SHAPE, backend: steppedX86(X86_LINUX_6_18) });
  const cpu = machine.cpus[0]!;
  const mm = stepped.finish(steppedMm.mmAlloc(cpu));
  for (const each of machine.cpus) stepped.finish(steppedMm.contextSwitch(each, mm));
  function* cycle(address: number): stepped.Steps<void> {
    const tlb = yield* stepped.tlbGatherMmu(cpu, mm);
    stepped.tlbRemoveTlbEntry(cpu, tlb, address, 0);
    yield* stepped.tlbFinishMmu(cpu, tlb, address, address + PAGE);
  }
  return {
    run() {
      for (let i = 0; i < CYCLES; i++) stepped.finish(cycle((i & 63) * PAGE));
    },
    ipis: () => machine.counts.ipis,
  };
}

const builds = { direct: inDirect(), stepped: inSteps() };
const [fast, slow] = Object.values(builds).map(({ run }) => (1e6 * median(run, 2_000).milliseconds) / CYCLES) as [
  number,
  number,
];
if (builds.direct.ipis() === 0 || builds.stepped.ipis() === 0) throw new Error('no flush reached the other CPU');
print(
  ['build', 'ns a cycle', 'cycles/s', 'ratio'],
  [
    ['direct', fast, Math.round(1e9 / fast), '1'],
    ['stepped', slow, Math.round(1e9 / slow), (slow / fast).toFixed(1)],
  ],
);
