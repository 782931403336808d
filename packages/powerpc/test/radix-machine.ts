/**
 * A machine for tests of radix: one thing at a time, and what the code asks of MMUs and of other CPUs is written down, with the barriers.
 *
 *     0: ptesync                    smp_mb, or ptesync: one and the same on the port
 *     0: tlbie 1 ric 2              a PID, with RIC
 *     0: tlbiel 1 @4096             an address of a PID; at level 1: @4096/1
 *     0: tlbsync                    eieio; tlbsync; ptesync
 *     0: ipi 1
 *     1: pid 2                      a context is loaded
 */
import { CountingMachine, type MmuEvent } from '@mmu-gather/counting/stepped';
import {
  type Cpu,
  EVERYTHING,
  type Geometry,
  LINUX_6_18,
  Mm,
  type Scope,
  type Steps,
  thisRq,
} from '@mmu-gather/core/stepped';
import {
  mmActiveCpus,
  powerpcRadix,
  RADIX_64K,
  RADIX_LINUX_6_18,
  type RadixSwitches,
} from '@mmu-gather/powerpc/stepped';

export class RadixMachine {
  readonly machine: CountingMachine;
  readonly log: string[] = [];
  /** Tracepoints: name and values. */
  readonly traces: string[] = [];

  constructor(switches: Partial<RadixSwitches> = {}, cpus = 2, geometry: Geometry = RADIX_64K) {
    // No errata and one set, where a test does not ask for them.
    const backend = powerpcRadix({ ...RADIX_LINUX_6_18, pids: 16, errata: 'none', tlbSets: 1, ...switches });
    this.machine = new CountingMachine({ cpus, geometry, backend, profile: LINUX_6_18 });
    this.machine.onMmu = (cpu, event) => this.log.push(`${cpu}: ${textOf(event)}`);
    this.machine.onTrace = (cpu, event, values) => this.traces.push(`${cpu}: ${event} ${values.join(' ')}`);
    for (const cpu of this.machine.cpus) {
      const { log } = this;
      Object.assign(cpu, {
        *smpMb(): Steps<void> {
          log.push(`${cpu.id}: ptesync`);
        },
      });
    }
  }

  cpu(id: number): Cpu {
    return this.machine.cpus[id]!;
  }

  /** A new mm with one user. */
  *mm(): Steps<Mm> {
    const cpu = this.cpu(0);
    const mm = Mm.at(yield* cpu.alloc('mm'));
    cpu.write(mm.pgd, yield* cpu.alloc('table'));
    cpu.write(mm.mmUsers, 1);
    cpu.write(mm.mmCount, 1);
    yield* cpu.kernel.backend.initNewContext(cpu, mm);
    this.log.length = 0;
    return mm;
  }

  /** A task of the mm runs on a CPU. */
  *run(id: number, mm: Mm): Steps<void> {
    const cpu = this.cpu(id);
    cpu.write(thisRq(cpu).mm, mm.address);
    cpu.write(thisRq(cpu).activeMm, mm.address);
    yield* cpu.kernel.backend.switchMm(cpu, mm);
    this.log.length = 0;
    this.traces.length = 0;
  }

  /** A CPU goes idle, and borrows what was there. */
  *idle(id: number): Steps<void> {
    const cpu = this.cpu(id);
    const rq = thisRq(cpu);
    cpu.write(rq.mm, 0);
    const mm = Mm.at(cpu.read(rq.activeMm));
    yield* cpu.atomicAdd(mm.mmCount, 1);
    yield* cpu.kernel.backend.enterLazyTlb(cpu, mm);
  }

  /** What happened since the last call. */
  taken(): string[] {
    return this.log.splice(0);
  }

  /** Mask and count of an mm. */
  users(mm: Mm): { readonly mask: number; readonly active: number } {
    const cpu = this.cpu(0);
    return { mask: cpu.read(mm.cpumask), active: cpu.read(mmActiveCpus(mm)) };
  }
}

function textOf(event: MmuEvent): string {
  switch (event.kind) {
    case 'load':
      return `pid ${event.asid}`;
    case 'invalidate':
    case 'change':
      return scopeText(event.scope);
    case 'barrier':
      return 'tlbsync';
    case 'ipi':
      return `ipi ${event.target}`;
  }
}

function scopeText({ asid, leaves, walks, broadcast, level, roots }: Scope): string {
  const name = `${broadcast ? 'tlbie' : 'tlbiel'} ${asid < 0 ? 'all' : asid}`;
  const tlb = leaves.end === EVERYTHING;
  const pwc = walks.end === EVERYTHING;
  if (tlb || (pwc && leaves.start >= leaves.end)) return `${name} ric ${roots === true ? 2 : tlb ? 0 : 1}`;
  const size = leaves.end - leaves.start;
  return `${name} @${leaves.start}${level === 0 ? '' : `/${level}`}${size === 65536 || level !== 0 ? '' : `+${size}`}`;
}
