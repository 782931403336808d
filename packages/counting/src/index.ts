/**
 * The counting machine: one operation after another, as fast as the direct build allows, with the costs counted.
 *
 * @packageDocumentation
 */
export * from './arena.ts';
export * from './machine.ts';
