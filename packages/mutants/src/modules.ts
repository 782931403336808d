/**
 * Modules: the sources of stepped packages that hold steps of an algorithm.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

/** A package whose sources are looked through. */
export interface Sources {
  /** Its short name: `x86`. */
  readonly name: string;
  /** The folder of its sources. */
  readonly folder: string;
}

/** A module's source. */
export interface Module {
  /** `x86/flush.ts` */
  readonly file: string;
  /** Where it is. */
  readonly path: string;
  /** What it says. */
  readonly text: string;
}

/** Files without steps of an algorithm: machines, what hardware does, what kernels select, what is named, what steps are taken to cost. */
const NO_ALGORITHM =
  /^counting\/|\/(isa|profiles|axes|index|geometry|struct|steps|cpu|kernel|trace|layout|conflicts|costs|errata)\.ts$/;

/** The modules of some packages, in the order of packages and names. */
export function modulesOf(packages: readonly Sources[]): Module[] {
  return packages.flatMap(({ name, folder }) =>
    filesBelow(folder).flatMap((path) => {
      const file = `${name}/${relative(folder, path).split(sep).join('/')}`;
      return NO_ALGORITHM.test(file) ? [] : [{ file, path, text: readFileSync(path, 'utf8') }];
    }),
  );
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => join(folder, name))
    .toSorted();
}
