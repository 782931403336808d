/**
 * Instrument: the sources of stepped packages as one piece of code for all mutants (mutant schemata). Lines stay where they are.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join, relative, sep } from 'node:path';
import { applyEdits } from './edit.ts';
import type { Mutation } from './mutation.ts';
import { type Found, sitesOf } from './sites.ts';

/** A package whose sources are mutated. */
export interface Sources {
  /** Its short name: `x86`. */
  readonly name: string;
  /** The folder of its sources. */
  readonly folder: string;
}

/** Files without steps of an algorithm: what hardware does, what kernels select, what is named. */
const NO_ALGORITHM = /(^|\/)(isa|profiles|axes|index|geometry|struct|steps|cpu|kernel|trace|layout)\.ts$/;

interface Module {
  readonly text: string;
  readonly found: Found;
  readonly base: number;
}

/** All mutants of some packages. */
export class Instrumented {
  /** The mutants; their numbers are positions here. */
  readonly mutations: readonly Mutation[];
  readonly #modules = new Map<string, Module>();

  /** Reads and looks through all sources. Throws if one cannot be parsed. */
  constructor(packages: readonly Sources[]) {
    const mutations: Mutation[] = [];
    for (const { name, folder } of packages) {
      for (const path of filesBelow(folder)) {
        const file = relative(folder, path).split(sep).join('/');
        if (NO_ALGORITHM.test(file)) continue;
        const text = readFileSync(path, 'utf8');
        const found = sitesOf(`${name}/${file}`, text);
        this.#modules.set(path, { text, found, base: mutations.length });
        mutations.push(...found.mutations);
      }
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

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => join(folder, name))
    .toSorted();
}
