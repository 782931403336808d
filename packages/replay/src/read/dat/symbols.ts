/**
 * Symbols: the kernel's function at an address, from the kallsyms of the recording machine.
 *
 * They are some hundred thousand, of which a recording needs a few; they are only looked at once the first is asked for.
 */

const NEW_LINE = 10;
const SPACE = 32;
const WORD = 2 ** 32;

/** Looks up addresses. */
export class Symbols {
  readonly #text: Buffer | null;
  /** Addresses in order, and where in the text their names are. */
  #table: { addresses: Float64Array; names: Float64Array } | null = null;
  readonly #known = new Map<number, string>();
  readonly #places = new Map<number, string>();

  constructor(text: Buffer | null) {
    this.#text = text;
  }

  /** `name`, as `%ps` prints it; the address itself if no function is known there. */
  name(address: number): string {
    let name = this.#known.get(address);
    if (name === undefined) this.#known.set(address, (name = this.#find(address)?.name ?? hexadecimal(address)));
    return name;
  }

  /** `name+0x1/0x20`, as `%pS` prints it. */
  place(address: number): string {
    let place = this.#places.get(address);
    if (place === undefined) this.#places.set(address, (place = this.#placeOf(address)));
    return place;
  }

  #placeOf(address: number): string {
    const found = this.#find(address);
    if (found === null) return hexadecimal(address);
    const size = found.next - found.start;
    return `${found.name}+0x${(address - found.start).toString(16)}/0x${size.toString(16)}`;
  }

  #find(address: number): { name: string; start: number; next: number } | null {
    // Functions are in the upper half.
    if (this.#text === null || address >= 0) return null;
    this.#table ??= tableOf(this.#text);
    const { addresses, names } = this.#table;
    let low = 0;
    let high = addresses.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (addresses[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    let at = low - 1;
    if (at < 0) return null;
    while (at > 0 && addresses[at - 1] === addresses[at]) at--;
    const start = names[at]!;
    let end = this.#text.indexOf(NEW_LINE, start);
    if (end < 0) end = this.#text.length;
    const name = this.#text.toString('latin1', start, end).replace('\t', ' ');
    return { name, start: addresses[at]!, next: addresses[low] ?? addresses[at]! };
  }
}

/** `ffffffff81000000 T _text`, one a line. Lines of another form are left out. */
function tableOf(text: Buffer): { addresses: Float64Array; names: Float64Array } {
  const found: { address: number; name: number }[] = [];
  let sorted = true;
  let last = -Infinity;
  for (let at = 0; at < text.length; ) {
    let end = text.indexOf(NEW_LINE, at);
    if (end < 0) end = text.length;
    const name = at + 19;
    if (end > name && text[at + 16] === SPACE) {
      const address = addressAt(text, at);
      if (!Number.isNaN(address)) {
        found.push({ address, name });
        if (address < last) sorted = false;
        last = address;
      }
    }
    at = end + 1;
  }
  if (!sorted) found.sort((a, b) => a.address - b.address || a.name - b.name);
  return {
    addresses: Float64Array.from(found, ({ address }) => address),
    names: Float64Array.from(found, ({ name }) => name),
  };
}

/** Sixteen hexadecimal digits, as a signed number. */
function addressAt(text: Buffer, at: number): number {
  let high = 0;
  let low = 0;
  for (let i = 0; i < 16; i++) {
    const code = text[at + i]!;
    const digit = code <= 57 ? code - 48 : (code | 32) - 87;
    if (digit < 0 || digit > 15) return NaN;
    if (i < 8) high = (high << 4) | digit;
    else low = (low << 4) | digit;
  }
  return high * WORD + (low >>> 0);
}

/** An address as the kernel prints it. */
export function hexadecimal(address: number): string {
  return address >= 0 ? `0x${address.toString(16)}` : `0x${BigInt.asUintN(64, BigInt(address)).toString(16)}`;
}
