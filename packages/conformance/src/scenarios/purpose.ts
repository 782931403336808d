/**
 * Purpose: a story that one CPU tells, call by call, with what there is to see after each call. Its wrong form leaves the first operation out.
 */
import type { Cpu, Steps } from '@mmu-gather/core/stepped';
import type { Run } from '@mmu-gather/checker';
import { type AnyScenario, defineScenario, type Scenario, thread } from '../scenario.ts';
import { type Mapping, mappingOf, PAGE, setStage, type Stage } from './stage.ts';

/** Calls, of which the first is made if it `does`, and what there is to see after each. */
export type Story<E> = (cpu: Cpu, env: E, does: boolean) => Steps<unknown>;

/** What a story needs beside. */
export type PurposeOptions<E> = Pick<Scenario<E>, 'profile' | 'geometry' | 'hugeZeroPage' | 'holds' | 'only'>;

/** The scenario of a story. @param id without `purpose/` */
export function purpose<E>(
  id: string,
  title: string,
  setup: (run: Run) => E,
  story: Story<E>,
  options: PurposeOptions<E> = {},
): AnyScenario {
  function* told(cpu: Cpu, env: E, does: boolean): Steps<void> {
    // What is claimed before the first step no search would find.
    yield* cpu.smpMb();
    yield* story(cpu, env, does);
  }
  return defineScenario<E>({
    id: `purpose/${id}`,
    title,
    cpus: 1,
    ...options,
    pools: { page: 32, table: 24, vma: 16, area: 6 },
    setup,
    threads: (env) => [thread((cpu) => told(cpu, env, true))],
    sequential: 'one CPU makes one call after the other',
    twins: [
      {
        id: `purpose/${id}/left-out`,
        why: 'its first operation does nothing',
        oracle: 'O17',
        threads: (env) => [thread((cpu) => told(cpu, env, false))],
      },
    ],
  });
}

/** Four pages with the contents 1 to 4, of a thread on CPU 0. */
export function four(run: Run): Stage {
  return setStage(run, { pages: 4, running: [0] });
}

/** Two pages, and how they are mapped. */
export interface TwoPages extends Stage {
  /** The first. */
  readonly p0: Mapping;
  /** The second. */
  readonly p1: Mapping;
}

/** Two pages, 1 and 2. */
export function two(run: Run): TwoPages {
  const stage = setStage(run, { running: [0] });
  return { ...stage, p0: mappingOf(run, stage.mm, 0), p1: mappingOf(run, stage.mm, PAGE) };
}
