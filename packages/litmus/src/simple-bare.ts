/**
 * Bare instructions on the kernel's port, for machines under SC and TSO: marked accesses, and nothing to say about dependencies.
 */
import type { BarePort } from '@mmu-gather/checker';
import type { Cell, Cpu, Steps } from '@mmu-gather/core/stepped';
import type { RmwOperation } from '@mmu-gather/checker';

type Bare = Pick<BarePort, 'load' | 'store' | 'rmw' | 'compareAndSwap' | 'fence'>;

/** The port of bare instructions, without exclusives. */
export function simpleBare(cpu: Cpu): BarePort {
  const bare: Bare = {
    load: (cell) => cpu.readOnce(cell),
    store: (cell, value) => cpu.writeOnce(cell, value),
    *rmw(cell: Cell, operation: RmwOperation, operand: number): Steps<number> {
      if (operation === 'swap') return yield* cpu.xchg(cell, operand);
      if (operation === 'add') return (yield* cpu.atomicAddReturn(cell, operand)) - operand;
      if (operation === 'andNot') return yield* cpu.atomicFetchAndNot(cell, operand);
      throw new TypeError(`no atomic '${operation}' here`);
    },
    compareAndSwap: (cell, old, value) => cpu.cmpxchg(cell, old, value),
    *fence(kind): Steps<void> {
      if (kind === 'mfence' || kind === 'mb' || kind === 'sync' || kind.endsWith(' sy')) yield* cpu.smpMb();
    },
  };
  return bare as BarePort;
}
