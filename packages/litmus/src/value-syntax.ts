/**
 * Values as litmus files write them.
 *
 *     value  ::=  number | location | &location | pte_x | PTE(x) | entry | label:"P1:L1"
 *     entry  ::=  ( field, ... )      field ::= oa:phy_x | oa:PA(x) | valid:0 | af:0 | db:0 | dbm:1 | el0:0 | attrs:(...)
 *
 * `pte_x` is another name of `PTE(x)`, and `phy_x` of `PA(x)`.
 */
import { Unsupported } from './errors.ts';
import type { Tokens } from './scan.ts';
import { defaultEntry, type EntryValue, entryOf, type Value } from './values.ts';

/** A location or an entry's cell, by the names that files use for it. */
export function locationName(tokens: Tokens): string {
  const name = tokens.name('a location');
  if (/^(PTE|TTD)$/.test(name) && tokens.accept('(')) {
    const of = tokens.name('a location');
    tokens.expect(')');
    return entryOf(of);
  }
  if (name.startsWith('pte_')) return entryOf(name.slice(4));
  if (tokens.at('[') && tokens.peek(1).kind === 'number' && tokens.peek(2).text === ']') {
    tokens.take();
    const index = tokens.number();
    tokens.expect(']');
    return index === 0n ? name : `${name}[${index}]`;
  }
  return name;
}

/** A value. @param home the location whose entry an entry without `oa` belongs to */
export function parseValue(tokens: Tokens, home: string | undefined): Value {
  tokens.accept('&');
  const token = tokens.peek();
  if (token.kind === 'number' || tokens.at('-')) return BigInt.asUintN(64, tokens.number());
  if (tokens.at('(')) return parseEntry(tokens, home);
  if (tokens.at('label') || (token.kind === 'name' && /^P\d+$/.test(token.text) && tokens.peek(1).text === ':'))
    return parseLabel(tokens);
  if (token.kind !== 'name') tokens.fail('expected a value');
  if (token.text === 'instr' && tokens.peek(1).text === ':')
    throw new Unsupported(tokens.file, token.line, 'an instruction as a value');
  const of = locationName(tokens);
  return { kind: 'address', of, offset: 0 };
}

function parseLabel(tokens: Tokens): Value {
  let text = '';
  if (tokens.accept('label')) {
    tokens.expect(':');
    if (tokens.peek().kind !== 'text') tokens.fail('expected a label such as "P0:L0"');
    text = tokens.take().text;
  } else {
    text = tokens.take().text;
    tokens.expect(':');
    text += `:${tokens.name('a label')}`;
  }
  const match = /^P?(\d+):(\w+)$/.exec(text);
  if (match === null) tokens.fail(`'${text}' is no label such as "P0:L0"`);
  return { kind: 'label', thread: Number(match[1]), name: match[2]! };
}

function parseEntry(tokens: Tokens, home: string | undefined): EntryValue {
  const line = tokens.line;
  tokens.expect('(');
  const entry: { -readonly [K in keyof EntryValue]: EntryValue[K] } = { ...defaultEntry(home ?? '') };
  do {
    const field = tokens.name('a field of an entry');
    tokens.expect(':');
    if (field === 'oa') {
      entry.oa = physical(tokens);
    } else if (field === 'valid' || field === 'af' || field === 'db' || field === 'dbm' || field === 'el0') {
      const value = tokens.number();
      if (value !== 0n && value !== 1n) tokens.fail(`${field} is 0 or 1`);
      entry[field] = Number(value);
    } else throw new Unsupported(tokens.file, line, `field '${field}' of a page-table entry`);
  } while (tokens.accept(','));
  tokens.expect(')');
  // One that is not valid needs none.
  if (entry.oa === '' && entry.valid === 1) tokens.fail('this entry needs an output address (oa:phy_x)');
  return entry;
}

function physical(tokens: Tokens): string {
  const name = tokens.name('a physical address');
  if (name === 'PA' && tokens.accept('(')) {
    const of = tokens.name('a location');
    tokens.expect(')');
    return of;
  }
  if (!name.startsWith('phy_')) tokens.fail(`'${name}' is no physical address such as phy_x or PA(x); after it`);
  return name.slice(4);
}
