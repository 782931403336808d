/**
 * Reads isla's page_table_setup, as far as leaf entries of one table go.
 *
 *     physical pa1 pa2;                   pages of memory
 *     virtual x y;                        (nothing to do: every symbolic location is one)
 *     intermediate ipa1;                  pages of the first stage: `ipa1 |-> pa1` says which page of memory each is
 *     x |-> pa1;                          x's entry, with [AF = 0b0, AP = 0b11, ...] behind it
 *     x |-> invalid;                      ... perhaps with `at level 3`
 *     x ?-> pa2;                          what the entry may become: nothing to do
 *     *pa1 = 1;                           first value
 *     identity 0x1000 with code;          (nothing to do)
 *
 * Entries of other levels, tables with names and options are not supported.
 */
import { Unsupported } from './errors.ts';
import type { Tokens } from './scan.ts';
import { defaultEntry, type EntryValue, type Value } from './values.ts';

/** Page tables of a test. */
export interface PageTables {
  /** Names of pages, and the page of memory that each is. */
  readonly physical: ReadonlyMap<string, string>;
  /** First entries of virtual addresses. */
  readonly entries: ReadonlyMap<string, EntryValue>;
  /** First values of pages. */
  readonly memory: ReadonlyMap<string, Value>;
}

/** Reads the setup. */
export function parsePageTables(tokens: Tokens): PageTables {
  const setup = new Setup(tokens);
  while (!tokens.ended) setup.statement();
  return setup;
}

class Setup implements PageTables {
  readonly physical = new Map<string, string>();
  readonly entries = new Map<string, EntryValue>();
  readonly memory = new Map<string, Value>();
  readonly #intermediate = new Set<string>();
  readonly #tokens: Tokens;

  constructor(tokens: Tokens) {
    this.#tokens = tokens;
  }

  statement(): void {
    const tokens = this.#tokens;
    if (tokens.accept(';')) return;
    if (tokens.accept('*')) this.#firstValue();
    else if (tokens.accept('identity')) while (!tokens.at(';') && !tokens.ended) tokens.take();
    else if (tokens.accept('physical')) {
      for (const name of this.#names()) {
        this.physical.set(name, name);
        this.memory.set(name, 0n);
      }
    } else if (tokens.accept('virtual')) this.#names();
    else if (tokens.accept('intermediate')) for (const name of this.#names()) this.#intermediate.add(name);
    else if (/^(?:s1table|s2table|option|aligned|assert)$/.test(tokens.peek().text))
      this.#unsupported(`'${tokens.peek().text}'`);
    else this.#mapping();
    if (!tokens.ended) tokens.expect(';');
  }

  #names(): string[] {
    const names: string[] = [];
    while (this.#tokens.peek().kind === 'name') {
      names.push(this.#tokens.take().text);
      this.#tokens.accept(',');
    }
    return names;
  }

  #firstValue(): void {
    const tokens = this.#tokens;
    const name = tokens.name('a page');
    tokens.expect('=');
    const page = this.physical.get(name) ?? this.entries.get(name)?.oa;
    if (page === undefined) tokens.fail(`'${name}' is not declared as physical; before`);
    this.memory.set(page!, BigInt.asUintN(64, tokens.number()));
  }

  #mapping(): void {
    const tokens = this.#tokens;
    const from = tokens.name('a mapping such as x |-> pa1');
    const variant = tokens.accept('?');
    if (!variant) tokens.expect('|');
    tokens.expect('->');
    const to = tokens.name('a page');
    if (tokens.at('(')) this.#unsupported(`a mapping to '${to}'`);
    const flags = this.#flags();
    if (tokens.accept('at')) {
      tokens.expect('level');
      if (tokens.number() !== 3n) this.#unsupported('a mapping at another level than 3');
    }
    if (variant) return;
    const page = this.physical.get(to);
    if (this.#intermediate.has(from)) {
      if (page === undefined) this.#unsupported(`a second stage to '${to}'`);
      this.physical.set(from, page);
      return;
    }
    if (to === 'invalid') this.entries.set(from, { ...(this.entries.get(from) ?? defaultEntry(from)), valid: 0 });
    else if (page === undefined) tokens.fail(`'${to}' is not declared as physical; before`);
    else this.entries.set(from, { ...defaultEntry(page), ...flags });
  }

  /** `with [AF = 0b0, AP = 0b11]`: AP[1] says whether user code may, AP[2] whether stores may not. */
  #flags(): Partial<EntryValue> {
    const tokens = this.#tokens;
    if (!tokens.accept('with')) return {};
    if (tokens.accept('default') || tokens.accept('code')) return {};
    const flags: { -readonly [K in keyof EntryValue]?: EntryValue[K] } = {};
    tokens.expect('[');
    do {
      const name = tokens.name('an attribute');
      tokens.expect('=');
      const value = this.#binary();
      if (name === 'AF') flags.af = value;
      else if (name === 'AP') {
        flags.el0 = value & 1;
        flags.db = 1 - (value >> 1);
      } else if (name === 'DBM') flags.dbm = value;
      else if (name !== 'SH' && name !== 'Attr' && name !== 'nG') this.#unsupported(`attribute '${name}'`);
    } while (tokens.accept(','));
    tokens.expect(']');
    return flags;
  }

  /** `0b01`, which comes as the number 0 and the name b01. */
  #binary(): number {
    const value = this.#tokens.number();
    const digits = /^b([01]+)$/.exec(this.#tokens.peek().text)?.[1];
    if (value !== 0n || digits === undefined) return Number(value);
    this.#tokens.take();
    return Number.parseInt(digits, 2);
  }

  #unsupported(what: string): never {
    throw new Unsupported(this.#tokens.file, this.#tokens.line, `${what} in page_table_setup`);
  }
}
