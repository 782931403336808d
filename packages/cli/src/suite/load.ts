/**
 * Load: a user's file to its scenarios. Whatever is wrong with it becomes one line.
 */
import { type AnyScenario, defineScenario, ScenarioError } from '@mmu-gather/conformance';
import { firstLine, Misuse } from '../misuse.ts';
import { exportsOf } from './users-module.ts';

/** The scenarios of all files, in their order. */
export async function loadScenarios(files: readonly string[]): Promise<readonly AnyScenario[]> {
  const found: AnyScenario[] = [];
  const from = new Map<string, string>();
  for (const file of files) {
    for (const scenario of await scenariosOf(file)) {
      for (const { id } of [scenario, ...scenario.twins]) {
        const other = from.get(id);
        if (other !== undefined) throw new Misuse(`${file}: the id '${id}' is taken in ${other}: ids must differ`);
        from.set(id, file);
      }
      found.push(scenario);
    }
  }
  return found;
}

async function scenariosOf(file: string): Promise<AnyScenario[]> {
  for (const candidates of await exportsOf(file, 'scenarios')) {
    const scenarios = new Set(candidates.filter(isScenario));
    if (scenarios.size > 0) return [...scenarios].map((scenario) => checked(file, scenario));
  }
  throw new Misuse(`${file}: exports no scenario: add 'export default defineScenario({ ... })'`);
}

/** Does this look as if it were meant to be one? */
function isScenario(value: unknown): value is AnyScenario {
  return typeof value === 'object' && value !== null && 'id' in value && ('setup' in value || 'threads' in value);
}

/** A scenario that did not go through defineScenario is checked all the same. */
function checked(file: string, scenario: AnyScenario): AnyScenario {
  try {
    return defineScenario(scenario);
  } catch (error) {
    if (error instanceof ScenarioError) throw new Misuse(`${file}: ${error.message}`, { cause: error });
    throw new Misuse(`${file}: a scenario that cannot be read: ${firstLine(error)}`, { cause: error });
  }
}
