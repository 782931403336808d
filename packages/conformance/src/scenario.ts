/**
 * Scenario: a few CPUs, a race, and what must be true of it.
 *
 *     defineScenario({
 *       id: 'munmap/running-thread',
 *       title: 'munmap while another thread of the mm runs in user mode',
 *       cpus: 2,
 *       setup: (run) => ...,            // sequential: bring the machine to where the race begins; return addresses
 *       threads: (env) => [...],        // one step function per CPU
 *       twins: [{ id: 'munmap/running-thread/no-ipi-wait', why: ..., wrong: 'no-wait', oracle: 'O1' }],
 *     })
 *
 * The scenario itself is right and must hold exhaustively. Each twin is the same race with one thing wrong, and must be
 * refuted by the oracle it names: a scenario whose twin passes proves nothing.
 */
import {
  type Cpu,
  type Geometry,
  type Kernel,
  LINUX_6_18,
  type MemoryModel,
  PAGE_SHIFT,
  type Profile,
  type Steps,
} from '@mmu-gather/core/stepped';
import type { Body, Layout, Now, PoolSizes, Run } from '@mmu-gather/checker';
import { bugOf } from './bugs/catalogue.ts';
import type { Property } from './property.ts';
import type { Hold } from './quiet/clause.ts';
import type { Sometimes } from './vacuity.ts';
import { type Wrong, WRONGS } from './wrongs.ts';

/** Switches of a backend that a scenario or twin overrides, by backend id (`x86`). */
export type BackendOverrides = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Values that switches of a profile must have, before a scenario or twin overrides them. */
export interface Where {
  /** Of core's and mm's switches. */
  readonly profile?: Partial<Profile>;
  /** Of backends' switches; of other backends nothing is asked. */
  readonly backend?: BackendOverrides;
}

/** Architectures that a scenario is about. */
export interface Only {
  /** Their ids. */
  readonly archs: readonly string[];
  /** Why not the others, in one line. */
  readonly why: string;
}

/** Where a scenario is too large to be explored as a whole: it may end `incomplete` there, and is never shown as one that holds. */
export interface Bound {
  /** Architectures on which it is; all if not given. */
  readonly archs?: readonly string[];
  /** Memory models under which it is; all if not given. */
  readonly models?: readonly MemoryModel[];
  /** Number of states that are explored. */
  readonly states: number;
  /** Why it is so large, in one line. */
  readonly why: string;
}

/** The wrong form of a scenario. */
export interface Twin<E = unknown> {
  /** Its id: the scenario's with another last part (`T10/naive`). */
  readonly id: string;
  /** What is wrong with it, in one line. */
  readonly why: string;
  /** Oracle that must be violated (`O1` ... `O17`, `deadlock`, `assert`, `race`); one of several if the race can end so. */
  readonly oracle: string | readonly string[];
  /** What the violation means. */
  readonly property?: Property;
  /** Profile switches that make it wrong. */
  readonly profile?: Partial<Profile>;
  /** What makes it wrong on every architecture that can do this wrong. */
  readonly wrong?: Wrong;
  /** Backend switches that make it wrong, where that is one architecture's own matter. */
  readonly backend?: BackendOverrides;
  /** Other threads, where no switch says it. */
  readonly threads?: (env: E, kernel: Kernel) => readonly (Body | undefined)[];
  /** Profiles that it applies to, if not all of the scenario's, by these switches of theirs, */
  readonly where?: Where;
  /** or by their ids, or those of the kernels that they start from. */
  readonly profiles?: readonly string[];
  /** Memory models under which it goes wrong, and under all that are weaker, if not under all. */
  readonly memoryModels?: readonly MemoryModel[];
}

/** A race and its wrong twins. */
export interface Scenario<E = unknown> {
  /** `T10/fixed`, `bug:B02/fixed`, `munmap/running-thread`. */
  readonly id: string;
  /** One line. */
  readonly title: string;
  /** Where it comes from: commit, mail, catalogue entry. */
  readonly source?: string;
  /** The historical bug that it shows, by its id in the catalogue (`B02`). */
  readonly bug?: string;
  /** Whether it stands at the level of the hardware: threads of port calls, and none of the kernel code that had the bug. */
  readonly abstract?: boolean;
  /** Number of CPUs. */
  readonly cpus: number;
  /** Shape of page tables; two levels of two entries if not given. */
  readonly geometry?: Geometry;
  /** Reads of what may be huge map a huge page of zeroes, and what a write there does (core's BootOptions); there is none if not given. */
  readonly hugeZeroPage?: 'split' | 'huge';
  /** Objects that each CPU may allocate, where the default does not do. */
  readonly pools?: Partial<PoolSizes>;
  /** Architectures that it is about, if not all. */
  readonly only?: Only;
  /** Where it is too large to be explored as a whole, if anywhere. */
  readonly bound?: Bound;
  /** Profiles that it applies to, if not all, by these switches of theirs, */
  readonly where?: Where;
  /** or by their ids, or those of the kernels that they start from. */
  readonly profiles?: readonly string[];
  /** Profile switches that it needs, also for its twins. */
  readonly profile?: Partial<Profile>;
  /** Backend switches that it needs, also for its twins. */
  readonly backend?: BackendOverrides;
  /** Whether a freed page may not be held by any TLB, whatever its CPU runs (O1s), rather than by one that user code uses (O1). */
  readonly strict?: boolean;
  /** Reserves words of its own. */
  reserve?(layout: Layout): void;
  /** Sequential setup. */
  setup(run: Run, kernel: Kernel): E;
  /** The CPUs' code. A CPU without code stays as the setup left it and takes interrupts. */
  threads(env: E, kernel: Kernel): readonly (Body | undefined)[];
  /** A check of the end of every execution: a message if it may not end so. */
  final?(peek: (cell: number) => number, env: E): string | undefined;
  /**
   * What its own code keeps at the end, or has taken away by itself: all else must be as O17 says when all is quiet. Nothing if not given.
   * @param peek reads words as the setup has left them
   */
  holds?(env: E, peek: (cell: number) => number): readonly Hold[];
  /** Its own oracle, asked in the first state and after every step: a message if the state may not be. A twin that breaks it violates `assert`. */
  invariant?(now: Now, env: E): string | undefined;
  /** What must be so at the end of some execution: where it never is, that it holds is vacuous. */
  readonly sometimes?: readonly Sometimes<E>[];
  /** Why nothing in it races, in one line, if that is its point: no two accesses need be seen in both orders then. */
  readonly sequential?: string;
  /** Its wrong forms: without one it proves nothing. */
  readonly twins: readonly Twin<E>[];
}

/** A scenario with its environment type forgotten, as lists hold it. */
export type AnyScenario = Scenario<never>;

/** Bits of addresses that page tables of a scenario translate: 4096 pages. */
const MOST_BITS = 12;
/** Objects of one kind that a CPU may allocate. */
const MOST_OBJECTS = 1000;

/** What can refute a twin. */
const ORACLE = /^(O([1-9]|1[0-7])s?|deadlock|livelock|race|assert)$/;

/** Checks a scenario's form. Throws one line that says what is wrong and how to mend it. */
export function defineScenario<E>(scenario: Scenario<E>): AnyScenario {
  const fail = (what: string): never => {
    throw new ScenarioError(`scenario ${JSON.stringify(scenario.id ?? '?')}: ${what}`);
  };
  const checkSwitches = (of: string, profile: object | undefined): void => {
    const unknown = Object.keys(profile ?? {}).find((key) => !(key in LINUX_6_18));
    if (unknown !== undefined) {
      const known = Object.keys(LINUX_6_18).filter((key) => key !== 'id');
      fail(`${of} sets profile switch '${unknown}', which does not exist: there are ${known.join(', ')}`);
    }
  };
  if (typeof scenario.id !== 'string' || !/^[\w:./-]+$/.test(scenario.id))
    fail("'id' must be letters, digits and : . / - _, for instance 'munmap/running-thread'");
  if (typeof scenario.title !== 'string' || scenario.title === '')
    fail("'title' is missing: say in one line what races");
  if (!Number.isInteger(scenario.cpus) || scenario.cpus < 1 || scenario.cpus > 8)
    fail(`'cpus' is ${scenario.cpus}: give a number from 1 to 8`);
  checkSizes(scenario, fail);
  if (typeof scenario.setup !== 'function') fail("'setup' is missing: give a function (run, kernel) => env");
  if (typeof scenario.threads !== 'function')
    fail("'threads' is missing: give a function (env, kernel) => one step function per CPU");
  for (const hook of ['reserve', 'final', 'holds', 'invariant'] as const)
    if (scenario[hook] !== undefined && typeof scenario[hook] !== 'function') fail(`'${hook}' must be a function`);
  checkSwitches('it', scenario.profile);
  checkSwitches("its 'where'", scenario.where?.profile);
  const { only, bound, bug } = scenario;
  if (bug !== undefined && bugOf(bug) === undefined) fail(`'bug' is '${bug}', which the catalogue does not have`);
  if (only !== undefined && (!Array.isArray(only.archs) || only.archs.length === 0 || !only.why))
    fail("'only' needs 'archs' and 'why': for which architectures it is, and why not for the others");
  if (bound !== undefined && (!Number.isSafeInteger(bound.states) || bound.states < 1 || !bound.why))
    fail("'bound' needs 'states' and 'why': how many are explored, and why not all");
  for (const condition of scenario.sometimes ?? [])
    if (!condition.what || typeof condition.when !== 'function')
      fail("each of 'sometimes' needs 'what' and 'when': in words, and a function (peek, env) => boolean");
  if (!Array.isArray(scenario.twins)) fail("'twins' is missing: give its wrong forms, [] as long as there are none");
  for (const twin of scenario.twins) {
    if (typeof twin.id !== 'string' || twin.id === scenario.id)
      fail(`a twin needs an id of its own, for instance '${scenario.id}/naive'`);
    if ((twin.profile ?? twin.wrong ?? twin.backend ?? twin.threads) === undefined)
      fail(`twin '${twin.id}' changes nothing: give 'profile', 'wrong', 'backend' or 'threads'`);
    if (twin.wrong !== undefined && !(twin.wrong in WRONGS))
      fail(
        `twin '${twin.id}' has wrong '${twin.wrong}', which does not exist: there are ${Object.keys(WRONGS).join(', ')}`,
      );
    checkSwitches(`twin '${twin.id}'`, twin.profile);
    checkSwitches(`the 'where' of twin '${twin.id}'`, twin.where?.profile);
    if (twin.oracle === undefined)
      fail(`twin '${twin.id}' names no oracle: say which one it must violate, for instance 'O1'`);
    const unknown = [twin.oracle].flat().find((oracle) => !ORACLE.test(oracle));
    if (unknown !== undefined)
      fail(`twin '${twin.id}' names oracle '${unknown}': there are O1 to O17, deadlock, livelock, race, assert`);
  }
  return scenario as unknown as AnyScenario;
}

/** A machine that is too large to be built is no scenario. */
function checkSizes(
  { geometry, pools = {} }: Pick<Scenario, 'geometry' | 'pools'>,
  fail: (what: string) => never,
): void {
  if (geometry !== undefined) {
    const { bits } = geometry as Partial<Geometry>;
    const isBits = Array.isArray(bits) && bits.length > 0 && bits.every((n) => Number.isInteger(n) && n > 0);
    if (!isBits || bits.reduce((a, b) => a + b, 0) > MOST_BITS || geometry.pageShift !== PAGE_SHIFT)
      fail(
        `'geometry' must be { pageShift: ${PAGE_SHIFT}, bits: [...] } with at most ${MOST_BITS} bits in all, for instance TINY`,
      );
  }
  const [pool, size] = Object.entries(pools).find(([, n]) => !Number.isInteger(n) || n < 0 || n > MOST_OBJECTS) ?? [];
  if (pool !== undefined) fail(`'pools.${pool}' is ${String(size)}: give a number from 0 to ${MOST_OBJECTS}`);
}

/** A scenario that cannot be used; the message is one line for people. */
export class ScenarioError extends Error {
  /** Name in messages. */
  override readonly name = 'ScenarioError';
}

/** A step function for one CPU: helps inference in lists of threads. */
export function thread(body: (cpu: Cpu) => Steps<unknown>): Body {
  return body;
}
