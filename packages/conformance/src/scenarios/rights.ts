/**
 * Operations that change pages and rights of live memory: MADV_DONTNEED, mprotect, userfaultfd, copy-on-write.
 */
import { type Cpu, type Mm, type Steps, VM_READ, VM_WRITE } from '@mmu-gather/core/stepped';
import {
  doUserAddrFault,
  dupMm,
  madviseDontneed,
  mprotect,
  mwriteprotectRange,
  uffdRegisterWp,
  userStore,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, type Only, thread } from '../scenario.ts';
import { PAGE, setStage, type Stage, noWait } from './stage.ts';

const READ_ONLY = VM_READ;

const dontneedRunning = defineScenario<Stage>({
  id: 'dontneed/running-thread',
  title: 'MADV_DONTNEED of a page that another thread may be using',
  cpus: 2,
  setup: (run) => setStage(run),
  threads: ({ mm }) => [thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE))],
  twins: [noWait('dontneed/running-thread')],
});

const dontneedFault = defineScenario<Stage>({
  id: 'dontneed/fault',
  title: 'MADV_DONTNEED of a page against a thread that stores to it and faults',
  cpus: 2,
  setup: (run) => setStage(run, { touched: [0] }),
  threads: ({ mm }) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)),
    thread(function* (cpu) {
      yield* cpu.enterKernel();
      yield* userStore(cpu, mm, 0, 7);
    }),
  ],
  twins: [noWait('dontneed/fault')],
});

const mprotectRunning = defineScenario<Stage>({
  id: 'mprotect/running-thread',
  title: 'mprotect takes the right to write away from a running thread',
  cpus: 2,
  setup: (run) => setStage(run),
  threads: ({ mm }) => [thread((cpu) => mprotect(cpu, mm, 0, PAGE, READ_ONLY))],
  twins: [
    {
      id: 'mprotect/running-thread/no-flush',
      why: 'mprotect does not flush',
      oracle: 'O2',
      property: 'SAC',
      profile: { changeProtection: 'none' },
    },
  ],
});

const mprotectStore = defineScenario<Stage>({
  id: 'mprotect/store',
  title: 'mprotect against a thread that stores to the page',
  cpus: 2,
  setup: (run) => setStage(run),
  threads: ({ mm }) => [
    thread((cpu) => mprotect(cpu, mm, 0, PAGE, READ_ONLY)),
    thread(function* (cpu) {
      yield* cpu.enterKernel();
      yield* userStore(cpu, mm, 0, 7);
      yield* cpu.enterUser();
    }),
  ],
  twins: [
    {
      id: 'mprotect/store/no-flush',
      why: 'mprotect does not flush',
      oracle: 'O2',
      property: 'SAC',
      profile: { changeProtection: 'none' },
    },
  ],
});

const uffdProtect = defineScenario<Stage>({
  id: 'uffd/write-protect',
  title: 'userfaultfd protects a page that another thread writes to: when the call returns, a write faults',
  source: 'mm/userfaultfd.c mwriteprotect_range',
  cpus: 2,
  setup(run) {
    const stage = setStage(run, { touched: [0] });
    run(0, (cpu) => uffdRegisterWp(cpu, stage.mm, 0, PAGE));
    return stage;
  },
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* mwriteprotectRange(cpu, mm, 0, PAGE, true);
      cpu.claim.limit(cpu.read(mm.pgd), { start: 0, end: PAGE }, 'read');
    }),
  ],
  twins: [
    {
      id: 'uffd/write-protect/no-flush',
      why: 'the call returns without a flush: writes through the old entry are not trapped',
      oracle: 'O2',
      property: 'WPX',
      profile: { changeProtection: 'none' },
    },
  ],
});

/** A write fault, and back to user mode with what it has made of the entry. */
function* faults(cpu: Cpu, mm: Mm): Steps<void> {
  yield* doUserAddrFault(cpu, mm, 0, true);
  yield* cpu.enterUser();
}

/** Who watches lets a write in, and says so. */
function* letIn(cpu: Cpu, mm: Mm, saidFirst: boolean): Steps<void> {
  yield* cpu.smpMb();
  const allows = (): void => cpu.claim.limit(cpu.read(mm.pgd), { start: 0, end: PAGE }, 'write');
  if (saidFirst) allows();
  yield* mwriteprotectRange(cpu, mm, 0, PAGE, false);
  if (!saidFirst) allows();
}

const uffdFault = defineScenario<Stage>({
  id: 'uffd/fault',
  title: 'a thread writes to a page that userfaultfd protects: it waits until the write is let in',
  source: 'fs/userfaultfd.c handle_userfault',
  cpus: 2,
  setup(run) {
    const stage = setStage(run, { pages: 1, inKernel: [1] });
    const { mm } = stage;
    run(0, (cpu) => uffdRegisterWp(cpu, mm, 0, PAGE));
    run(0, (cpu) => mwriteprotectRange(cpu, mm, 0, PAGE, true));
    run(0, function* (cpu) {
      cpu.claim.limit(cpu.read(mm.pgd), { start: 0, end: PAGE }, 'read');
      yield* cpu.smpMb();
    });
    return stage;
  },
  threads: ({ mm }) => [thread((cpu) => faults(cpu, mm)), thread((cpu) => letIn(cpu, mm, true))],
  twins: [
    {
      id: 'uffd/fault/said-late',
      why: 'who watches lets the write in, and looks at the page as if it could not change yet',
      oracle: 'O2',
      property: 'WPX',
      threads: ({ mm }) => [thread((cpu) => userStore(cpu, mm, 0, 7)), thread((cpu) => letIn(cpu, mm, false))],
    },
  ],
});

const cowWriter = defineScenario<Stage>({
  id: 'cow/running-thread',
  title: 'a copy-on-write fault while another thread may still read the shared page',
  cpus: 2,
  setup(run) {
    const stage = setStage(run);
    run(0, (cpu) => dupMm(cpu, stage.mm));
    return stage;
  },
  threads: ({ mm }) => [thread((cpu) => userStore(cpu, mm, 0, 7))],
  twins: [
    {
      id: 'cow/running-thread/clear-only',
      why: 'the old entry is cleared and not flushed',
      oracle: 'O6',
      property: 'LOSTW',
      profile: { cowFlush: 'clear' },
    },
  ],
});

const cowBoth = defineScenario<Stage>({
  id: 'cow/both-write',
  title: 'two threads break copy-on-write of one page at the same time',
  cpus: 2,
  setup(run) {
    const stage = setStage(run, { touched: [0], inKernel: [1] });
    run(0, (cpu) => dupMm(cpu, stage.mm));
    return stage;
  },
  threads: ({ mm }) => [thread((cpu) => userStore(cpu, mm, 0, 7)), thread((cpu) => userStore(cpu, mm, 0, 8))],
  twins: [
    {
      id: 'cow/both-write/clear-only',
      why: 'the old entry is cleared and not flushed',
      oracle: ['O6', 'O1'],
      property: 'LOSTW',
      profile: { cowFlush: 'clear' },
    },
  ],
});

const ASKS_ITS_RULE: Only = { archs: ['x86'], why: 'it is about its rule for entries that are not present' };

/** @param needsFlushRule of the kernel since 5.19, or of the RFC of 2021 */
function fromNone(id: string, source: string, needsFlushRule: string): AnyScenario {
  return defineScenario<Stage & { readonly before: number }>({
    id: `mprotect/${id}`,
    title: 'mprotect gives a page its rights back that had none: nobody can have cached it, and nobody is flushed',
    source,
    cpus: 2,
    only: ASKS_ITS_RULE,
    profile: { changeProtection: 'gather', needsFlush: 'architecture', deferral: 'counter' },
    backend: { x86: { needsFlushRule } },
    setup(run) {
      const stage = setStage(run, { touched: [0] });
      run(0, (cpu) => mprotect(cpu, stage.mm, 0, PAGE, 0));
      return { ...stage, before: run(0, (cpu) => cpu.readOnce(stage.mm.tlbGen)) };
    },
    threads: ({ mm }) => [thread((cpu) => mprotect(cpu, mm, 0, PAGE, VM_READ | VM_WRITE))],
    sequential: 'it is about what need not be done',
    final: (peek, { mm, before }) => (peek(mm.tlbGen) === before ? undefined : 'it flushed for nothing'),
    twins: [
      {
        id: `mprotect/${id}/always`,
        why: 'up to 5.18 every change of an entry counts',
        oracle: 'assert',
        profile: { needsFlush: 'always' },
      },
    ],
  });
}

/** All of them. */
export const RIGHTS: readonly AnyScenario[] = [
  dontneedRunning,
  dontneedFault,
  mprotectRunning,
  mprotectStore,
  uffdProtect,
  uffdFault,
  cowWriter,
  cowBoth,
  fromNone('from-none', 'arch/x86/include/asm/tlbflush.h pte_needs_flush (5.19)', '5.19'),
  fromNone('from-none-rfc', 'RFC 2021, N. Amit, patch 3: pte_may_need_flush', 'rfc'),
];
