export * from './isa.ts';
