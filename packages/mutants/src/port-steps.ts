/**
 * Port steps: which calls of the port are sites, and what a mutant makes of them.
 *
 *     elide     left out; where its value is used, what a plain look at the cell would give
 *     weaken    a weaker call in its place: an order less, not atomic, not waited for
 *
 * Loads that order nothing, allocation, user code and modes are no sites.
 */
import type { Kind, Operator } from './mutation.ts';

/** What can be done to a call. `call` says what stands in its place, given its arguments; `port` is the CPU. */
export interface PortMutation {
  /** How. */
  readonly operator: Operator;
  /** In words, for tables. */
  readonly what: string;
  /** Makes a difference under the weak memory model only. */
  readonly weakOnly?: true;
  /** Text of the replacement; `undefined` as text where nothing is done. */
  call(port: string, args: readonly string[]): string;
}

/** A call of the port. */
export interface PortStep {
  /** What it is for. */
  readonly kind: Kind;
  /** Its mutations. */
  readonly mutations: readonly PortMutation[];
}

const LEFT_OUT: PortMutation = { operator: 'elide', what: 'left out', call: () => 'undefined' };

const instead = (method: string, what: string, weakOnly?: true): PortMutation => ({
  operator: 'weaken',
  what,
  ...(weakOnly && { weakOnly }),
  call: (port, args) => `yield* ${port}.${method}(${args.join(', ')})`,
});

/** The value without the store. */
const onlyRead = (value: (old: string, args: readonly string[]) => string): PortMutation => ({
  operator: 'elide',
  what: 'its store left out',
  call: (port, args) => value(`(yield* ${port}.readOnce(${args[0]}))`, args),
});

/** What becomes of an atomic access. */
export const TWO_STEPS: string = 'a load and a store instead';

/** A load and a store, with a gap and without an order. */
const split = (method: string): PortMutation => ({
  operator: 'weaken',
  what: TWO_STEPS,
  call: (port, args) => `yield* $m.split.${method}(${[port, ...args].join(', ')})`,
});

/** By name of the port's method. Locks and interrupts are in sections.ts. */
export const PORT_STEPS: Readonly<Record<string, PortStep>> = {
  writeOnce: { kind: 'store', mutations: [LEFT_OUT] },
  storeRelease: { kind: 'order', mutations: [LEFT_OUT, instead('writeOnce', 'WRITE_ONCE instead', true)] },
  loadAcquire: { kind: 'order', mutations: [instead('readOnce', 'READ_ONCE instead', true)] },
  xchg: { kind: 'store', mutations: [onlyRead((old) => old), split('xchg')] },
  cmpxchg: { kind: 'store', mutations: [onlyRead((old) => old), split('cmpxchg')] },
  atomicAdd: { kind: 'store', mutations: [LEFT_OUT, split('atomicAdd')] },
  atomicAddReturn: {
    kind: 'store',
    mutations: [onlyRead((old, args) => `(${old} + (${args[1]}))`), split('atomicAddReturn')],
  },
  atomicOr: { kind: 'store', mutations: [LEFT_OUT, split('atomicOr')] },
  atomicAndNot: { kind: 'store', mutations: [LEFT_OUT, split('atomicAndNot')] },
  atomicFetchAndNot: { kind: 'store', mutations: [onlyRead((old) => old), split('atomicFetchAndNot')] },
  smpMb: {
    kind: 'fence',
    mutations: [LEFT_OUT, instead('smpWmb', 'smp_wmb instead', true), instead('smpRmb', 'smp_rmb instead', true)],
  },
  smpWmb: { kind: 'fence', mutations: [{ ...LEFT_OUT, weakOnly: true }] },
  smpRmb: { kind: 'fence', mutations: [{ ...LEFT_OUT, weakOnly: true }] },
  smpMbAfterAtomic: { kind: 'fence', mutations: [{ ...LEFT_OUT, weakOnly: true }] },
  waitFor: {
    kind: 'wait',
    mutations: [
      { operator: 'weaken', what: 'not waited', call: (port, args) => `yield* ${port}.readOnce(${args[0]})` },
    ],
  },
  freeRcu: { kind: 'wait', mutations: [instead('free', 'freed at once')] },
  synchronizeRcu: { kind: 'wait', mutations: [LEFT_OUT] },
  sendIpi: { kind: 'flush', mutations: [LEFT_OUT] },
  awaitIpis: { kind: 'wait', mutations: [LEFT_OUT] },
  loadContext: {
    kind: 'flush',
    mutations: [
      LEFT_OUT,
      {
        operator: 'weaken',
        what: 'without its flush',
        call: (port, [root, asid]) => `yield* ${port}.loadContext(${root}, ${asid}, true)`,
      },
    ],
  },
  invalidate: { kind: 'flush', mutations: [LEFT_OUT] },
  cmpxchgAndInvalidate: {
    kind: 'flush',
    mutations: [
      {
        operator: 'weaken',
        what: 'without its invalidation',
        call: (port, [cell, old, value]) => `yield* ${port}.cmpxchg(${cell}, ${old}, ${value})`,
      },
    ],
  },
  invalidationBarrier: { kind: 'wait', mutations: [LEFT_OUT] },
};

/** What a step that is no port call, or a store, is for: by the names in it. */
export function kindByName(text: string, otherwise: Kind): Kind {
  const kinds: readonly [RegExp, Kind][] = [
    [/pending|nested/i, 'pending'],
    [/cpumask|\bmask/i, 'mask'],
    [/flush|invalidate|shootdown|purge|demap|tlbie|fence/i, 'flush'],
    [/lock/i, 'lock'],
    [/gen\b|generation/i, 'generation'],
    [/range|start|end\b|level|freed|cleared|untracked/i, 'tracking'],
  ];
  return kinds.find(([names]) => names.test(text))?.[1] ?? otherwise;
}
