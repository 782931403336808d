/**
 * Boot: reserves what exists before any CPU runs, and links backend and profile.
 */
import { type Arena, type BootOptions, type Kernel, mmFields, Runqueue } from './kernel.ts';
import { Page } from './mm.ts';

/** Makes the kernel of one run in a machine's arena. */
export function bootKernel(arena: Arena, options: BootOptions): Kernel {
  const initMm = arena.reserve('init_mm', mmFields(options));
  const zeroPage = arena.reserve('zero_page', Page.fields);
  const perCpu = Array.from({ length: options.cpus }, (_, cpu) => Runqueue.fields.map((field) => `${field}@${cpu}`));
  const runqueues = arena.reserve('rq', perCpu.flat());
  const backend = options.backend.link(arena, options, initMm);
  return {
    cpus: options.cpus,
    geometry: options.geometry,
    backend,
    profile: options.profile,
    handlers: backend.handlers,
    initMm,
    zeroPage,
    runqueues,
  };
}
