// What a program brings: its own oracle, asked in every state whatever the search would leave out without it, and a setup that ends.
import { type Cpu, entryTarget, type Steps } from '@mmu-gather/core/stepped';
import { describe, expect, test } from 'vitest';
import { type Now, type Program, search } from '../src/index.ts';
import { onTree, type Tree } from './page-tables.ts';
import { bare } from './programs.ts';

/** Two CPUs that each raise a flag of their own and lower it: nobody else touches it, so each step is local. */
function flags(invariant: Program<number>['invariant'], locked: boolean): ReturnType<typeof bare> {
  let base = 0;
  const program: Program<number> = {
    reserve: (layout) => (base = layout.reserve('', ['flag0', 'flag1', 'lock'])),
    setup: () => base,
    threads: () =>
      [0, 1].map(
        (me) =>
          function* (cpu: Cpu): Steps<void> {
            if (locked) yield* cpu.spinLock(base + 2);
            yield* cpu.writeOnce(base + me, 1);
            yield* cpu.writeOnce(base + me, 0);
            if (locked) yield* cpu.spinUnlock(base + 2);
          },
      ),
    ...(invariant === undefined ? {} : { invariant }),
  };
  return bare(2, program);
}

const alone = ({ peek }: Now, base: number): string | undefined =>
  peek(base) + peek(base + 1) === 2 ? 'both are inside' : undefined;

describe('in every state', () => {
  test.each(['states', 'dpor', 'bounded', 'brute'] as const)('%s asks it', (strategy) => {
    const wrong = search(flags(alone, false), { strategy });
    expect(wrong.violation).toEqual({ oracle: 'assert', message: 'both are inside' });
    expect(wrong.path).toHaveLength(2);
    expect(search(flags(alone, true), { strategy })).toMatchObject({ verdict: 'holds', exhaustive: true });
  });

  test('without it the same steps are local, and states in which it breaks are left out', () => {
    const all = search(flags(() => undefined, false));
    const reduced = search(flags(undefined, false));
    expect(reduced.verdict).toBe('holds');
    expect(reduced.states!).toBeLessThan(all.states!);
  });

  test('the first state is one', () => {
    expect(() => flags(() => 'never', true)).toThrow('before their first step the threads violate assert: never');
  });
});

test('a setup that does not end is refused', () => {
  const program: Program<void> = {
    setup: (run) =>
      run(0, function* (cpu): Steps<void> {
        while (true) yield* cpu.atomicAdd(cpu.kernel.zeroPage, 1);
      }),
    threads: () => [],
  };
  expect(() => bare(1, program)).toThrow(
    /^the setup does not end: after 100000 steps CPU 0 is at zero_page.refcount \+= 1$/,
  );
});

test('it sees what CPUs may hold, and who is in user mode', () => {
  const seen: string[] = [];
  const machine = onTree(
    (tree) => [
      undefined,
      function* (cpu: Cpu): Steps<void> {
        yield* cpu.enterKernel();
        yield* cpu.writeOnce(tree.pte, 0);
      },
    ],
    {
      invariant: ({ held, inUser, peek }: Now, tree: Tree) => {
        const targets = held(1, 0).map(entryTarget);
        seen.push(`${inUser(1) ? 'user' : 'kernel'}, ${targets.includes(tree.pages[0]!)}, ${peek(tree.pte) === 0}`);
        return undefined;
      },
    },
  );
  expect(search(machine).verdict).toBe('holds');
  expect(seen).toEqual(['user, true, false', 'kernel, true, false', 'kernel, true, true']);
});
