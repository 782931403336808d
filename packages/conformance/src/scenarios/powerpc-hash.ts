/**
 * powerpc's hash MMU: translations stand in the hash page table until a flush takes them out of it, whatever page tables say meanwhile. All scenarios
 * about it.
 */
import type { AnyScenario } from '../scenario.ts';
import { POWERPC_HASH_COLLECTED, ptReclaim } from './powerpc-hash-collected.ts';
import { POWERPC_HASH_MOVED } from './powerpc-hash-moved.ts';
import { POWERPC_HASH_AT_ONCE } from './powerpc-hash-at-once.ts';
import { arriveTogether, POWERPC_HASH_ARRIVALS } from './powerpc-hash-arrival.ts';
import { POWERPC_HASH_TLBIE } from './powerpc-hash-tlbie.ts';
import { onePte, POWERPC_HASH_FAULTS } from './powerpc-hash-fault.ts';
import { POWERPC_HASH_SLOTS } from './powerpc-hash-slots.ts';
import { POWERPC_HASH_SWITCHES } from './powerpc-hash-switch.ts';

/** All of them, in the order of tables. */
export const POWERPC_HASH_SCENARIOS: readonly AnyScenario[] = [
  ...POWERPC_HASH_COLLECTED,
  ...POWERPC_HASH_MOVED,
  ...POWERPC_HASH_AT_ONCE,
  ...POWERPC_HASH_ARRIVALS,
  ...POWERPC_HASH_TLBIE,
  ...POWERPC_HASH_FAULTS,
  arriveTogether,
  onePte,
  ptReclaim,
  ...POWERPC_HASH_SLOTS,
  ...POWERPC_HASH_SWITCHES,
];
