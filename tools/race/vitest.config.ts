import { single } from '@mmu-gather/stepped/vitest';

export default single(import.meta.dirname, { condition: '@mmu-gather/source' });
