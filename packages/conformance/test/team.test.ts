/**
 * Teams: what threads find together is what one thread finds.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { TeamMemory } from '@mmu-gather/checker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ARCHITECTURES, type Cell, cells, explore, type Finding, machineOf, Reads, SCENARIOS } from '../src/index.ts';

/** What a helper is told. */
export interface Told {
  readonly scenario: string;
  readonly arch: string;
  readonly profile: string;
  readonly memory: TeamMemory;
}

let helper: Worker;
beforeAll(async () => {
  helper = new Worker(new URL('./team-helper.ts', import.meta.url));
  await once(helper, 'message');
}, 120_000);
afterAll(() => helper.terminate());

function cellOf(scenario: string, arch: string, profile = 'linux-6.18'): Cell {
  return cells(SCENARIOS, ARCHITECTURES, { scenarios: [scenario], archs: [arch], profiles: [profile] })[0]!;
}

/** What is known of a search, but for times. */
function known({ result, never }: Finding, reads: Reads): unknown {
  const { verdict, exhaustive, states, steps, path, violation, collisionOdds } = result;
  return { verdict, exhaustive, states, steps, path, violation, collisionOdds, never, reads: reads.names };
}

function alone(cell: Cell): unknown {
  const reads = new Reads();
  return known(explore(cell, {}, reads), reads);
}

/** Lets the helper take part. */
function tell({ id, arch, profile }: Cell, memory: TeamMemory): void {
  const what: Told = { scenario: id, arch: arch.id, profile: profile.id, memory };
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  helper.postMessage(what);
}

/** Searches a cell with the helper, which is called in the middle of it. @param told the cell that the helper is told of */
async function together(cell: Cell, told: Cell = cell): Promise<{ found: unknown; opened: boolean }> {
  const helped = once(helper, 'message');
  let opened = false;
  let turns = 0;
  const open = (memory: TeamMemory): void => {
    opened = true;
    tell(told, memory);
  };
  const reads = new Reads();
  const found = known(explore(cell, { team: { members: 2, wanted: () => ++turns > 3, open } }, reads), reads);
  if (opened) await helped;
  return { found, opened };
}

test.each([
  ['T8/fixed', 'x86'],
  ['T4/fixed', 'x86'],
  ['T9/fixed', 'powerpc-hash'],
  ['T28/fixed', 'arm64'],
  ['rfc/split-pending', 'riscv'],
  ['truncate/munmap', 's390'],
])('%s on %s: states, steps and what was read', { timeout: 120_000 }, async (scenario, arch) => {
  const cell = cellOf(scenario, arch);
  expect(await together(cell)).toEqual({ found: alone(cell), opened: true });
});

test('progress is that of all threads', { timeout: 120_000 }, async () => {
  const cell = cellOf('generations/batch-completes', 'x86');
  let most = 0;
  const onProgress = ({ states }: { readonly states: number }): void => {
    most = Math.max(most, states);
  };
  const helped = once(helper, 'message');
  const open = (memory: TeamMemory): void => tell(cell, memory);
  const { result } = explore(cell, { onProgress, team: { members: 2, wanted: () => true, open } });
  await helped;
  // One of them alone has about half.
  expect(most).toBeGreaterThan(0.7 * result.states!);
  expect(most).toBeLessThanOrEqual(result.states!);
});

test('a violation is the one that one thread finds', { timeout: 120_000 }, async () => {
  const cell = cellOf('mremap/revoked/new-first', 'x86');
  const wanted = alone(cell);
  expect(wanted).toMatchObject({ verdict: 'violated' });
  expect(await together(cell)).toEqual({ found: wanted, opened: true });
});

test('who comes with another cell is not let in', { timeout: 120_000 }, async () => {
  const cell = cellOf('T8/fixed', 'x86');
  expect(await together(cell, cellOf('T4/fixed', 'x86'))).toEqual({ found: alone(cell), opened: true });
});

/** Keys of the states along a path of a machine that has explored a little, of itself. */
function keys(cell: Cell, explored: number, table: Int32Array<SharedArrayBuffer> | undefined): string[] {
  const machine = machineOf(cell);
  if (table !== undefined) machine.numbers.share(table);
  const found: string[] = [];
  // Other paths first: lists and values come up in another order there.
  for (let path = explored; path >= 0; path--) {
    const start = machine.mark();
    for (let step = 0; step < 300; step++) {
      const able = Array.from({ length: machine.actors }, (_, actor) => actor).filter((a) => machine.choices(a) > 0);
      const actor = able[(step * (path + 3)) % able.length];
      if (actor === undefined) break;
      machine.perform(actor, (step + path) % machine.choices(actor));
      if (path === 0) found.push(`${machine.keyLow}:${machine.keyHigh}`);
    }
    machine.undo(start);
  }
  return found;
}

test('a state has one key on every machine that shares numbers', () => {
  for (const arch of ['riscv', 'powerpc-hash', 'arm64', 'x86']) {
    const cell = cellOf('T8/fixed', arch);
    const table = new Int32Array(new SharedArrayBuffer(4 * machineOf(cell).numbers.words));
    const one = keys(cell, 0, table);
    expect(one.length).toBeGreaterThan(20);
    expect(keys(cell, 40, table)).toEqual(one);
  }
});
