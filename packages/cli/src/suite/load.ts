/**
 * Load: a user's file to its scenarios. Whatever is wrong with it becomes one line.
 */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type AnyScenario, defineScenario, ScenarioError } from '@mmu-gather/conformance';
import { firstLine, Misuse } from '../misuse.ts';
import { fromHere, siteOf } from './site.ts';

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
  const path = resolve(file);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new Misuse(`${file}: no such file`);
  if (!stat.isFile()) throw new Misuse(`${file}: not a file: give a TypeScript file that exports scenarios`);
  let exported: Record<string, unknown>;
  try {
    exported = await Promise.race([
      import(pathToFileURL(path).href) as Promise<Record<string, unknown>>,
      nothingLeft(),
    ]);
  } catch (error) {
    throw new Misuse(`${where(file, error)}: ${whatIsWrong(error)}`, { cause: error });
  }
  const { default: main, ...others } = exported;
  for (const candidates of [main === undefined ? [] : [main], Object.values(others)]) {
    const scenarios = new Set(candidates.flat(1).filter(isScenario));
    if (scenarios.size > 0) return [...scenarios].map((scenario) => checked(file, scenario));
  }
  throw new Misuse(`${file}: exports no scenario: add 'export default defineScenario({ ... })'`);
}

/** Fails when nothing is left that could wake the thread: the file waits at its top level for what never comes. */
function nothingLeft(): Promise<never> {
  return new Promise((_, reject) => {
    process.once('beforeExit', () =>
      reject(new Misuse('its import never ends: a scenario file may only define scenarios')),
    );
  });
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
    if (!(error instanceof ScenarioError)) throw error;
    throw new Misuse(`${file}: ${error.message}`, { cause: error });
  }
}

/** The file, with the line if that can be told. */
function where(file: string, error: unknown): string {
  // Node puts `file:///path/to/file.ts:3` on top of a syntax error's stack.
  return siteOf(error) ?? fromHere(resolve(file));
}

function whatIsWrong(error: unknown): string {
  if (!(error instanceof Error)) return `throws ${firstLine(error)}`;
  if (error instanceof Misuse || error.name === 'ScenarioError' || error.name === 'SyntaxError')
    return firstLine(error);
  if ((error as NodeJS.ErrnoException).code?.includes('MODULE_NOT_FOUND') === true) {
    return firstLine(error)
      .replace(/ imported from .*$/, '')
      .replace(/^Cannot/, 'cannot');
  }
  return `throws ${error.name}: ${firstLine(error)}`;
}
