/**
 * The example on four threads: each CPU maps a page, marks it, looks at its neighbour's, unmaps its own, and looks there. Frames go round, so a CPU that
 * used a translation after its shootdown would read another one's mark.
 */
import { spawn } from '@mmu-gather/threads';
import { expect, test, vi } from 'vitest';
import { type Instruction, makeComputer } from '../src/example/interpreter.ts';

// Threads that share a busy machine are slow.
vi.setConfig({ testTimeout: 180_000 });

const CPUS = 4;
const ROUNDS = 60;
const COUNTER = 0x100;
const WORKER = new URL('../src/example/worker.ts', import.meta.url);

/** The page of a CPU, and its mark: a sum of one CPU's marks is no sum of another's. */
const page = (id: number): number => (1 + (id % CPUS)) * 0x10_000;
const mark = (id: number): number => 100 ** (id % CPUS);

/** Registers: 2 its page, 3 its mark, 4 the neighbour's page, 5 what is there, 6 all of that added up, 7 rounds left. */
function program(id: number): Instruction[] {
  const [own, stamp, other, seen, sum, left] = [2, 3, 4, 5, 6, 7] as const;
  const setUp: Instruction[] = [
    ['set', own, page(id)],
    ['set', stamp, mark(id)],
    ['set', other, page(id + 1)],
    ['set', left, ROUNDS],
    ...(id === 0
      ? ([
          ['set', seen, 0],
          ['map', seen],
        ] as Instruction[])
      : []),
  ];
  const round: Instruction[] = [
    ['map', own],
    ['store', stamp, own],
    ['set', seen, 0],
    ['load', seen, other],
    ['add', sum, sum, seen],
    ['unmap', own],
    // Nothing is there any more: a CPU that kept its translation would add its own mark.
    ['set', seen, 0],
    ['load', seen, own],
    ['add', sum, sum, seen],
    ['set', seen, COUNTER],
    ['count', seen],
    ['set', seen, -1],
    ['add', left, left, seen],
    ['jump-if', left, setUp.length],
    ['halt'],
  ];
  return [...setUp, ...round];
}

/** Runs a program on each CPU. Returns their registers. */
async function run(programs: readonly Instruction[][]): Promise<number[][]> {
  const computer = makeComputer(programs.length);
  return await Promise.all(
    programs.map(
      (instructions, id) =>
        new Promise<number[]>((resolve, reject) => {
          const thread = spawn(
            WORKER,
            { computer, id, program: instructions },
            {
              message: (value) => {
                thread.terminate();
                resolve(value as number[]);
              },
              failed: (message) => reject(new Error(message)),
            },
          );
        }),
    ),
  );
}

test("a CPU reads its neighbour's mark or nothing, and nothing of its own once that is unmapped", async () => {
  const registers = await run(Array.from({ length: CPUS }, (_, id) => program(id)));
  for (const [id, r] of registers.entries()) {
    const seen = r[6]! / mark(id + 1);
    expect(seen).toBe(Math.floor(seen));
    expect(seen).toBeLessThanOrEqual(ROUNDS);
    expect(r[7]).toBe(0);
  }
});

test('after a fork a store copies the page, with all that is in it; nobody else knows the old frame', async () => {
  const [address, value, next, seen, again] = [2, 3, 4, 5, 6] as const;
  const writes: Instruction[] = [
    ['set', address, 0],
    ['set', next, 0xffc],
    ['map', address],
    ['set', value, 41],
    ['store', value, address],
    ['fork'],
    ['set', value, 42],
    ['store', value, next],
    ['load', seen, address],
    ['load', again, next],
    ['halt'],
  ];
  const [registers, others] = await run([writes, [['halt']]]);
  expect([registers![1], registers![seen], registers![again]]).toEqual([0, 41, 42]);
  expect(others![1]).toBe(0);
});
