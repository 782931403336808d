/**
 * Hardware that sets dirty bits: whoever changes an entry reads it and writes it in one step, or loses a bit that was set in between.
 *
 *     CPU 0 (changes a clean entry, PTL held)     CPU 1 (user mode)
 *     old = entry
 *                                                 stores: the hardware sets DIRTY in the entry, the page changes
 *     entry = f(old)                              // nobody knows any more that the page has changed
 */
import type { Run } from '@mmu-gather/checker';
import {
  ACCESSED,
  type Backend,
  type Cell,
  type Cpu,
  DIRTY,
  type Entry,
  entryClear,
  entryNone,
  entrySet,
  Page,
  pteMkold,
  pteWrite,
  pteWrprotect,
  SAVED_DIRTY,
  type Steps,
} from '@mmu-gather/core/stepped';
import { type AnyScenario, defineScenario, type Only, thread } from '../scenario.ts';
import { Words } from './bare-stage.ts';
import { setHugeStage } from './huge-stage.ts';
import { type Mapping, mappingOf, setStage, type Stage, keptPages } from './stage.ts';

const HARDWARE: Only = {
  archs: ['x86', 'arm64', 'powerpc-radix', 'riscv'],
  why: 'the hardware sets dirty bits by itself there',
};

/** What user code stores. */
const STORED = 7;

/** What was in the entry when it was taken away. */
const WORDS = new Words('hardware_dirty', ['taken']);

/** An entry that is clean and writable, and what it maps. */
interface Clean extends Stage {
  readonly entry: Cell;
  readonly ptl: Cell;
  readonly level: number;
  readonly page: number;
}

/** Takes bits out of an entry, and what TLBs hold of it. */
function* without(cpu: Cpu, { mm, at, entry, ptl, level }: Omit<Clean, 'page'>, bits: number): Steps<void> {
  const { pte } = cpu.kernel.backend;
  yield* cpu.spinLock(ptl);
  const old = yield* pte.ptepGetAndClear(cpu, mm, at, entry, level);
  yield* cpu.kernel.backend.flushTlbMm(cpu, mm);
  yield* pte.setPteAt(cpu, mm, at, entry, entryClear(old, bits), level);
  yield* cpu.spinUnlock(ptl);
}

function smallPage(run: Run, bits: number): Clean {
  const stage = setStage(run, { touched: [0] });
  const { pte, ptl, page }: Mapping = mappingOf(run, stage.mm, 0);
  const clean = { ...stage, entry: pte, ptl, level: 0, page };
  run(0, (cpu) => without(cpu, clean, bits));
  return clean;
}

function hugePage(run: Run): Clean {
  const stage = setHugeStage(run, { mapped: 'huge' });
  const { pmd, table } = mappingOf(run, stage.mm, 0);
  const clean = { ...stage, entry: pmd, ptl: stage.mm.pageTableLock, level: 1, page: table };
  run(0, (cpu) => without(cpu, clean, DIRTY));
  return clean;
}

/** A change of the entry, atomic or not. */
type Change = (cpu: Cpu, env: Clean, pte: Backend['pte']) => Steps<Entry>;

/** The change under the lock of the table, and the flush behind it. */
function* changed(cpu: Cpu, env: Clean, change: Change): Steps<void> {
  const { backend } = cpu.kernel;
  yield* cpu.spinLock(env.ptl);
  yield* cpu.writeOnce(WORDS.at('taken'), yield* change(cpu, env, backend.pte));
  yield* backend.flushTlbMm(cpu, env.mm);
  yield* cpu.spinUnlock(env.ptl);
}

/**
 * @param split the same change as a load and a store
 * @param done is an entry what the change makes of it?
 */
function scenario(
  name: string,
  title: string,
  setup: (run: Run) => Clean,
  change: Change,
  split: Change,
  done: (entry: Entry) => boolean,
  only: Only = HARDWARE,
): AnyScenario {
  const id = `hardware-dirty/${name}`;
  const threads = (env: Clean, how: Change): ReturnType<typeof thread>[] => [
    thread((cpu) => changed(cpu, env, how)),
    thread((cpu) => cpu.userWrite(env.at, STORED)),
  ];
  return defineScenario<Clean>({
    id,
    title: `${title}, while the hardware sets its dirty bit for a store: the bit is not lost`,
    source: 'asm/pgtable.h of each: ptep_get_and_clear, ptep_set_wrprotect, ptep_set_access_flags, pmdp_establish',
    cpus: 2,
    only,
    backend: { riscv: { svadu: true } },
    reserve: WORDS.reserve,
    setup,
    threads: (env) => threads(env, change),
    // Of an entry that is gone.
    holds: ({ page, level }) => (done === entryNone ? keptPages(level === 0 ? [page] : [page, page + Page.words]) : []),
    final(peek, { entry, page }) {
      if (!done(peek(entry))) return 'the entry was not changed';
      if (peek(Page.at(page).data) !== STORED) return undefined;
      const seen = peek(entry) | peek(WORDS.at('taken'));
      return (seen & (DIRTY | SAVED_DIRTY)) === 0 ? 'the page has changed, and no entry says so' : undefined;
    },
    sometimes: [
      { what: 'the store comes before the change', when: (peek, { page }) => peek(Page.at(page).data) === STORED },
    ],
    twins: [
      {
        id: `${id}/split`,
        why: 'a load and a store: the bit that is set in between is overwritten',
        oracle: ['assert', 'O13', 'O3'],
        property: 'LOSTW',
        threads: (env) => threads(env, split),
      },
    ],
  });
}

function* store(cpu: Cpu, entry: Cell, value: (old: Entry) => Entry): Steps<Entry> {
  const old = yield* cpu.readOnce(entry);
  yield* cpu.writeOnce(entry, value(old));
  return old;
}

/** All of them. */
export const HARDWARE_DIRTY: readonly AnyScenario[] = [
  scenario(
    'clear',
    'an entry is taken away',
    (run) => smallPage(run, DIRTY),
    (cpu, { mm, at, entry }, pte) => pte.ptepGetAndClear(cpu, mm, at, entry, 0),
    (cpu, { entry }) => store(cpu, entry, () => 0),
    entryNone,
  ),
  scenario(
    'wrprotect',
    'an entry is write-protected',
    (run) => smallPage(run, DIRTY),
    function* (cpu, { mm, at, entry }, pte) {
      yield* pte.ptepSetWrprotect(cpu, mm, at, entry, yield* cpu.readOnce(entry), 0);
      return 0;
    },
    function* (cpu, { entry }) {
      yield* store(cpu, entry, pteWrprotect);
      return 0;
    },
    (entry) => !pteWrite(entry),
  ),
  scenario(
    'access-flags',
    'an old entry becomes young for a load',
    (run) => smallPage(run, DIRTY | ACCESSED),
    function* (cpu, { mm, at, entry }, pte) {
      const old = yield* cpu.readOnce(entry);
      yield* pte.ptepSetAccessFlags(cpu, mm, at, entry, old, entrySet(old, ACCESSED), 0);
      return 0;
    },
    function* (cpu, { entry }) {
      yield* store(cpu, entry, (old) => entrySet(old, ACCESSED));
      return 0;
    },
    (entry) => (entry & ACCESSED) !== 0,
    { archs: ['arm64'], why: 'software may set access flags there although the hardware sets them, too' },
  ),
  scenario(
    'young',
    'an entry becomes old',
    (run) => smallPage(run, DIRTY),
    function* (cpu, { mm, at, entry }, pte) {
      yield* pte.ptepTestAndClearYoung(cpu, mm, at, entry, yield* cpu.readOnce(entry));
      return 0;
    },
    function* (cpu, { entry }) {
      yield* store(cpu, entry, pteMkold);
      return 0;
    },
    () => true,
  ),
  scenario(
    'establish',
    'another entry takes the place of a huge one',
    hugePage,
    (cpu, { mm, at, entry }, pte) => pte.pmdpEstablish(cpu, mm, at, entry, 0),
    (cpu, { entry }) => store(cpu, entry, () => 0),
    entryNone,
  ),
];
