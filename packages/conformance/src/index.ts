/**
 * The conformance suite: scenarios that every backend must pass, and their wrong twins that must be refuted.
 *
 * @packageDocumentation
 */
export * from './applies.ts';
export * from './architecture.ts';
export * from './architectures/index.ts';
export * from './bugs/bug.ts';
export * from './bugs/catalogue.ts';
export * from './bugs/shown.ts';
export * from './cell-notes.ts';
export * from './compare.ts';
export * from './define-architecture.ts';
export * from './event-log.ts';
export * from './keys.ts';
export * from './matrix.ts';
export * from './profiles/index.ts';
export * from './property.ts';
export * from './quiet/books.ts';
export * from './quiet/clause.ts';
export * from './quiet/index.ts';
export * from './reads.ts';
export * from './result.ts';
export * from './run.ts';
export * from './scenario.ts';
export * from './scenarios/index.ts';
export * from './schedule.ts';
export * from './group.ts';
export * from './sharing.ts';
export * from './staleness.ts';
export * from './unused-wrongs.ts';
export * from './vacuity.ts';
export * from './vitest.ts';
export * from './wrongs.ts';
