import { variants } from '@mmu-gather/stepped/vitest';

export default variants(import.meta.dirname, { condition: '@mmu-gather/source' });
