/**
 * Litmus tests: readers for herd's and isla's syntaxes, and their exploration by the exploring machine.
 *
 * @packageDocumentation
 */
export * from './condition.ts';
export * from './errors.ts';
export { type Exploration, explore, type ExploreOptions, modelOf, type Outcome } from './explore.ts';
export { type Model, MODELS } from './on-machine.ts';
export { readLitmus } from './read.ts';
export * from './test.ts';
export { type AddressValue, type EntryValue, type LabelValue, show, type Value } from './values.ts';
export * from './verdict.ts';
