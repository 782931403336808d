/**
 * Reads isla's TOML.
 *
 *     arch = "AArch64"
 *     name = "MP"
 *     symbolic = ["x", "y"]
 *     page_table_setup = """ physical pa1; x |-> pa1; y |-> invalid; *pa1 = 1; """      (page-table-setup.ts)
 *     [thread.0]
 *     init = { X1 = "x" }                      or [thread.0.init] or [thread.0.reset]
 *     code = """ LDR X0,[X1] """
 *     [section.thread0_el1_handler]            what thread 0 does after a fault
 *     code = """ MOV X2,#1 ... ERET """
 *     [locations]                              first values
 *     x = "1"
 *     [final]
 *     assertion = "0:X0 = 1 & ~(*x = 2)"
 *
 *     value      ::=  number | x | pa1 | L0: | extz(value, bits) | page(x) | pte3(x, page_table_base) | desc3(x, page_table_base)
 *                  |  mkdesc3(oa=pa1) | bvxor(value, value) | bvor(value, value)
 *     assertion  ::=  assertion | assertion  |  assertion & assertion  |  ~assertion  |  (assertion)  |  true
 *                  |  0:X0 = value | 0:X0 ~ value | *x = value
 *
 * `expect` is not read: it is what isla's tests are made with, and no verdict.
 */
import { parse, TomlError } from 'smol-toml';
import { AARCH64 } from './aarch64.ts';
import type { Item, Proposition } from './condition.ts';
import { LitmusError, Unsupported } from './errors.ts';
import type { Instruction } from './instruction.ts';
import { type PageTables, parsePageTables } from './page-table-setup.ts';
import { Tokens } from './scan.ts';
import { readCode } from './table.ts';
import type { LitmusTest, Thread } from './test.ts';
import { compute, defaultEntry, entryOf, type Value } from './values.ts';

/** Is this a test in isla's TOML? */
export function isIsla(file: string, text: string): boolean {
  return file.endsWith('.toml') || /^\s*arch\s*=\s*"/.test(text);
}

/** Reads a test in isla's TOML. */
export function readIsla(file: string, source: string): LitmusTest {
  return new Reader(file, source).test();
}

type Table = Readonly<Record<string, unknown>>;

/** Registers of a CPU's state that say nothing here. */
const IGNORED = /^(?:PSTATE\.SP|VBAR_EL[12]|TTBR0_EL1|SP_EL[0-3]|SCTLR_EL1|TCR_EL1|MAIR_EL1)$/;

class Reader {
  readonly #file: string;
  readonly #source: string;
  readonly #toml: Table;
  readonly #pages: PageTables | undefined;

  constructor(file: string, source: string) {
    this.#file = file;
    this.#source = source;
    try {
      this.#toml = parse(source);
    } catch (error) {
      if (!(error instanceof TomlError)) throw error;
      throw new LitmusError(
        file,
        error.line,
        `no TOML: ${error.message.split('\n')[0]!.replace(/^Invalid TOML document: /, '')}`,
      );
    }
    const setup = this.#text(this.#toml, 'page_table_setup');
    this.#pages =
      setup === undefined
        ? undefined
        : parsePageTables(new Tokens(file, setup.replaceAll(/(?:#|\/\/)[^\n]*/g, ''), this.#lineOf(setup)));
  }

  test(): LitmusTest {
    const arch = this.#text(this.#toml, 'arch');
    if (arch !== 'AArch64') throw new Unsupported(this.#file, 1, `arch '${arch ?? ''}'`);
    const name = this.#text(this.#toml, 'name');
    if (name === undefined) throw new LitmusError(this.#file, 1, "there is no 'name'");
    const memory = new Map<string, Value>();
    for (const location of this.#symbolic()) memory.set(location, 0n);
    if (this.#pages !== undefined) {
      for (const [location, value] of this.#pages.memory) memory.set(location, value);
      for (const [location, entry] of this.#pages.entries) memory.set(entryOf(location), entry);
    }
    const locations = this.#table(this.#toml, 'locations') ?? {};
    for (const [location, value] of Object.entries(locations))
      memory.set(location.replace(/^\*/, ''), this.#value(String(value)));
    const registers = new Map<string, Value>();
    const threads = this.#threads(registers);
    const final = this.#table(this.#toml, 'final');
    const assertion = final === undefined ? undefined : this.#text(final, 'assertion');
    if (assertion === undefined) throw new LitmusError(this.#file, 0, "there is no 'assertion' in [final]");
    const tokens = new Tokens(this.#file, assertion, this.#lineOf(assertion));
    const proposition = this.#or(tokens);
    if (!tokens.ended) tokens.fail('expected the end of the assertion');
    return {
      file: this.#file,
      name,
      language: 'AArch64',
      vmsa: this.#pages !== undefined,
      memory,
      registers,
      arrays: new Map(),
      threads,
      ets2: false,
      faults: 'fatal',
      condition: { quantifier: 'exists', proposition },
      shown: [],
      filter: undefined,
    };
  }

  // ---- TOML ----

  #text(table: Table, key: string): string | undefined {
    const value = table[key];
    if (value === undefined || typeof value === 'string') return value;
    throw new LitmusError(this.#file, 0, `'${key}' must be a text`);
  }

  #table(table: Table, key: string): Table | undefined {
    const value = table[key];
    if (value === undefined) return undefined;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Table;
    throw new LitmusError(this.#file, 0, `'${key}' must be a table`);
  }

  #symbolic(): string[] {
    const value = this.#toml['symbolic'] ?? [];
    if (Array.isArray(value) && value.every((name) => typeof name === 'string')) return value;
    throw new LitmusError(this.#file, 0, "'symbolic' must be a list of names");
  }

  /** The line where a text of the file begins. */
  #lineOf(text: string): number {
    const at = this.#source.indexOf(text.split('\n').find((line) => line.trim() !== '') ?? text);
    return at < 0 ? 1 : this.#source.slice(0, at).split('\n').length - (text.startsWith('\n') ? 1 : 0);
  }

  #threads(registers: Map<string, Value>): Thread[] {
    const threads = this.#table(this.#toml, 'thread') ?? {};
    const numbers = Object.keys(threads).toSorted((a, b) => Number(a) - Number(b));
    return numbers.map((key, number) => {
      if (Number(key) !== number) throw new LitmusError(this.#file, 0, `thread ${number} is missing`);
      const thread = this.#table(threads, key)!;
      const code = this.#code(thread, `thread ${key}`);
      const state = { ...this.#table(thread, 'init'), ...this.#table(thread, 'reset') };
      let user = false;
      for (const [name, value] of Object.entries(state)) {
        if (name === 'PSTATE.EL') user = this.#value(String(value)) === 0n;
        else if (/^[XRW](?:\d|[12]\d|30)$/.test(name))
          registers.set(`${key}:X${name.slice(1)}`, this.#value(String(value), number));
        else if (!IGNORED.test(name)) throw new Unsupported(this.#file, 0, `register '${name}' of thread ${key}`);
      }
      const handler = this.#handler(key);
      return { code, statements: [], parameters: [], handler, user, accessFlag: false, dirty: false };
    });
  }

  #handler(thread: string): readonly Instruction[] | undefined {
    const sections = this.#table(this.#toml, 'section') ?? {};
    const names = Object.keys(sections).filter((name) => name.startsWith(`thread${thread}_`));
    if (names.length > 1) throw new Unsupported(this.#file, 0, `more than one handler of thread ${thread}`);
    const section = names[0] === undefined ? undefined : this.#table(sections, names[0]);
    return section === undefined ? undefined : this.#code(section, names[0]!);
  }

  #code(table: Table, what: string): Instruction[] {
    const code = this.#text(table, 'code');
    if (code === undefined) throw new LitmusError(this.#file, 0, `${what} has no 'code'`);
    const first = this.#lineOf(code);
    const lines = code
      .split('\n')
      .map((text, i) => ({ text: text.replace(/(?:\/\/|;).*$/, '').trim(), line: first + i }));
    return readCode(this.#file, lines, AARCH64);
  }

  // ---- values ----

  #value(text: string, thread = 0): Value {
    const label = /^\s*(\w+):\s*$/.exec(text);
    if (label !== null) return { kind: 'label', thread, name: label[1]! };
    const tokens = new Tokens(this.#file, binary(text), this.#lineOf(text));
    const value = this.#expression(tokens);
    if (!tokens.ended) tokens.fail(`'${text}': expected the end of the value`);
    return value;
  }

  #expression(tokens: Tokens): Value {
    if (tokens.peek().kind === 'number' || tokens.at('-')) return BigInt.asUintN(64, tokens.number());
    const { line } = tokens;
    const name = tokens.name('a value');
    if (!tokens.accept('(')) {
      if (this.#pages?.physical.has(name) === true)
        throw new Unsupported(this.#file, line, `the address of physical '${name}' in a register`);
      return { kind: 'address', of: name, offset: 0 };
    }
    const value = this.#call(name, tokens, line);
    tokens.expect(')');
    return value;
  }

  #call(name: string, tokens: Tokens, line: number): Value {
    switch (name) {
      case 'extz': {
        const value = this.#expression(tokens);
        tokens.expect(',');
        tokens.number();
        return value;
      }
      case 'page':
        return { kind: 'page', of: tokens.name('a virtual address'), offset: 0 };
      case 'pte3':
      case 'desc3': {
        const of = tokens.name('a virtual address');
        tokens.expect(',');
        if (tokens.name('page_table_base') !== 'page_table_base')
          throw new Unsupported(this.#file, line, 'another page table than page_table_base');
        return name === 'pte3'
          ? { kind: 'address', of: entryOf(of), offset: 0 }
          : (this.#pages?.entries.get(of) ?? defaultEntry(of));
      }
      case 'mkdesc3':
        if (tokens.name("'oa'") !== 'oa') tokens.fail("expected 'oa'");
        tokens.expect('=');
        return defaultEntry(this.#physical(tokens));
      case 'bvxor':
      case 'bvor': {
        const a = this.#expression(tokens);
        tokens.expect(',');
        const b = this.#expression(tokens);
        const [entry, bits] = typeof a === 'bigint' ? [b, a] : [a, b];
        const value = compute(name === 'bvxor' ? 'xor' : 'or', entry, bits);
        if (value === undefined) throw new Unsupported(this.#file, line, `${name} of these values`);
        return value;
      }
      default:
        throw new Unsupported(this.#file, line, `function '${name}'`);
    }
  }

  #physical(tokens: Tokens): string {
    const { line } = tokens;
    const name = tokens.name('a physical address');
    const home = this.#pages?.physical.get(name);
    if (home === undefined) throw new LitmusError(this.#file, line, `'${name}' is not declared as physical`);
    return home;
  }

  // ---- the assertion ----

  #or(tokens: Tokens): Proposition {
    const parts = [this.#and(tokens)];
    while (tokens.accept('|')) parts.push(this.#and(tokens));
    return parts.length === 1 ? parts[0]! : { kind: 'or', parts };
  }

  #and(tokens: Tokens, depth = 0): Proposition {
    const parts = [this.#not(tokens, depth)];
    while (tokens.accept('&')) parts.push(this.#not(tokens, depth));
    return parts.length === 1 ? parts[0]! : { kind: 'and', parts };
  }

  #not(tokens: Tokens, depth: number): Proposition {
    if (depth > 100) tokens.fail('this assertion is nested too deeply');
    if (tokens.accept('~')) return { kind: 'not', part: this.#not(tokens, depth + 1) };
    if (tokens.accept('true')) return { kind: 'constant', value: true };
    if (tokens.accept('false')) return { kind: 'constant', value: false };
    if (!tokens.accept('(')) return this.#atom(tokens);
    const inner = this.#or(tokens);
    tokens.expect(')');
    return inner;
  }

  #atom(tokens: Tokens): Proposition {
    const item = this.#item(tokens);
    const unequal = tokens.accept('~') || tokens.accept('!=');
    if (!unequal) tokens.expect('=');
    const equal: Proposition = { kind: 'equal', item, value: this.#expression(tokens) };
    return unequal ? { kind: 'not', part: equal } : equal;
  }

  #item(tokens: Tokens): Item {
    if (tokens.accept('*')) {
      const name = tokens.name('a location');
      return { kind: 'location', name: this.#pages?.physical.get(name) ?? this.#pages?.entries.get(name)?.oa ?? name };
    }
    const thread = Number(tokens.number());
    tokens.expect(':');
    const register = tokens.name('a register');
    const match = /^[XRW](\d+)$/.exec(register);
    if (match === null) throw new Unsupported(this.#file, tokens.line, `register '${register}' in an assertion`);
    return { kind: 'register', thread, name: `X${match[1]}` };
  }
}

/** Binary numbers in decimal. */
function binary(text: string): string {
  return text.replaceAll(/\b0b([01]+)\b/g, (_, digits: string) => `${BigInt(`0b${digits}`)}`);
}
