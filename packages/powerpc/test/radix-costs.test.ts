/** What flushes cost: as many instructions as the code issues. */
import { finish, type Steps } from '@mmu-gather/core/stepped';
import { radixFlushCost, radixFlushTlbMm, radixFlushTlbRangePsize } from '@mmu-gather/powerpc/stepped';
import { expect, test } from 'vitest';
import { RadixMachine } from './radix-machine.ts';

const PAGE = 65536;

/** Instructions of a flush of three pages, or of the PID, as the tracepoint shows them, and waits for all CPUs. */
function counted(pages: number | null, local: boolean, sets: number): object {
  const cost = { tlbie: 0, tlbiel: 0, tlbsync: 0 };
  finish(
    (function* (): Steps<void> {
      const m = new RadixMachine({ tlbSets: sets });
      const mm = yield* m.mm();
      for (let id = 0; id < (local ? 1 : 2); id++) yield* m.run(id, mm);
      m.cpu(0).write(mm.mmUsers, local ? 1 : 2);
      if (pages === null) yield* radixFlushTlbMm(m.cpu(0), mm);
      else yield* radixFlushTlbRangePsize(m.cpu(0), mm, 0, pages * PAGE, 0, false);
      cost.tlbsync = m.taken().filter((line) => line.endsWith('tlbsync')).length;
      for (const line of m.traces) cost[line.includes('tlbie 0 1') ? 'tlbiel' : 'tlbie']++;
    })(),
  );
  return cost;
}

test('a PID is one tlbie, or a tlbiel for each set; pages are one instruction each', () => {
  for (const [pages, local, sets] of [
    [3, false, 128],
    [3, true, 128],
    [null, false, 128],
    [null, true, 128],
    [null, true, 1],
  ] as const)
    expect(radixFlushCost(pages, local, sets)).toEqual(counted(pages, local, sets));
});
