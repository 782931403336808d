/**
 * s390: calls about one mm that reach a CPU which runs another one by then.
 */
import type { Run } from '@mmu-gather/checker';
import type { Mm } from '@mmu-gather/core/stepped';
import { contextSwitch, doUserAddrFault, exitMm } from '@mmu-gather/mm/stepped';
import { attachMask, crstTableUpgrade, mmAsce } from '@mmu-gather/s390/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { S390_ONLY } from './s390-only.ts';
import { newMm, setStage, type Stage, type StageOptions } from './stage.ts';
import { storeSoon } from './upgrades.ts';

/** Besides the mm of the stage, which has a page at its second address only, one that has a page at the first. */
interface Besides extends Stage {
  readonly other: Mm;
}

function setBesides(run: Run, options: StageOptions): Besides {
  const stage = setStage(run, { touched: [1], ...options });
  const other = newMm(run);
  run(0, (cpu) => doUserAddrFault(cpu, other, 0, true));
  return { ...stage, other };
}

const attached = defineScenario<Besides>({
  id: 's390/leave-elsewhere',
  title:
    'an mm ends, and the CPU that borrows it is told to leave when it has gone on to another one: it stays attached to that',
  source: 'core.md 8.5 F2; arch/s390/include/asm/mmu_context.h switch_mm',
  cpus: 2,
  only: S390_ONLY,
  profile: { fullmm: 'F2' },
  setup: (run) => setBesides(run, { lazy: [1] }),
  threads: ({ other }) => [thread((cpu) => exitMm(cpu)), thread((cpu) => contextSwitch(cpu, other))],
  final: (peek, { other }) =>
    peek(attachMask(other)) === 2 ? undefined : `attach_mask of the other mm is ${peek(attachMask(other))}`,
  twins: [
    {
      id: 's390/leave-elsewhere/nobody-leaves',
      why: 'nobody leaves: the CPU that borrows the mm may walk its tables while they are freed',
      oracle: 'O4',
      property: 'TUAF',
      profile: { fullmm: 'F3' },
    },
  ],
});

const upgradedElsewhere = defineScenario<Besides>({
  id: 's390/upgrade-elsewhere',
  title: 'all CPUs are told that an mm has a new top-level table: one that runs another mm goes on with that',
  source: 'arch/s390/mm/pgalloc.c __crst_table_upgrade: "if (current->active_mm == mm)"',
  cpus: 2,
  only: S390_ONLY,
  pools: { mm: 4, table: 10 },
  setup(run) {
    const stage = setBesides(run, { running: [0] });
    run(1, (cpu) => contextSwitch(cpu, stage.other));
    return stage;
  },
  threads: ({ mm, other }) => [thread((cpu) => crstTableUpgrade(cpu, mm)), thread((cpu) => storeSoon(cpu, other))],
  // The old top-level table.
  holds: ({ mm }, peek) => [{ object: peek(mm.pgd) }],
  twins: [
    {
      id: 's390/upgrade-elsewhere/taken',
      why: 'a CPU that is told takes the new ASCE, whatever it runs: its own mm has the page, and the store never gets through',
      oracle: 'O16',
      property: 'LIVE',
      threads: ({ mm, other }) => [
        undefined,
        thread(function* (cpu) {
          yield* cpu.loadContext(cpu.read(mm.pgd), cpu.read(mmAsce(mm)), true);
          yield* storeSoon(cpu, other);
        }),
      ],
    },
  ],
});

/** All of them. */
export const S390_CALLS: readonly AnyScenario[] = [attached, upgradedElsewhere];
