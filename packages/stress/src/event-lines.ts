/**
 * Event lines: what a CPU did, in words.
 */
import { ALL_ASIDS, EVERYTHING, type Kernel } from '@mmu-gather/core';
import { CACHES, type Event } from '@mmu-gather/threads';
import { OPERATIONS } from './operations.ts';

/** Something that a CPU did. */
export interface EventLine {
  /** The CPU. */
  readonly cpu: number;
  /** Microseconds of a clock that all CPUs share. */
  readonly time: number;
  /** What it did, in a line. */
  readonly text: string;
}

/** An event in words. @param kernel whose handlers have names */
export function lineOf({ cpu, time, name, values: [a, b, c] }: Event, { handlers }: Kernel): EventLine {
  const handler = (id: number): string => handlers[id]?.name ?? `handler ${id}`;
  const texts: Readonly<Record<typeof name, () => string>> = {
    op: () => `${OPERATIONS[a]!.name}:`,
    userRead: () => `load ${hex(a)} (${pageName(b)})`,
    userWrite: () => `store ${hex(a)} (${pageName(b)})`,
    fault: () => `${b === 1 ? 'store' : 'load'} ${hex(a)} faults`,
    alloc: () => `alloc ${CACHES[a]!} ${b}`,
    free: () => `free ${CACHES[a]!} ${b}`,
    sendIpi: () => `interrupt CPU ${a}: ${handler(b)}`,
    handler: () => `interrupted: ${handler(a)}`,
    loadContext: () => `load table ${a} under tag ${b}${c === 1 ? '' : ', flush'}`,
    invalidate: () =>
      `invalidate ${b < c ? `${hex(b)} to ${c === EVERYTHING ? 'the end' : hex(c)}` : 'no leaf'} under ${tagName(a)}`,
    barrier: () => 'wait for invalidations',
  };
  return { cpu, time, text: texts[name]() };
}

function hex(address: number): string {
  return `0x${address.toString(16)}`;
}

function pageName(index: number): string {
  return index < 0 ? 'the zero page' : `page ${index}`;
}

function tagName(tag: number): string {
  return tag === ALL_ASIDS ? 'all tags' : `tag ${tag}`;
}
