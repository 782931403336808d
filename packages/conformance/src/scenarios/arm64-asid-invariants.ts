/**
 * The invariants of C. Marinas' model of arm64's ASID allocator (kernel-tla, asidalloc.tla), by its names, and the allocator run under them: two
 * CPUs, three mms, four ASIDs (the kernel's among them, as `ASSUME |CPUS| < ASIDS - 1` counts them), at least two rollovers. They are asked
 * in every state.
 *
 *     TypeInv                ids and reserved ids are ones that were given out
 *     UniqueASIDPerCPU       on one CPU, what is cached under the ASID of the mm that it runs is of that mm
 *     UniqueASIDActiveTask   two CPUs that run two mms run them with two ASIDs
 *     SameASIDActiveTask     two CPUs that run one mm run it with one ASID
 *     TLBEmptyInvalPTE       of a PTE that is clear and flushed, no CPU that runs the mm has an entry
 *
 * As there, the second to fourth are asked of CPUs outside of switch code. UniqueASIDActiveTask is asked there only of CPUs that share their TLBs
 * (CnP); it holds without, too. An mm that runs nowhere may have entries under an ASID of an earlier generation: SameASIDPerTask, which is
 * defined there and not checked, does not hold.
 */
import { type Arm64, mmContextId } from '@mmu-gather/arm64/stepped';
import type { Layout, Now, Run } from '@mmu-gather/checker';
import {
  type Address,
  ASID_FIRST_VERSION,
  asidIn,
  type Cell,
  type Cpu,
  entryTarget,
  generationIn,
  type Kernel,
  Mm,
  type Steps,
} from '@mmu-gather/core/stepped';
import { contextSwitch, exitMm, mmAlloc, mmap, userStore } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, type Only, thread } from '../scenario.ts';
import { type Mapping, mappingOf, PAGE, RW_MEMORY, keptPages } from './stage.ts';

/** Scenarios about ASIDs. */
export const ASIDS: Only = { archs: ['arm64'], why: 'its ASIDs are the same on every CPU, and roll over' };

type Peek = (cell: Cell) => number;

/** What a CPU runs, as the allocator has it on record. */
interface Running {
  readonly cpu: number;
  readonly mm: Address;
  readonly asid: number;
}

/** CPUs that run an mm: ActiveTask and ActiveAsid of the model. */
function running(peek: Peek, arm64: Arm64): Running[] {
  return arm64.cpuAsids.flatMap(({ active, reserved, loadedMm }, cpu) => {
    const id = peek(active) === 0 ? peek(reserved) : peek(active);
    return peek(loadedMm) === arm64.initMm ? [] : [{ cpu, mm: peek(loadedMm), asid: asidIn(id) }];
  });
}

/** SameASIDActiveTask and UniqueASIDActiveTask, of CPUs that are outside of switch code. */
export function activeTasks(peek: Peek, arm64: Arm64, outside: (cpu: number) => boolean): string | undefined {
  const all = running(peek, arm64).filter(({ cpu }) => outside(cpu));
  for (const [i, one] of all.entries()) {
    for (const other of all.slice(0, i)) {
      if (one.mm === other.mm && one.asid !== other.asid)
        return `SameASIDActiveTask: CPUs ${other.cpu} and ${one.cpu} run one mm with ASIDs ${other.asid} and ${one.asid}`;
      if (one.mm !== other.mm && one.asid === other.asid)
        return `UniqueASIDActiveTask: CPUs ${other.cpu} and ${one.cpu} run two mms with ASID ${one.asid}`;
    }
    const id = peek(mmContextId(Mm.at(one.mm)));
    const current = generationIn(id) === peek(arm64.asids.allocator.generation);
    if (current && asidIn(id) !== one.asid)
      return `SameASIDActiveTask: CPU ${one.cpu} runs with ASID ${one.asid} an mm whose ASID is ${asidIn(id)}`;
  }
  return undefined;
}

/** The same at the end of an execution: nobody is in switch code. */
export function asidsAtEnd(peek: Peek, { arm64 }: { readonly arm64: Arm64 }): string | undefined {
  return activeTasks(peek, arm64, () => true);
}

/** An mm with its one page, and the frame that it had at first. */
interface Task {
  readonly mm: Mm;
  readonly at0: Mapping;
}

/** What runs under the invariants. */
interface Tasks {
  readonly arm64: Arm64;
  readonly tasks: readonly Task[];
  /** The generation in which the race begins. */
  readonly generation: number;
}

/** Words of the scenario: which CPUs are in switch code, and whether the PTE of the first task is clear and flushed ("inval"). */
let words: Cell = 0;
const INVAL = 2;

/** Switches to a task, which runs for a while. */
function* schedule(cpu: Cpu, { mm }: Task): Steps<void> {
  cpu.write(words + cpu.id, 1);
  yield* contextSwitch(cpu, mm);
  cpu.write(words + cpu.id, 0);
  yield* cpu.enterUser();
  yield* cpu.enterKernel();
}

/** The TTU process of the model: clears the PTE, reads the ASID and flushes by it, and then says so. */
function* tryToUnmap(cpu: Cpu, { mm, at0 }: Task): Steps<void> {
  yield* cpu.spinLock(at0.ptl);
  yield* cpu.kernel.backend.pte.setPteAt(cpu, mm, 0, at0.pte, 0, 0);
  yield* cpu.kernel.backend.flushTlbPage(cpu, mm, 0);
  cpu.write(words + INVAL, 1);
  yield* cpu.spinUnlock(at0.ptl);
}

function typeInv(peek: Peek, { arm64 }: Tasks): string | undefined {
  const generation = peek(arm64.asids.allocator.generation);
  const ids = arm64.cpuAsids.flatMap(({ active, reserved }) => [peek(active), peek(reserved)]);
  const wrong = ids.find((id) => asidIn(id) >= arm64.switches.asids || generationIn(id) > generation);
  return wrong === undefined ? undefined : `TypeInv: ${wrong} was never given out`;
}

/** Frames that a CPU may still reach under the context that it has loaded. */
function framesHeld(now: Now, cpu: number): Address[] {
  return now.held(cpu, 0).map(entryTarget);
}

function tlbInvariants(now: Now, { arm64, tasks }: Tasks): string | undefined {
  for (const { cpu, mm } of running(now.peek, arm64)) {
    if (now.peek(words + cpu) !== 0) continue;
    for (const frame of framesHeld(now, cpu)) {
      const of = tasks.findIndex(({ at0 }) => at0.page === frame);
      if (of >= 0 && tasks[of]!.mm.address !== mm)
        return `UniqueASIDPerCPU: CPU ${cpu} runs one mm, and has an entry of another one under its ASID`;
      if (of === 0 && now.peek(words + INVAL) !== 0)
        return `TLBEmptyInvalPTE: CPU ${cpu} runs the mm, and has an entry of a PTE that is clear and flushed`;
    }
  }
  return undefined;
}

/** All of them. */
function invariants(now: Now, env: Tasks): string | undefined {
  return (
    typeInv(now.peek, env) ??
    activeTasks(now.peek, env.arm64, (cpu) => now.peek(words + cpu) === 0) ??
    tlbInvariants(now, env)
  );
}

/** How many mms run before, which are dead when the race begins: a rollover has taken the three's ASIDs, and all are given out again. */
const BEFORE = 2;

function setTasks(run: Run, kernel: Kernel): Tasks {
  const arm64 = kernel.backend as Arm64;
  const start = (cpu: number): Mm => {
    const mm = run(0, mmAlloc);
    run(0, (port) => mmap(port, mm, 0, PAGE, RW_MEMORY));
    run(cpu, (port) => contextSwitch(port, mm));
    run(cpu, (port) => userStore(port, mm, 0, 1));
    return mm;
  };
  const mms = [1, 0, 1].map(start);
  for (let cpu = 0; cpu < BEFORE; cpu++) {
    start(cpu);
    run(cpu, exitMm);
  }
  const tasks = mms.map((mm) => ({ mm, at0: mappingOf(run, mm, 0) }));
  return { arm64, tasks, generation: run(0, (cpu) => cpu.readOnce(arm64.asids.allocator.generation)) };
}

const allocator = defineScenario<Tasks>({
  id: 'asid/invariants',
  title:
    'two CPUs run three mms with four ASIDs, one of them unmaps a page; at least two rollovers, and the invariants in every state',
  source: 'kernel-tla asidalloc.tla; arch/arm64/mm/context.c',
  cpus: 2,
  only: ASIDS,
  backend: { arm64: { asids: 4 } },
  pools: { mm: 5, page: 5, table: 10, vma: 5 },
  reserve(layout: Layout) {
    words = layout.reserve('asid_model', ['inSwitch[0]', 'inSwitch[1]', 'inval']);
  },
  setup: setTasks,
  threads: ({ tasks: [a, b, c] }) => [
    thread(function* (cpu) {
      yield* schedule(cpu, a!);
      yield* schedule(cpu, b!);
    }),
    thread(function* (cpu) {
      yield* schedule(cpu, c!);
      yield* tryToUnmap(cpu, a!);
      yield* schedule(cpu, a!);
    }),
  ],
  // What the first task's page was mapped by.
  holds: ({ tasks: [a] }) => keptPages([a!.at0.page]),
  invariant: invariants,
  final(peek, { arm64, generation }) {
    // Where nothing is reserved, there are more ASIDs to give out.
    if (!arm64.switches.reserveActive) return undefined;
    const rollovers = (peek(arm64.asids.allocator.generation) - generation) / ASID_FIRST_VERSION;
    return rollovers >= 2 ? undefined : `only ${rollovers} rollovers: there should be two`;
  },
  twins: [
    {
      id: 'asid/invariants/nothing-reserved',
      why: 'a rollover does not keep the ASIDs that CPUs run with',
      oracle: ['assert', 'O8'],
      property: 'ALIAS',
      backend: { arm64: { reserveActive: false } },
    },
    {
      id: 'asid/invariants/no-flush',
      why: 'a rollover flushes nobody: an ASID is reused on a CPU that has entries under it',
      oracle: ['assert', 'O8'],
      property: 'ALIAS',
      wrong: 'tag-reused',
    },
    {
      id: 'asid/invariants/local',
      why: 'the PTE is flushed on the CPU that unmaps alone',
      oracle: 'assert',
      property: 'MISS',
      wrong: 'self-only',
    },
  ],
});

/** All of them. */
export const ARM64_ASID_INVARIANTS: readonly AnyScenario[] = [allocator];
