/**
 * Mapping stage: an mm that maps a file whose pages can be found by their mapping, or page frames of a driver.
 */
import type { Run } from '@mmu-gather/checker';
import {
  type Address,
  type AddressSpace,
  type Mm,
  VM_PFNMAP,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from '@mmu-gather/core/stepped';
import {
  allocMapping,
  contextSwitch,
  fileBacking,
  filemapAdd,
  mmAlloc,
  mmap,
  remapPfnRange,
  userLoad,
  userStore,
  vmaLookup,
} from '@mmu-gather/mm/stepped';
import { PAGE, newThread } from './stage.ts';

/** An mm that maps a file. */
export interface MappedStage {
  /** The mm. */
  readonly mm: Mm;
  /** The file. */
  readonly mapping: AddressSpace;
  /** Its pages, or the frames. */
  readonly pages: readonly Address[];
}

/** Shared, readable and writable. */
const SHARED: number = VM_READ | VM_WRITE | VM_SHARED;

/** How a mapping stage is set. */
export interface MappedOptions {
  /** Pages of the file, mapped from address 0 on; 1 if not given. */
  readonly pages?: number;
  /** Indices of those that are stored to, so that they are present, writable and dirty; all if not given. */
  readonly stored?: readonly number[];
  /** Indices of those that are only loaded from, so that they are present and clean; none if not given. */
  readonly loaded?: readonly number[];
  /** CPUs that run user code of the mm; 0 and 1 if not given. */
  readonly running?: readonly number[];
  /** CPUs of these that are in a system call when the race begins. */
  readonly inKernel?: readonly number[];
}

function run0(run: Run): Mm {
  const mm = run(0, mmAlloc);
  run(0, (cpu) => contextSwitch(cpu, mm));
  return mm;
}

function others(run: Run, mm: Mm, { running = [0, 1], inKernel = [] }: MappedOptions): void {
  for (const n of running) if (n !== 0) run(n, (cpu) => newThread(cpu, mm));
  for (const n of inKernel) run(n, (cpu) => cpu.enterKernel());
}

/** An mm on CPU 0 that maps a file, shared. CPU 0 is left in the kernel, the others in user mode. */
export function setMappedStage(run: Run, options: MappedOptions = {}): MappedStage {
  const count = options.pages ?? 1;
  const mapping = run(0, allocMapping);
  const indices = Array.from({ length: count }, (_, index) => index);
  const pages = indices.map((index) => run(0, (cpu) => filemapAdd(cpu, mapping, index, 100 + index)));
  const mm = run0(run);
  run(0, (cpu) => mmap(cpu, mm, 0, count * PAGE, SHARED, fileBacking(mapping.address)));
  for (const index of options.loaded ?? []) run(0, (cpu) => userLoad(cpu, mm, index * PAGE));
  for (const index of options.stored ?? indices) run(0, (cpu) => userStore(cpu, mm, index * PAGE, 1 + index));
  others(run, mm, options);
  return { mm, mapping, pages };
}

/** An mm on CPU 0 that maps frames of a driver's, of which the first is there. `stored` means nothing here. */
export function setPfnmapStage(run: Run, options: MappedOptions = {}): MappedStage {
  const bytes = (options.pages ?? 1) * PAGE;
  const mapping = run(0, allocMapping);
  const frame = run(0, (cpu) => cpu.alloc('page'));
  const mm = run0(run);
  run(0, (cpu) => mmap(cpu, mm, 0, bytes, SHARED | VM_PFNMAP, fileBacking(mapping.address)));
  run(0, (cpu) => remapPfnRange(cpu, mm, vmaLookup(cpu, mm, 0)!, 0, frame, 1));
  // Where software fills what the hardware looks into, it does so when the frame is used.
  run(0, (cpu) => userLoad(cpu, mm, 0));
  others(run, mm, options);
  return { mm, mapping, pages: [frame] };
}
