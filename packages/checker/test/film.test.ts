// Films of executions, and the passing execution beside a violating one.
import { type Cpu, mkEntry, type Steps } from '@mmu-gather/core/stepped';
import { expect, test } from 'vitest';
import { counterexample, film, type Machine, neighbour, type Path, rerun, search } from '../src/index.ts';
import { flushAll, onTree, type Tree, WRITTEN } from './page-tables.ts';

/** CPU 0 takes page 0 away and frees it without a flush; CPU 1 leaves user mode and flushes for itself, if it is told to. */
function zap(leaves: boolean, tso = false): Machine<Tree> {
  return onTree(
    (tree) => [
      function* (cpu: Cpu): Steps<void> {
        yield* cpu.writeOnce(tree.pte, 0);
        yield* cpu.smpMb();
        yield* cpu.free('page', tree.pages[0]!);
      },
      leaves
        ? function* (cpu: Cpu): Steps<void> {
            yield* cpu.enterKernel();
            yield* flushAll(cpu);
          }
        : undefined,
    ],
    { tso },
  );
}

function violating(machine: Machine<Tree>): Path {
  return counterexample(machine, search(machine).path!).path;
}

test('a film has a frame before the first step and one after each, and ends where the oracle broke', () => {
  const machine = zap(false);
  const before = [machine.keyLow, machine.keyHigh];
  const { steps, frames, violation } = film(machine, violating(machine));
  expect([machine.keyLow, machine.keyHigh]).toEqual(before);
  expect(violation?.oracle).toBe('O1');
  expect(steps.map(({ cpu, text }) => `${cpu}: ${text}`)).toEqual([
    '0: table1[0] := none',
    '0: smp_mb()',
    '0: free page0',
  ]);
  expect(frames).toHaveLength(steps.length + 1);

  const entryOf = (frame: number) => frames[frame]!.cpus[1]!.held.find(({ level, page }) => level === 0 && page === 0);
  const held = { tag: 'ASID 0', live: true, text: 'page0 RW dirty', leaf: true, pages: 1 };
  expect(entryOf(0)).toMatchObject({ ...held, old: false, freed: false });
  expect(entryOf(1)).toMatchObject({ ...held, old: true, freed: false });
  expect(entryOf(3)).toMatchObject({ ...held, old: true, freed: true });
  expect(frames.map(({ cpus }) => cpus.map(({ mode, next }) => `${mode}: ${next}`))).toEqual([
    ['kernel: table1[0] := none', 'user: undefined'],
    ['kernel: smp_mb()', 'user: undefined'],
    ['kernel: free page0', 'user: undefined'],
    // What broke ends the execution: nothing was fed to the code after it.
    ['kernel: free page0', 'user: undefined'],
  ]);
});

test('tables are those that a root leads to, as memory has them', () => {
  const machine = zap(false);
  const { frames } = film(machine, violating(machine));
  const tables = (frame: number): string[] =>
    frames[frame]!.tables.map(
      ({ name, of, slots }) => `${name} (${of}): ${slots.map(({ page, text }) => `${page} ${text || '-'}`).join(', ')}`,
    );
  expect(tables(0)).toEqual([
    'table0 (loaded on CPU 1): 0 table1 RW dirty, 2 -',
    'table1 (loaded on CPU 1): 0 page0 RW dirty, 1 -',
  ]);
  expect(tables(1)).toEqual(['table0 (loaded on CPU 1): 0 table1 RW dirty, 2 -', 'table1 (loaded on CPU 1): 0 -, 1 -']);
});

test('a store that waits in a buffer is there, and not in memory', () => {
  const machine = zap(false, true);
  const { frames, steps } = film(machine, violating(machine));
  expect(steps[0]!.text).toBe('table1[0] := none');
  expect(frames[1]!.cpus[0]!.buffer).toEqual(['table1[0] := none']);
  expect(frames[1]!.tables[1]!.slots[0]!.text).toBe('page0 RW dirty');
  expect(frames.at(-1)!.cpus[0]!.buffer).toEqual([]);
  expect(frames.at(-1)!.tables[1]!.slots[0]!.text).toBe('');
});

test('words are those that change, with a value in each frame', () => {
  const machine = onTree((tree) => [
    function* (cpu: Cpu): Steps<void> {
      yield* cpu.spinLock(cpu.kernel.zeroPage);
      yield* cpu.writeOnce(tree.pte, mkEntry(tree.pages[0]!, WRITTEN));
      yield* cpu.spinUnlock(cpu.kernel.zeroPage);
    },
  ]);
  const path: Path = [
    [0, 0],
    [0, 0],
    [0, 0],
  ];
  const { words, frames, violation } = film(machine, path);
  expect(violation).toBeUndefined();
  expect(words).toEqual(['zero_page.refcount']);
  expect(frames.map((frame) => frame.words)).toEqual([['0'], ['1'], ['1'], ['0']]);
});

test('the neighbour of a violating execution ends well, and begins as it does', () => {
  const machine = zap(true);
  const path = violating(machine);
  expect(rerun(machine, path).verdict).toBe('violated');
  const found = neighbour(machine, path)!;
  expect(rerun(machine, found.path).verdict).not.toBe('violated');
  expect(found.path.slice(0, found.common)).toEqual(path.slice(0, found.common));
  expect(found.path[found.common]).not.toEqual(path[found.common]);
  // The last step can still be put off: CPU 1 goes first, and no execution has more in common.
  expect(found.common).toBe(path.length - 1);
  expect(found.path).toHaveLength(5);
});

test('where every order is wrong there is no neighbour', () => {
  const machine = zap(false);
  expect(neighbour(machine, violating(machine))).toBeUndefined();
});
