/**
 * Hardware stage: page tables and CPUs without a kernel, for scenarios whose threads are bare instructions.
 *
 *     setup: (run) => setHardware(run, { user: [1] })           page 0 is mapped; CPU 1 runs on the tables, in user mode
 *     thread(function* (cpu) {
 *       yield* cpu.writeOnce(ptes[0], 0);                   STR      entries and data are cells of the port
 *       yield* cpu.smpMb();                                 DSB
 *       yield* instruction(cpu, 'VALE1IS', { tag: 1 });     TLBI     by its name in the isa table of the architecture
 *       yield* cpu.invalidationBarrier();                   DSB ISH
 *     })
 *
 * Loads and stores of user code go through the TLB: `cpu.userRead`, `cpu.userWrite`.
 */
import type { Run } from '@mmu-gather/checker';
import {
  ACCESSED,
  type Address,
  type Cell,
  type Cpu,
  DIRTY,
  entryCell,
  mkEntry,
  PAGE_SHIFT,
  PRESENT,
  RW,
  type Steps,
  USER,
} from '@mmu-gather/core/stepped';

/** Flags of an entry that user code has written through. */
export const WRITTEN: number = PRESENT | USER | RW | ACCESSED | DIRTY;

/** Page tables of two levels, of which one lower table is there. */
export interface Hardware {
  /** The upper table. */
  readonly root: Address;
  /** The entry of the root that leads to the lower table. */
  readonly pmd: Cell;
  /** The lower table. */
  readonly table: Address;
  /** The entries of the lower table: of page 0 and of page 1. */
  readonly ptes: readonly Cell[];
  /** Page frames: those that are mapped, in the order of their entries, and one that is not. */
  readonly pages: readonly Address[];
}

/** How a hardware stage is set. */
export interface HardwareOptions {
  /** Entries that are there from the beginning, 0 to 2; 1 if not given. */
  readonly mapped?: number;
  /** Their flags; {@link WRITTEN} if not given. */
  readonly flags?: number;
  /** Tags under which CPU 0, 1, ... have the tables loaded; 1 on those that are in user mode if not given. */
  readonly tags?: readonly number[];
  /** CPUs that end in user mode; none if not given. */
  readonly user?: readonly number[];
}

/** Makes the tables on CPU 0, and loads them where they shall be. Architectures that look into a hash table or a TSB have no use for it. */
export function setHardware(run: Run, options: HardwareOptions = {}): Hardware {
  const { mapped = 1, flags = WRITTEN, user = [] } = options;
  const hardware = run(0, function* (cpu): Steps<Hardware> {
    const root = yield* cpu.alloc('table');
    const table = yield* cpu.alloc('table');
    const ptes = [0, 1].map((page) => entryCell(cpu.kernel.geometry, table, 0, page * 2 ** PAGE_SHIFT));
    const pages: Address[] = [];
    for (let n = 0; n <= mapped; n++) pages.push(yield* cpu.alloc('page'));
    for (let n = 0; n < mapped; n++) yield* cpu.writeOnce(ptes[n]!, mkEntry(pages[n]!, flags));
    yield* cpu.writeOnce(root, mkEntry(table, WRITTEN));
    return { root, pmd: root, table, ptes, pages };
  });
  const loaded = options.tags?.map((tag, cpu) => ({ cpu, tag })) ?? user.map((cpu) => ({ cpu, tag: 1 }));
  for (const { cpu, tag } of loaded) run(cpu, (port) => port.loadContext(hardware.root, tag, true));
  for (const n of user) run(n, (cpu) => cpu.enterUser());
  return hardware;
}

/** What an invalidation names. */
export interface Operands {
  /** The address-space tag; 0 if not given. */
  readonly tag?: number;
  /** The address in bytes; 0 if not given. */
  readonly address?: number;
  /** The size in bytes of what takes a range; one page if not given. */
  readonly size?: number;
}

/**
 * Executes an instruction by its mnemonic (`Isa.instructions`).
 * @throws RangeError if the architecture has none of this name
 */
export function instruction(cpu: Cpu, mnemonic: string, operands: Operands = {}): Steps<void> {
  const { tag = 0, address = 0, size = 2 ** PAGE_SHIFT } = operands;
  const { id, isa } = cpu.kernel.backend;
  const scope = isa.instructions[mnemonic];
  if (scope === undefined)
    throw new RangeError(`${id} has no instruction '${mnemonic}': it has ${Object.keys(isa.instructions).join(', ')}`);
  return cpu.invalidate(scope(tag, address, size));
}
