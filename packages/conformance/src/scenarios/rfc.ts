/**
 * The RFC of 2021, patch by patch, where it is not about generations (generations.ts). Twins are what was posted; docs/rfc-2021.md says which
 * defect is which.
 */
import type { AnyScenario } from '../scenario.ts';
import { RFC_MASKS } from './rfc-mask.ts';
import { RFC_NEED_FLUSH_ALL } from './rfc-need-flush-all.ts';
import { RFC_NO_FLUSH } from './rfc-no-flush.ts';
import { RFC_RECORDS } from './rfc-records.ts';

/** All of them. */
export const RFC_SCENARIOS: readonly AnyScenario[] = [
  ...RFC_MASKS,
  ...RFC_NEED_FLUSH_ALL,
  ...RFC_NO_FLUSH,
  ...RFC_RECORDS,
];
