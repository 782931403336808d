import type { Cell, Cpu, Steps } from '@mmu-gather/core/stepped';
import { expect, test } from 'vitest';
import { type Layout, type Machine, NotRepeatable, search } from '../src/index.ts';
import { chance } from '../src/search/chance.ts';
import { bare } from './programs.ts';
import { shootdownMachine, shootdownProgram } from './shootdown-programs.ts';

/** Two CPUs that store to a cell each; the second one then looks at something past the port. */
function looking(look: (machine: Machine | undefined, cell: Cell) => number): Machine {
  let base = 0;
  let machine: Machine | undefined;
  machine = bare(2, {
    reserve: (layout: Layout) => {
      base = layout.reserve('cell', ['a', 'b', 'c']);
    },
    setup: () => undefined,
    threads: () => [
      function* (cpu: Cpu): Steps<void> {
        yield* cpu.writeOnce(base, 1);
      },
      function* (cpu: Cpu): Steps<void> {
        yield* cpu.writeOnce(base + 1, 1);
        yield* cpu.writeOnce(base + 2, look(machine, base));
        yield* cpu.readOnce(base + 1);
      },
    ],
  });
  return machine;
}

test('code that looks at shared memory past the port is found out where paths meet', () => {
  const machine = looking((m, cell) => m?.state.words[cell] ?? 0);
  expect(() => search(machine, { checkKeys: true })).toThrow(/two paths meet in one key|where it was at/);
});

test('code that depends on nothing but the port passes', () => {
  expect(
    search(
      looking(() => 7),
      { checkKeys: true },
    ).verdict,
  ).toBe('holds');
});

test('code that goes on differently when it is fed the same again fails loudly', () => {
  let runs = 0;
  const machine = looking(() => runs++);
  expect(() => search(machine, { strategy: 'brute' })).toThrow(NotRepeatable);
});

test('what is wrong before the first step is no race: the machine is not even made', () => {
  const wrong = (): Machine =>
    bare(1, {
      setup: () => undefined,
      threads: () => [
        function* (cpu: Cpu): Steps<void> {
          cpu.claim.that(false, 'O16', 'it was never right');
          yield* cpu.smpMb();
        },
      ],
    });
  expect(wrong).toThrow('before their first step the threads violate O16: CPU 0: it was never right');
});

test('what code was seen to do is what it does', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const found = [false, true].map((always) => {
      const machine = shootdownMachine(shootdownProgram(chance(seed)));
      machine.runCode(always);
      const { states, steps, violation, ends } = search(machine, { collectEnds: true });
      return { states, steps, violation, ends };
    });
    expect(found[0]).toEqual(found[1]);
  }
});
