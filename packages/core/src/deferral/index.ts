export * from './queue.ts';
export * from './ring.ts';
export * from './scheme.ts';
