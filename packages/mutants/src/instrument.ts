/**
 * Instrument: the sources of stepped packages as one piece of code for all mutants (mutant schemata). Lines stay where they are.
 */
import { stripTypeScriptTypes } from 'node:module';
import { applyEdits } from './edit.ts';
import { modulesOf, type Sources } from './modules.ts';
import type { Mutation } from './mutation.ts';
import { type Found, sitesOf } from './sites.ts';

/** A module in hand. */
interface Text {
  readonly text: string;
  readonly found: Found;
  readonly base: number;
}

/** All mutants of some packages. */
export class Instrumented {
  /** The mutants; their numbers are positions here. */
  readonly mutations: readonly Mutation[];
  readonly #modules = new Map<string, Text>();

  /** Reads and looks through all sources. Throws if one cannot be parsed. */
  constructor(packages: readonly Sources[]) {
    const mutations: Mutation[] = [];
    for (const { file, path, text } of modulesOf(packages)) {
      const found = sitesOf(file, text);
      this.#modules.set(path, { text, found, base: mutations.length });
      mutations.push(...found.mutations);
    }
    this.mutations = mutations;
  }

  /** JavaScript of a module that asks the switchboard at each site; undefined if it is none of the packages'. @param path of its source */
  code(path: string): string | undefined {
    const module = this.#modules.get(path);
    if (module === undefined) return undefined;
    const plain = stripTypeScriptTypes(module.text);
    if (plain.length !== module.text.length) throw new Error(`${path}: types were not replaced by blanks`);
    return applyEdits(plain, module.found.edits(module.base));
  }
}
