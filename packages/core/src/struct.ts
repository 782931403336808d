/**
 * Structs of the arena: what C keeps in `struct mm_struct` is a run of cells here, and a pointer is a number.
 *
 * A handle is an address with the cells of its fields. It is immutable and a pure function of the address, so any CPU
 * (or worker thread) can make one; nothing that CPUs share lives in a JavaScript object.
 */

/** The address of one word of shared memory. Only the port can read or write it. */
export type Cell = number;

/** The address of a struct: of its first cell. `0` is the null pointer. */
export type Address = number;

/** What every handle has. */
export interface Handle {
  /** The address that stands for this struct in cells and in arguments of interrupts. */
  readonly address: Address;
}

/** A struct type: its name, its fields in order, and its handles by address. */
export interface Struct<H extends Handle> {
  /** Name in messages and diagrams. */
  readonly name: string;
  /** Field names in order, one word each. */
  readonly fields: readonly string[];
  /** Number of words. */
  readonly words: number;
  /** The handle for the struct at an address. */
  at(address: Address): H;
}

/** Defines a struct type with one word per field. */
export function struct<H extends Handle>(
  name: string,
  fields: readonly (Exclude<keyof H, 'address'> & string)[],
): Struct<H> {
  // Made from entries all handles of a type have one shape; stored one by one, more than a dozen fields become a table to look up in.
  const make = (address: Address): H => {
    const cells = fields.map((field, i): [string, Cell] => [field, address + i]);
    return Object.fromEntries([['address', address], ...cells]) as unknown as H;
  };
  const handles = new Map<Address, H>();
  // Asked for again and again: the mm of one operation.
  let last = make(0);
  return {
    name,
    fields,
    words: fields.length,
    at(address) {
      if (last.address === address) return last;
      let handle = handles.get(address);
      if (handle === undefined) handles.set(address, (handle = make(address)));
      return (last = handle);
    },
  };
}
