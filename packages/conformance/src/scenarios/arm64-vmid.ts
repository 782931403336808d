/**
 * VMIDs: what ASIDs are for guests, with an allocator of their own (arch/arm64/kvm, as of 2018). A virtual CPU checks without a lock whether
 * the VMID of its machine is of this generation.
 *
 *     vCPU 0 (update_vttbr, lock held)         vCPU 1
 *     vm.vmid = new one
 *                                              reads vm.generation: the old one, so it takes the lock
 *     vm.generation = current
 *                                              reads vm.generation: current, and then the new VMID
 */
import type { Layout } from '@mmu-gather/checker';
import type { Cell, Cpu, Mm, Steps } from '@mmu-gather/core/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { newMm } from './stage.ts';

/** One virtual machine: its second-stage table, which generation its VMID is of, and its VMID. */
interface Guest {
  readonly tables: Mm;
  readonly generation: Cell;
  readonly vmid: Cell;
  /** kvm_vmid_lock. */
  readonly lock: Cell;
  /** The VMID that each CPU has entered it with. */
  readonly entered: Cell;
}

/** After a rollover: the machine's VMID is of the generation before. */
const CURRENT = 2;
const NEW_VMID = 2;

/** Reserved before any kernel exists, so where they are is the same in all runs. */
let words: Cell = 0;

/** update_vttbr, and the entry of the guest. @param generationFirst the order of the two stores, which is wrong */
function* enterGuest(cpu: Cpu, guest: Guest, generationFirst: boolean): Steps<void> {
  if ((yield* cpu.loadAcquire(guest.generation)) !== CURRENT) {
    yield* cpu.spinLock(guest.lock);
    if ((yield* cpu.readOnce(guest.generation)) !== CURRENT) {
      if (generationFirst) yield* cpu.storeRelease(guest.generation, CURRENT);
      yield* cpu.writeOnce(guest.vmid, NEW_VMID);
      // Pairs with the load above: who sees the generation sees the VMID.
      if (!generationFirst) yield* cpu.storeRelease(guest.generation, CURRENT);
    }
    yield* cpu.spinUnlock(guest.lock);
  }
  const vmid = yield* cpu.readOnce(guest.vmid);
  yield* cpu.loadContext(cpu.read(guest.tables.pgd), vmid, true);
  yield* cpu.writeOnce(guest.entered + cpu.id, vmid);
}

const vmid = defineScenario<Guest>({
  id: 'bug:B83/fixed',
  bug: 'B83',
  abstract: true,
  title: 'two CPUs enter one virtual machine after a rollover of VMIDs: with one VMID',
  source: 'f0cf47d939d0 (2018)',
  cpus: 2,
  only: { archs: ['arm64'], why: 'it is about the VMIDs of KVM/arm' },
  reserve(layout: Layout) {
    words = layout.reserve('vm', ['generation', 'vmid', 'lock', 'entered[0]', 'entered[1]']);
  },
  setup(run) {
    const tables = newMm(run);
    const guest = { tables, generation: words, vmid: words + 1, lock: words + 2, entered: words + 3 };
    run(0, (cpu) => cpu.writeOnce(guest.generation, CURRENT - 1));
    run(0, (cpu) => cpu.writeOnce(guest.vmid, 1));
    return guest;
  },
  threads: (guest) => [0, 1].map(() => thread((cpu) => enterGuest(cpu, guest, false))),
  final(peek, { entered }) {
    const [one, other] = [peek(entered), peek(entered + 1)];
    return one === other ? undefined : `one virtual machine runs under VMIDs ${one} and ${other}`;
  },
  twins: [
    {
      id: 'bug:B83/buggy',
      why: 'the generation is raised before the VMID is there: the other CPU takes the old VMID for a new one',
      oracle: 'assert',
      property: 'ALIAS',
      threads: (guest) => [0, 1].map(() => thread((cpu) => enterGuest(cpu, guest, true))),
    },
  ],
});

/** All of them. */
export const ARM64_VMIDS: readonly AnyScenario[] = [vmid];
