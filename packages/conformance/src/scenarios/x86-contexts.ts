/**
 * x86: the id of an mm, by which slots know whose entries they hold, is its own for ever.
 */
import type { Layout } from '@mmu-gather/checker';
import type { Cell } from '@mmu-gather/core/stepped';
import { mmAlloc } from '@mmu-gather/mm/stepped';
import { mmCtxId } from '@mmu-gather/x86/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';

/** Reserved before any kernel exists, so where it is is the same in all runs. */
let idsCell: Cell = 0;

const made = defineScenario<{ readonly ids: Cell }>({
  id: 'contexts/made-at-once',
  title: 'two mms are made at once: each has an id of its own',
  source: 'arch/x86/include/asm/mmu_context.h init_new_context',
  cpus: 2,
  only: { archs: ['x86'], why: 'others give out ASIDs when an mm runs' },
  reserve(layout: Layout) {
    idsCell = layout.reserve('ids', ['0', '1']);
  },
  setup: () => ({ ids: idsCell }),
  threads: ({ ids }) =>
    [0, 1].map((n) =>
      thread(function* (cpu) {
        const mm = yield* mmAlloc(cpu);
        yield* cpu.writeOnce(ids + n, cpu.read(mmCtxId(mm)));
      }),
    ),
  final: (peek, { ids }) => (peek(ids) === peek(ids + 1) ? `both have id ${peek(ids)}` : undefined),
  twins: [
    {
      id: 'contexts/made-at-once/wraps',
      why: 'there is one id, which serves all',
      oracle: 'assert',
      backend: { x86: { ctxIdSpace: 1 } },
    },
  ],
});

/** All of them. */
export const X86_CONTEXTS: readonly AnyScenario[] = [made];
