/**
 * Architectures: a backend, its switches in each kernel version, and the values that they can take. A third party's backend is one
 * more.
 */
import type { Axis, BackendSpec } from '@mmu-gather/core/stepped';
import { x86, X86_AXES, X86_PROFILES, type X86Switches } from '@mmu-gather/x86/stepped';

/** Switches of a backend, by name. */
export type BackendSwitches = Readonly<Record<string, unknown>>;

/** A backend as the suite uses it. */
export interface Architecture {
  /** Its id, equal to the backend's. */
  readonly id: string;
  /** Its switches in each kernel version that it knows, by profile id; small enough to be explored. */
  readonly kernels: Readonly<Record<string, BackendSwitches>>;
  /** Values of each switch. */
  readonly axes: Readonly<Record<string, Axis>>;
  /** The backend with these switches. Reads nothing of them but by name, so that reads can be noted. */
  backend(switches: BackendSwitches): BackendSpec;
}

/** Throws if an architecture has no switch of one of these names. */
export function checkSwitches(arch: Architecture, switches: BackendSwitches): void {
  const unknown = Object.keys(switches).find((key) => !(key in arch.axes));
  if (unknown === undefined) return;
  throw new Error(`${arch.id} has no switch '${unknown}': it has ${Object.keys(arch.axes).join(', ')}`);
}

/** ASID slots of an explored CPU: two show every reuse that six do. */
const EXPLORED_ASIDS = 2;

/** x86 with the switches of each kernel version. */
export const X86: Architecture = {
  id: 'x86',
  kernels: Object.fromEntries(
    Object.entries(X86_PROFILES).map(([id, switches]) => [id, { ...switches, dynAsids: EXPLORED_ASIDS }]),
  ),
  axes: X86_AXES,
  backend: (switches) => x86(switches as unknown as X86Switches),
};

/** All architectures of this repository. */
export const ARCHITECTURES: readonly Architecture[] = [X86];
