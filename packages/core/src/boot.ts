/**
 * Boot: reserves what exists before any CPU runs, and links backend and profile.
 */
import { type Arena, type BootOptions, type Kernel, mmFields } from './kernel.ts';

/** Makes the kernel of one run in a machine's arena. */
export function bootKernel(arena: Arena, options: BootOptions): Kernel {
  const initMm = arena.reserve('init_mm', mmFields(options));
  const backend = options.backend.link(arena, options, initMm);
  return {
    cpus: options.cpus,
    geometry: options.geometry,
    backend,
    profile: options.profile,
    handlers: backend.handlers,
    initMm,
  };
}
