/**
 * Load backends: a third party's file to its architectures, and what there is to choose from with them.
 */
import {
  type AnyScenario,
  type Architecture,
  ArchitectureError,
  ARCHITECTURES,
  defineArchitecture,
  SCENARIOS,
  type Selection,
  unmatched,
} from '@mmu-gather/conformance';
import { firstLine, Misuse } from '../misuse.ts';
import { exportsOf } from './users-module.ts';

/** What a run chooses from. */
export interface Choice {
  /** This repository's architectures and the user's; one with an id of ours takes its place. */
  readonly archs: readonly Architecture[];
  /** The selection: a run that names no architecture is of the user's, if there are any. */
  readonly selection: Selection;
}

/** The architectures of a run, and its selection with them. @param scenarios what is run: of the suite, all that a backend says must match */
export async function withBackends(
  files: readonly string[],
  scenarios: readonly AnyScenario[],
  selection: Selection,
): Promise<Choice> {
  if (files.length === 0) return { archs: ARCHITECTURES, selection };
  const own: Architecture[] = [];
  for (const file of files) {
    for (const arch of await architecturesOf(file)) {
      if (own.some(({ id }) => id === arch.id))
        throw new Misuse(`${file}: a second backend '${arch.id}': ids must differ`);
      const [problem] = scenarios === SCENARIOS ? unmatched(arch, scenarios) : [];
      if (problem !== undefined) throw new Misuse(`${file}: ${problem}: leave it out, or mend the name`);
      own.push(arch);
    }
  }
  const ids = own.map(({ id }) => id);
  return {
    archs: [...ARCHITECTURES.filter(({ id }) => !ids.includes(id)), ...own],
    selection: (selection.archs ?? []).length > 0 ? selection : { ...selection, archs: ids },
  };
}

async function architecturesOf(file: string): Promise<Architecture[]> {
  for (const candidates of await exportsOf(file, 'a backend')) {
    const found = new Set(candidates.filter(isArchitecture));
    if (found.size > 0) return [...found].map((architecture) => checked(file, architecture));
  }
  throw new Misuse(`${file}: exports no backend: add 'export default defineArchitecture({ id, backend })'`);
}

/** Does this look as if it were meant to be one? A scenario's `backend` is no function. */
function isArchitecture(value: unknown): value is Architecture {
  return (
    typeof value === 'object' &&
    value !== null &&
    'id' in value &&
    'backend' in value &&
    typeof value.backend === 'function'
  );
}

/** One that did not go through defineArchitecture is checked all the same. */
function checked(file: string, architecture: Architecture): Architecture {
  try {
    return defineArchitecture(architecture);
  } catch (error) {
    if (error instanceof ArchitectureError) throw new Misuse(`${file}: ${error.message}`, { cause: error });
    throw new Misuse(`${file}: a backend that cannot be read: ${firstLine(error)}`, { cause: error });
  }
}
