/**
 * Properties: what a violation means, in the words of the catalogue of bugs. An oracle is a check of the machine; a property is what users lose.
 */

/** Properties in the words of the bug catalogue. */
export type Property = 'SAC' | 'FUAF' | 'TUAF' | 'LOSTW' | 'WPX' | 'ALIAS' | 'MISS' | 'ORD' | 'LIVE';

/** Each property in one line. */
export const PROPERTIES: Readonly<Record<Property, string>> = {
  SAC: 'stale access: an operation that took a mapping away, or limited it, has returned, and the old translation is used',
  FUAF: 'use after free of a frame, through a cached translation',
  TUAF: 'use after free of a page table, by a walker in hardware or software',
  LOSTW: 'a store that succeeded is missing from memory or from the file',
  WPX: 'a write got through after its protection was relied on',
  ALIAS: 'one tag serves two address spaces, or one address space is live under two tags',
  MISS: 'an invalidation was reported complete, and an entry that it covers survives',
  ORD: 'an access that was translated before an invalidation takes effect after it was complete',
  LIVE: 'no progress: deadlock, livelock, or faults without end',
};

/** Which properties a violation of an oracle can be. What a scenario asserts itself may be any. */
export const SHOWN_BY: Readonly<Record<string, readonly Property[]>> = {
  O1: ['FUAF', 'SAC', 'MISS', 'ORD'],
  O1s: ['FUAF', 'MISS'],
  O2: ['SAC', 'WPX', 'MISS', 'ORD'],
  O3: ['LOSTW', 'WPX', 'MISS'],
  O4: ['TUAF', 'MISS'],
  O5: ['TUAF'],
  O6: ['SAC', 'LOSTW', 'MISS', 'ALIAS'],
  O7: ['SAC', 'FUAF', 'MISS'],
  O8: ['ALIAS'],
  O9: ['SAC', 'FUAF', 'LOSTW', 'WPX', 'MISS'],
  O10: ['SAC', 'MISS', 'ORD'],
  O11: ['MISS', 'FUAF'],
  O12: ['MISS', 'SAC'],
  O13: ['LOSTW', 'WPX'],
  O14: ['SAC', 'MISS', 'TUAF'],
  O15: ['SAC', 'FUAF', 'MISS', 'ALIAS'],
  O16: ['LIVE', 'MISS'],
  O17: ['LIVE', 'LOSTW', 'FUAF', 'TUAF', 'WPX', 'SAC', 'ORD'],
  deadlock: ['LIVE'],
  livelock: ['LIVE'],
};
