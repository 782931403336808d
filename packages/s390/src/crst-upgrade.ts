/**
 * crst_table_upgrade (mm/pgalloc.c): an mm gets a new top-level table, and so another ASCE, while its other threads run.
 *
 *     CPU 0                                      CPU 1 (another thread)
 *     new table, with the old one below it
 *     asce = the new one; call all CPUs          walks from the old table until it takes the call
 *     ...                                        load the new ASCE; PTLB
 *     IDTE by the new ASCE                       keeps what it formed from the old one (Z-D5)
 *
 * In Linux the call is not waited for. IPTE names a page table and an address, so it purges entries of both ASCEs; IDTE by ASCE, which is what
 * pointers to tables go by, those of one.
 *
 * The number of levels is fixed here. So the new table takes the old one's place, with the same entries: lower tables are those of both, as they
 * are in Linux, where the old table is one of them. The old one is never freed here, for it is not known to be in use; its ASCE is free when the
 * mm goes, and by then nothing may be left that was formed from it: hence PTLB. What changes of the top level itself is not shared, so a scenario
 * must leave that alone, and Linux's page_table_lock has no step.
 */
import {
  type Address,
  type Cpu,
  Mm,
  onEachCpuCondMask,
  powerOfTwo,
  type Steps,
  tableEntries,
  thisRq,
} from '@mmu-gather/core/stepped';
import { takeAsce } from './asce.ts';
import { ptlb } from './isa.ts';
import { mmAsce, mmOldAsce, s390Of } from './state.ts';

/** Id of {@link crstTableUpgradeFunc} among the backend's handlers. */
export const CRST_TABLE_UPGRADE_FUNC: number = 1;

/** __crst_table_upgrade: this CPU goes on with the new ASCE, if it has the mm. Interrupts off. */
export function* crstTableUpgradeFunc(cpu: Cpu, argument: Address): Steps<void> {
  if (cpu.read(thisRq(cpu).activeMm) !== argument) return;
  const mm = Mm.at(argument);
  yield* cpu.loadContext(cpu.read(mm.pgd), cpu.read(mmAsce(mm)), true);
  if (s390Of(cpu).switches.upgradePtlb) yield* cpu.invalidate(ptlb());
}

/** crst_table_upgrade, once in the life of an mm. With mmap_lock held for write in Linux. */
export function* crstTableUpgrade(cpu: Cpu, mm: Mm): Steps<void> {
  const { geometry, cpus } = cpu.kernel;
  const table = yield* cpu.alloc('table');
  const asce = yield* takeAsce(cpu);
  const old = cpu.read(mm.pgd);
  for (let i = 0; i < tableEntries(geometry, geometry.bits.length - 1); i++)
    yield* cpu.writeOnce(table + i, yield* cpu.readOnce(old + i));
  cpu.write(mm.pgd, table);
  cpu.write(mmOldAsce(mm), cpu.read(mmAsce(mm)));
  cpu.write(mmAsce(mm), asce);
  const { upgradeWaits } = s390Of(cpu).switches;
  yield* onEachCpuCondMask(cpu, powerOfTwo(cpus) - 1, null, CRST_TABLE_UPGRADE_FUNC, mm.address, upgradeWaits);
}
