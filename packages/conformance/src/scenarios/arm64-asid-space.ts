/**
 * The ASIDs of arm64, one after the other: who gets which number (arch/arm64/mm/context.c new_context).
 */
import { mmContextId } from '@mmu-gather/arm64/stepped';
import { asidIn, type Cpu, type Mm, type Steps } from '@mmu-gather/core/stepped';
import { contextSwitch, userStore } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { ASIDS } from './arm64-asid-invariants.ts';
import { gives } from './look.ts';
import { newMm } from './stage.ts';

/** Runs an mm. @returns its ASID */
function* runs(cpu: Cpu, mm: Mm, data: number): Steps<number> {
  yield* contextSwitch(cpu, mm);
  yield* userStore(cpu, mm, 0, data);
  return asidIn(yield* cpu.readOnce(mmContextId(mm)));
}

const space = defineScenario<readonly Mm[]>({
  id: 'asid/space',
  title: 'four ASIDs for five mms: an mm that comes back after a rollover has its number again, if nobody has it',
  source: 'arch/arm64/mm/context.c new_context',
  cpus: 1,
  only: ASIDS,
  backend: { arm64: { asids: 5 } },
  pools: { mm: 5, page: 5, table: 10, vma: 5 },
  sequential: 'it is about who gets what',
  setup: (run) => [0, 1, 2, 3, 4].map(() => newMm(run)),
  threads: ([a, b, c, d, e]) => [
    thread(function* (cpu) {
      gives(cpu, 'the first', yield* runs(cpu, a!, 1), 1);
      gives(cpu, 'the second', yield* runs(cpu, b!, 2), 2);
      gives(cpu, 'the third', yield* runs(cpu, c!, 3), 3);
      gives(cpu, 'the fourth', yield* runs(cpu, d!, 4), 4);
      gives(cpu, 'the fifth, after a rollover that keeps 4,', yield* runs(cpu, e!, 5), 1);
      gives(cpu, 'the third, whose number nobody has,', yield* runs(cpu, c!, 6), 3);
      gives(cpu, 'the first, whose number the fifth has,', yield* runs(cpu, a!, 7), 2);
    }),
  ],
  twins: [
    {
      id: 'asid/space/no-flush',
      why: 'a rollover flushes nobody: the fifth has the entries of the first',
      oracle: 'O8',
      property: 'ALIAS',
      wrong: 'tag-reused',
    },
  ],
});

/** All of them. */
export const ARM64_ASID_SPACE: readonly AnyScenario[] = [space];
