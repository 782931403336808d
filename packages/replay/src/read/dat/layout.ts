/**
 * Layouts: where an event's fields are, as the recording kernel's own format file says.
 *
 *     field:unsigned long address;	offset:8;	size:8;	signed:0;
 */

/** A field of an event. */
export interface Field {
  readonly name: string;
  /** Its type as C has it, without the name. */
  readonly type: string;
  readonly offset: number;
  readonly size: number;
  readonly signed: boolean;
  /** `__data_loc`: the field says where the value is: its length in the upper half, its offset in the lower. */
  readonly elsewhere: boolean;
}

/** An event as its kernel writes it. */
export interface Layout {
  readonly id: number;
  readonly name: string;
  readonly fields: ReadonlyMap<string, Field>;
  /** Names of values, of fields that the kernel prints by name: `{ 3, "local MM shootdown" }`. */
  readonly symbols: readonly (readonly [value: number, name: string])[];
}

const FIELD = /^\s*field:([^;]*?)([\w]+)\s*(\[[^\]]*\])?;\s*offset:(\d+);\s*size:(\d+);(?:\s*signed:(\d);)?/gm;
const SYMBOL = /\{\s*(0x[0-9a-fA-F]+|\d+)\s*,\s*"([^"]*)"\s*\}/g;

/** Fields of a format file, whether of an event or of a page. */
export function fieldsIn(text: string): ReadonlyMap<string, Field> {
  const fields = new Map<string, Field>();
  for (const [, type = '', name = '', , offset, size, signed] of text.matchAll(FIELD)) {
    const elsewhere = type.startsWith('__data_loc');
    fields.set(name, {
      name,
      type: type.trim(),
      offset: Number(offset),
      size: Number(size),
      signed: signed === '1',
      elsewhere,
    });
  }
  return fields;
}

/** Reads a format file; null if it is none. */
export function layoutOf(format: string): Layout | null {
  const name = /^name:\s*(\S+)/m.exec(format)?.[1];
  const id = /^ID:\s*(\d+)/m.exec(format)?.[1];
  if (name === undefined || id === undefined) return null;
  const print = format.indexOf('print fmt:');
  const symbols = print < 0 ? [] : [...format.slice(print).matchAll(SYMBOL)].map(symbolOf);
  return { id: Number(id), name, fields: fieldsIn(format), symbols };
}

function symbolOf([, value, name]: RegExpMatchArray): readonly [number, string] {
  return [Number(value), name!];
}
