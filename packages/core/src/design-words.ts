/**
 * Words that only some designs need: in an mm behind the backend's context, in a table behind what every kernel keeps there. A profile
 * that does not use a design has none of its words.
 */
import type { BootOptions } from './kernel.ts';
import { Mm } from './mm.ts';
import { tableFields } from './table.ts';

/** Offsets of each design's words. Those of a design that the profile does not use mean nothing. */
export interface DesignWords {
  /** From an mm: the flush ring, its lock and then its slots (deferral/ring.ts). */
  readonly ring: number;
  /** From an mm: epochs of open gathers (sync-finish.ts). */
  readonly sync: number;
  /** From an mm: counts of each level (level-counters.ts). */
  readonly levels: number;
  /** From an mm: the one lock of all its PTE tables, where locks are not split. */
  readonly ptl: number;
  /** From a table: records of pending flushes (deferral/queue.ts). */
  readonly queue: number;
}

/** Words of a slot of the ring. */
export const RING_SLOT_FIELDS: readonly string[] = ['gen', 'start', 'end', 'how'];

/** Words of a record of a pending flush. */
export const QUEUE_RECORD_FIELDS: readonly string[] = ['gen', 'start', 'end'];

function repeated(name: string, count: number, fields: readonly string[]): readonly string[] {
  return Array.from({ length: count }, (_, i) => fields.map((field) => `${name}[${i}].${field}`)).flat();
}

function ringFields({ profile }: BootOptions): readonly string[] {
  if (profile.deferral !== 'ring') return [];
  return ['ring.lock', ...repeated('ring', profile.ringSlots, RING_SLOT_FIELDS)];
}

function syncFields({ profile }: BootOptions): readonly string[] {
  if (profile.finishSync !== 'epoch') return [];
  return ['gathers.epoch', 'gathers.drained', 'gathers.open[0]', 'gathers.open[1]', 'gathers.alone'];
}

function levelFields({ profile, geometry }: BootOptions): readonly string[] {
  if (profile.nestedFinish !== 'level-counters') return [];
  return geometry.bits.map((_, level) => `cleared[${level}]`);
}

function ptlFields({ profile }: BootOptions): readonly string[] {
  return profile.splitPtl ? [] : ['ptl'];
}

/** Names of an mm's words, in order. */
export function mmDesignFields(options: BootOptions): readonly string[] {
  return [...ringFields(options), ...syncFields(options), ...levelFields(options), ...ptlFields(options)];
}

/** Names of a table's words, in order. */
export function tableDesignFields({ profile }: BootOptions): readonly string[] {
  return profile.deferral === 'queue' ? repeated('pending', profile.queueRecords, QUEUE_RECORD_FIELDS) : [];
}

/** Where all of them stand. */
export function designWords(options: BootOptions): DesignWords {
  const ring = Mm.words - 1 + options.backend.mmContextFields.length;
  const sync = ring + ringFields(options).length;
  const levels = sync + syncFields(options).length;
  const ptl = levels + levelFields(options).length;
  return { ring, sync, levels, ptl, queue: tableFields(options.geometry).length };
}
