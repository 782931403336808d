/**
 * Boot: reserves what exists before any CPU runs, and links backend and profile.
 */
import { designWords } from './design-words.ts';
import { entrySize, tableEntries, taskSize } from './geometry.ts';
import { type Arena, type BootOptions, type Kernel, mmFields, Runqueue } from './kernel.ts';
import { Page } from './mm.ts';
import { tlbRemoveTableSmpSync } from './table-free.ts';
import { VmapLists } from './vmap-area.ts';

/** The words of as many pages as a table of level 0 maps. */
function row({ geometry }: BootOptions): string[] {
  return Array.from({ length: tableEntries(geometry, 0) }, (_, i) =>
    Page.fields.map((field) => `${field}[${i}]`),
  ).flat();
}

/** Makes the kernel of one run in a machine's arena. */
export function bootKernel(arena: Arena, options: BootOptions): Kernel {
  const initMm = arena.reserve('init_mm', mmFields(options));
  const zeroPage = arena.reserve('zero_page', Page.fields);
  const hugeZeroPage = options.hugeZeroPage === undefined ? 0 : arena.reserve('huge_zero_page', row(options));
  const batchedCpumask = arena.reserve('tlb_flush_batched_cpumask', ['']);
  const perCpu = Array.from({ length: options.cpus }, (_, cpu) => Runqueue.fields.map((field) => `${field}@${cpu}`));
  const runqueues = arena.reserve('rq', perCpu.flat());
  const vmap = arena.reserve('vmap', VmapLists.fields);
  const backend = options.backend.link(arena, options, initMm);
  return {
    cpus: options.cpus,
    geometry: options.geometry,
    entrySizes: options.geometry.bits.map((_, level) => entrySize(options.geometry, level)),
    taskSize: taskSize(options.geometry),
    backend,
    profile: options.profile,
    handlers: [...backend.handlers, tlbRemoveTableSmpSync],
    designs: designWords(options),
    initMm,
    zeroPage,
    hugeZeroPage,
    hugeZeroWrite: options.hugeZeroPage ?? 'split',
    needResched: options.needResched ?? null,
    vmap,
    batchedCpumask,
    runqueues,
  };
}
