/**
 * Values of an event's fields, read from its record as its layout says.
 */
import type { Field, Layout } from './layout.ts';

const WORD = 2 ** 32;

/** The record that is read. One object serves all: it is set, and then asked. */
export interface RecordBytes {
  view: DataView;
  /** Where the record begins. */
  at: number;
  /** Its bytes. */
  length: number;
}

/** Reads a number; NaN if the record is too short for it. 64-bit values are signed, see event.ts. */
export type NumberOf = (record: RecordBytes) => number;
/** Reads a text; '' if the record is too short for it. */
export type TextOf = (record: RecordBytes) => string;

/** A reader for the first of these fields that the event has; null if it has none. */
export function numberField(layout: Layout, little: boolean, ...names: readonly string[]): NumberOf | null {
  for (const name of names) {
    const field = layout.fields.get(name);
    if (field !== undefined && !field.elsewhere) return numberAt(field, little);
  }
  return null;
}

/** A reader for a field. */
export function numberAt({ offset, size, signed }: Field, little: boolean): NumberOf {
  const low = offset + (little ? 0 : 4);
  const high = offset + (little ? 4 : 0);
  switch (size) {
    case 8:
      return ({ view, at, length }) =>
        offset + 8 > length ? NaN : view.getInt32(at + high, little) * WORD + view.getUint32(at + low, little);
    case 4:
      return signed
        ? ({ view, at, length }) => (offset + 4 > length ? NaN : view.getInt32(at + offset, little))
        : ({ view, at, length }) => (offset + 4 > length ? NaN : view.getUint32(at + offset, little));
    case 2:
      return ({ view, at, length }) =>
        offset + 2 > length ? NaN : signed ? view.getInt16(at + offset, little) : view.getUint16(at + offset, little);
    case 1:
      return ({ view, at, length }) =>
        offset + 1 > length ? NaN : signed ? view.getInt8(at + offset) : view.getUint8(at + offset);
    default:
      return () => NaN;
  }
}

/** A reader for the text of a field: in it, or where it says. */
export function textField(layout: Layout, little: boolean, name: string): TextOf | null {
  const field = layout.fields.get(name);
  if (field === undefined) return null;
  const { offset, size } = field;
  if (!field.elsewhere) {
    // A size of 0 stands for a text up to the end of the record.
    return (record) => text(record, offset, size === 0 ? record.length - offset : size);
  }
  const where = numberAt({ ...field, size: 4, signed: false }, little);
  return (record) => {
    const place = where(record);
    return Number.isNaN(place) ? '' : text(record, place & 0xffff, place >>> 16);
  };
}

/** Bytes that a field says are elsewhere in the record, as numbers of 32 bits each. */
export function wordsField(layout: Layout, little: boolean, name: string): ((record: RecordBytes) => number[]) | null {
  const field = layout.fields.get(name);
  if (field?.elsewhere !== true) return null;
  const where = numberAt({ ...field, size: 4, signed: false }, little);
  return (record) => {
    const place = where(record);
    const from = place & 0xffff;
    const count = Number.isNaN(place) || from + (place >>> 16) > record.length ? 0 : (place >>> 16) >> 2;
    return Array.from({ length: count }, (_, word) => record.view.getUint32(record.at + from + 4 * word, little));
  };
}

function text({ view, at, length }: RecordBytes, from: number, size: number): string {
  const end = Math.min(from + size, length);
  if (from >= end) return '';
  const bytes = Buffer.from(view.buffer, view.byteOffset + at + from, end - from);
  const zero = bytes.indexOf(0);
  return bytes.toString('utf8', 0, zero < 0 ? bytes.length : zero);
}
