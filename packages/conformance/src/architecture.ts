/**
 * Architectures: a backend, its switches in each kernel version, the values that they can take, and where it is other than the rest. A
 * third party's backend is one more.
 *
 *     wrongs    how it does wrong what a twin does wrong (wrongs.ts); a twin whose wrong is not there does not apply to it
 *     skips     scenarios that do not apply to it, each with why
 *     mends     wrong twins that are right on it, each with why: they must hold
 *     breaks    scenarios that did not hold on it in some kernel, each with why: they must be violated
 */
import type { Axis, BackendSpec, Switches } from '@mmu-gather/core/stepped';
import type { Broken } from './profiles/spec.ts';
import type { Wrong } from './wrongs.ts';

/** Switches of a backend, by name. */
export type BackendSwitches = Readonly<Record<string, unknown>>;

/** Scenarios that do not apply to an architecture. */
export interface Skip {
  /** Ids of scenarios; `*` stands for anything. */
  readonly scenario: string;
  /** Why not, in one line. */
  readonly why: string;
}

/** A backend as the suite uses it. */
export interface Architecture {
  /** Its id, equal to the backend's. */
  readonly id: string;
  /**
   * Its switches in each kernel version that it knows, by profile id, as they really are. Profiles that start from another version do not
   * apply to it.
   */
  readonly kernels: Readonly<Record<string, BackendSwitches>>;
  /** Switches that are other where it is explored: constants made small, and what has scenarios of its own. */
  readonly explored: BackendSwitches;
  /** What it selects of core's and mm's switches (Kconfig), in every kernel version, where that is other than on x86. Nothing if not given. */
  readonly config?: Partial<Switches>;
  /** Values of each switch. */
  readonly axes: Readonly<Record<string, Axis>>;
  /** Switches that make each mistake, where it can make it. */
  readonly wrongs: Readonly<Partial<Record<Wrong, BackendSwitches>>>;
  /** Scenarios that do not apply to it. Each must match one. */
  readonly skips: readonly Skip[];
  /**
   * Twins that are right on it, by another mechanism, by key (keys.ts: `id@linux-5.11,linux-6.1`), and why. Each must match one that
   * applies.
   */
  readonly mends: Readonly<Record<string, string>>;
  /** Scenarios that do not hold on it, by key: bugs, of that time or still there. None if not given. Each must match one. */
  readonly breaks?: Readonly<Record<string, Broken>>;
  /** The backend with these switches. Reads nothing of them but by name, so that reads can be noted. */
  backend(switches: BackendSwitches): BackendSpec;
}

/** Throws if an architecture has no switch of one of these names. */
export function checkSwitches(arch: Architecture, switches: BackendSwitches): void {
  const unknown = Object.keys(switches).find((key) => !(key in arch.axes));
  if (unknown === undefined) return;
  throw new Error(`${arch.id} has no switch '${unknown}': it has ${Object.keys(arch.axes).join(', ')}`);
}

/** Switches by profile id, as a backend exports them, for `Architecture.kernels`. */
export function switchesById(profiles: Readonly<Record<string, object>>): Architecture['kernels'] {
  return profiles as Architecture['kernels'];
}
