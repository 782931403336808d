/**
 * The suite.
 */
import type { AnyScenario } from '../scenario.ts';
import { BUGS } from './bugs.ts';
import { LIFECYCLE } from './lifecycle.ts';
import { MUNMAP } from './munmap.ts';
import { RIGHTS } from './rights.ts';
import { TRACES } from './traces.ts';

export {
  type Mapping,
  mappingOf,
  PAGE,
  RW_MEMORY,
  setStage,
  type Stage,
  type StageOptions,
  syscall,
  toUser,
} from './stage.ts';

/** All scenarios of this repository, in the order of tables. */
export const SCENARIOS: readonly AnyScenario[] = [...TRACES, ...BUGS, ...MUNMAP, ...RIGHTS, ...LIFECYCLE];
