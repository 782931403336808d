/**
 * Reads the `{ ... }` that gives first values.
 *
 *     init  ::=  { item ; ... }
 *     item  ::=  [type] place [= value]
 *     place ::=  0:X1 | P0:X1 | x | [x] | x[3] | pte_x | PTE(x) | [PTE(x)] | *x
 */
import type { RegisterName } from './condition-syntax.ts';
import { Unsupported } from './errors.ts';
import type { Tokens } from './scan.ts';
import { locationName, parseValue } from './value-syntax.ts';
import { defaultEntry, type Value } from './values.ts';

/** First values. */
export interface Initial {
  readonly memory: Map<string, Value>;
  readonly registers: Map<string, Value>;
  /** Bytes of the elements of arrays, by location. */
  readonly arrays: Map<string, number>;
}

const TYPE =
  /^(?:u?int(?:8|16|32|64|128)?_t|int|char|short|long|unsigned|signed|pteval_t|volatile|const|struct|atomic_t|spinlock_t|intptr_t|uintptr_t)$/;
const BYTES: Readonly<Record<string, number>> = {
  int64_t: 8,
  uint64_t: 8,
  long: 8,
  int8_t: 1,
  char: 1,
  int16_t: 2,
  short: 2,
};

/** Reads it, braces and all. */
export function parseInit(tokens: Tokens, register: RegisterName): Initial {
  const initial: Initial = { memory: new Map(), registers: new Map(), arrays: new Map() };
  tokens.expect('{');
  while (!tokens.accept('}')) {
    if (tokens.accept(';')) continue;
    parseItem(tokens, register, initial);
    if (!tokens.at('}')) tokens.expect(';');
  }
  return initial;
}

function parseItem(tokens: Tokens, register: RegisterName, initial: Initial): void {
  let bytes = 4;
  while (tokens.peek().kind === 'name' && TYPE.test(tokens.peek().text)) bytes = BYTES[tokens.take().text] ?? bytes;
  if (tokens.peek().kind === 'name' && (tokens.peek(1).kind === 'name' || tokens.peek(1).text === '*'))
    throw new Unsupported(tokens.file, tokens.line, `type '${tokens.peek().text}'`);
  while (tokens.accept('*'));
  const thread = /^P?(\d+)$/.exec(tokens.peek().text);
  if (thread !== null && tokens.peek(1).text === ':') {
    tokens.take();
    tokens.take();
    tokens.accept('%');
    const name = `${thread[1]}:${register(tokens.name('a register'))}`;
    initial.registers.set(name, tokens.accept('=') ? parseValue(tokens, undefined) : 0n);
    return;
  }
  const bracket = tokens.accept('[');
  if (!bracket && tokens.peek().kind === 'name' && tokens.peek(1).text === '[') {
    parseArray(tokens, bytes, initial);
    return;
  }
  const name = locationName(tokens);
  if (bracket) tokens.expect(']');
  const home = /^PTE\((.*)\)$/.exec(name)?.[1];
  if (!tokens.accept('=')) initial.memory.set(name, home === undefined ? 0n : defaultEntry(home));
  else initial.memory.set(name, parseValue(tokens, home));
}

/** `x[3]={0,0,0}`, or `x[1]=2`. */
function parseArray(tokens: Tokens, bytes: number, initial: Initial): void {
  const name = tokens.name('a location');
  tokens.expect('[');
  const size = tokens.number();
  tokens.expect(']');
  initial.arrays.set(name, bytes);
  if (!tokens.accept('=')) return;
  if (!tokens.accept('{')) {
    initial.memory.set(size === 0n ? name : `${name}[${size}]`, parseValue(tokens, undefined));
    return;
  }
  for (let i = 0; !tokens.accept('}'); i++) {
    initial.memory.set(i === 0 ? name : `${name}[${i}]`, parseValue(tokens, undefined));
    if (!tokens.at('}')) tokens.expect(',');
  }
}
