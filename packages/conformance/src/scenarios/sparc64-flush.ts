/**
 * sparc64's flushes: cross calls that are accepted or waited for, batches, and pages of two halves.
 */
import { VM_EXEC } from '@mmu-gather/core/stepped';
import {
  collapseHugePage,
  contextSwitch,
  madviseDontneed,
  mmAlloc,
  mmap,
  munmap,
  userLoad,
  userStore,
} from '@mmu-gather/mm/stepped';
import { doFlushTlbKernelRange, flushTlbKernelRange, HI_OBP_ADDRESS, LOW_OBP_ADDRESS } from '@mmu-gather/sparc/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { setHugeStage } from './huge-stage.ts';
import { spillWindow } from './sparc64-windows.ts';
import { newThread, noWait, PAGE, RW_MEMORY, setStage, type Stage, syscall } from './stage.ts';

const ONLY = { archs: ['sparc64'], why: 'it is about its cross calls and page sizes' };

const spill = defineScenario<Stage>({
  id: 'sparc64/window-spill',
  title:
    'a register window is stored to a page of the stack while it is unmapped: cross calls are held at trap level 1',
  source: 'f36391d2790d (2013), kernel/winfixup.S; D-S3, sheet T5',
  cpus: 2,
  only: ONLY,
  backend: { sparc64: { windowTraps: true, singlePage: 'taken' } },
  setup: (run) => setStage(run, { touched: [1] }),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, PAGE, PAGE)), thread((cpu) => spillWindow(cpu, PAGE, 7))],
  twins: [
    {
      id: 'sparc64/window-spill/as-in-linux',
      why: 'the flush of a single page returns when its mondo is accepted: the page is freed, and stored to',
      oracle: 'O1',
      property: 'FUAF',
      backend: { sparc64: { singlePage: 'accepted' } },
    },
  ],
});

const spillBatch = defineScenario<Stage>({
  id: 'sparc64/window-spill-batch',
  title: 'the same with two pages at once: their flush is a call that waits for the trap to end',
  source: 'f36391d2790d (2013), kernel/winfixup.S',
  cpus: 2,
  only: ONLY,
  backend: { sparc64: { windowTraps: true, singlePage: 'accepted' } },
  setup: (run) => setStage(run),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE)), thread((cpu) => spillWindow(cpu, 0, 7))],
  twins: [noWait('sparc64/window-spill-batch')],
});

const batch = defineScenario<Stage>({
  id: 'sparc64/batch',
  title: 'four pages are unmapped in two batches, whose addresses the other CPU reads where they stand',
  source: 'f36391d2790d (2013); sheet T9',
  cpus: 2,
  only: ONLY,
  setup: (run) => setStage(run, { pages: 4 }),
  threads: ({ mm }) => [thread((cpu) => madviseDontneed(cpu, mm, 0, 4 * PAGE))],
  twins: [
    {
      id: 'sparc64/batch/reused',
      why: 'the batch is filled again while the other CPU still reads it',
      oracle: ['O1', 'O10', 'race'],
      property: 'FUAF',
      wrong: 'no-wait',
    },
    {
      id: 'sparc64/batch/others-only',
      why: 'the CPU that unmaps keeps the pages of the batch in its own TLB',
      oracle: ['O2', 'O10', 'O12', 'O1'],
      property: 'SAC',
      wrong: 'others-only',
    },
  ],
});

const bothWays = defineScenario<Stage>({
  id: 'sparc64/both-ways',
  title: 'two threads unmap two pages each, and wait for each other',
  source: 'smp_call_function_many; sheet section 10',
  cpus: 2,
  only: ONLY,
  setup: (run) => setStage(run, { pages: 4 }),
  threads: ({ mm }) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, 2 * PAGE)),
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 2 * PAGE, 2 * PAGE))),
  ],
  twins: [
    {
      id: 'sparc64/both-ways/irqs-off',
      why: 'both drain with interrupts off, amid what may sleep: without O16 they wait for each other for ever',
      oracle: ['O16', 'deadlock'],
      property: 'LIVE',
      threads: ({ mm }) => [
        thread(function* (cpu) {
          yield* cpu.localIrqDisable();
          yield* madviseDontneed(cpu, mm, 0, 2 * PAGE);
          yield* cpu.localIrqEnable();
        }),
        thread(function* (cpu) {
          yield* cpu.enterKernel();
          yield* cpu.localIrqDisable();
          yield* madviseDontneed(cpu, mm, 2 * PAGE, 2 * PAGE);
          yield* cpu.localIrqEnable();
          yield* cpu.enterUser(0);
        }),
      ],
    },
  ],
});

const halves = defineScenario<Stage>({
  id: 'sparc64/huge-halves',
  title: 'a huge page is unmapped while another thread uses it: it is two entries in the TSB and in TLBs',
  source: 'arch/sparc/mm/tlb.c set_pmd_at; sheet T10',
  cpus: 2,
  only: ONLY,
  setup(run) {
    const stage = setHugeStage(run, { mapped: 'huge' });
    run(0, (cpu) => userLoad(cpu, stage.mm, PAGE));
    return stage;
  },
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE))],
  twins: [
    noWait('sparc64/huge-halves'),
    {
      id: 'sparc64/huge-halves/first',
      why: 'the second half stays',
      oracle: 'O1',
      property: 'FUAF',
      backend: { sparc64: { hugeHalves: 'first' } },
    },
  ],
});

const collapse = defineScenario<Stage>({
  id: 'sparc64/collapse',
  title:
    'pages collapse into a huge one while another thread uses them: the table that goes is searched for what to flush',
  source: 'arch/sparc/mm/tlb.c tlb_batch_pmd_scan',
  cpus: 2,
  only: ONLY,
  setup: (run) => setHugeStage(run, { mapped: 'small' }),
  threads: ({ mm }) => [thread((cpu) => collapseHugePage(cpu, mm, 0))],
  twins: [
    {
      id: 'sparc64/collapse/not-searched',
      why: 'it is not, and flush_tlb_range does nothing: writes go to the old page while it is copied',
      oracle: ['O1', 'O6', 'O9', 'O13'],
      property: 'LOSTW',
      backend: { sparc64: { pmdScan: false } },
    },
  ],
});

const firmware = defineScenario<null>({
  id: 'sparc64/firmware',
  title: 'a range of kernel addresses around those of the firmware is flushed: its mappings stay',
  source: 'arch/sparc/mm/init_64.c flush_tlb_kernel_range, LOW_OBP_ADDRESS, HI_OBP_ADDRESS',
  cpus: 2,
  only: ONLY,
  setup: () => null,
  threads: () => [thread((cpu) => flushTlbKernelRange(cpu, LOW_OBP_ADDRESS - PAGE, HI_OBP_ADDRESS + PAGE))],
  twins: [
    {
      id: 'sparc64/firmware/as-one',
      why: 'the range is flushed as it is: who calls the firmware next finds nothing mapped',
      oracle: 'O16',
      property: 'MISS',
      threads: () => [thread((cpu) => doFlushTlbKernelRange(cpu, LOW_OBP_ADDRESS - PAGE, HI_OBP_ADDRESS + PAGE))],
    },
  ],
});

const execBit = defineScenario<Stage>({
  id: 'sparc64/exec-bit',
  title: 'a page that may be executed is unmapped: instruction TLBs have it, too, and are demapped separately',
  source: 'arch/sparc/mm/tlb.c tlb_batch_add_one, bit 0 of an address; sheet T12',
  cpus: 2,
  only: ONLY,
  setup(run) {
    const mm = run(0, mmAlloc);
    run(0, (cpu) => contextSwitch(cpu, mm));
    run(0, (cpu) => mmap(cpu, mm, 0, PAGE, RW_MEMORY | VM_EXEC));
    run(0, (cpu) => userStore(cpu, mm, 0, 1));
    run(1, (cpu) => newThread(cpu, mm));
    return { mm, at: 0 };
  },
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE))],
  twins: [
    {
      id: 'sparc64/exec-bit/lost',
      why: 'the bit is lost with the lower bits of the address, and only the data TLB is demapped',
      oracle: 'O1',
      property: 'FUAF',
      backend: { sparc64: { execBit: false } },
    },
  ],
});

/** All of them. */
export const SPARC64_FLUSHES: readonly AnyScenario[] = [
  spill,
  spillBatch,
  batch,
  bothWays,
  halves,
  collapse,
  firmware,
  execBit,
];
