/**
 * `@mmu-gather/conformance/report`: what a program needs that reads results, without the suite. It loads in no time.
 */
export * from './group.ts';
export * from './result.ts';
