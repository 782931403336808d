/**
 * s390: all scenarios about it.
 */
import type { AnyScenario } from '../scenario.ts';
import { S390_ASCE } from './s390-asce.ts';
import { S390_ATTACH } from './s390-attach.ts';
import { S390_CALLS } from './s390-calls.ts';
import { S390_COUNTS } from './s390-counts.ts';
import { S390_DEBT } from './s390-debt.ts';
import { S390_ENTRIES } from './s390-entries.ts';

/** All of them. */
export const S390_SCENARIOS: readonly AnyScenario[] = [
  ...S390_ATTACH,
  ...S390_DEBT,
  ...S390_ASCE,
  ...S390_ENTRIES,
  ...S390_COUNTS,
  ...S390_CALLS,
];
