/**
 * Reads what stands at the end of a test: `locations [...]`, `filter P`, and the condition (condition.ts has its grammar).
 */
import type { Condition, FaultPattern, Item, Proposition } from './condition.ts';
import { Unsupported } from './errors.ts';
import type { Tokens } from './scan.ts';
import type { Shown } from './test.ts';
import { locationName, parseValue } from './value-syntax.ts';
import type { Value } from './values.ts';

/** What stands there. */
export interface Question {
  readonly condition: Condition;
  readonly shown: readonly Shown[];
  readonly filter: Proposition | undefined;
}

/** How a language writes registers. */
export type RegisterName = (name: string) => string;

/** Reads the end of a test. */
export function parseQuestion(tokens: Tokens, register: RegisterName): Question {
  const shown: Shown[] = [];
  let filter: Proposition | undefined;
  for (;;) {
    if (tokens.accept('locations')) shown.push(...parseShown(tokens, register));
    else if (tokens.accept('filter')) filter = new Reader(tokens, register).proposition();
    else break;
  }
  // herd7 takes a test without a condition for one that always holds.
  if (tokens.ended && shown.length > 0)
    return { condition: { quantifier: 'forall', proposition: { kind: 'constant', value: true } }, shown, filter };
  const quantifier = parseQuantifier(tokens);
  const proposition = new Reader(tokens, register).proposition();
  tokens.accept(';');
  if (!tokens.ended && !tokens.at('locations')) tokens.fail('expected the end of the condition');
  while (tokens.accept('locations')) shown.push(...parseShown(tokens, register));
  return { condition: { quantifier, proposition }, shown, filter };
}

function parseQuantifier(tokens: Tokens): Condition['quantifier'] {
  if (tokens.accept('exists')) return 'exists';
  if (tokens.accept('forall')) return 'forall';
  if (tokens.accept('~')) {
    tokens.expect('exists');
    return '~exists';
  }
  if (tokens.at('final') || tokens.at('with') || tokens.at('observed'))
    throw new Unsupported(tokens.file, tokens.line, `a condition that begins with '${tokens.peek().text}'`);
  return tokens.fail("expected 'exists', '~exists' or 'forall'");
}

function parseShown(tokens: Tokens, register: RegisterName): Shown[] {
  const shown: Shown[] = [];
  const reader = new Reader(tokens, register);
  tokens.expect('[');
  while (!tokens.accept(']')) {
    if (/^fault$/i.test(tokens.peek().text)) shown.push({ fault: reader.fault() });
    else shown.push({ item: reader.item() });
    if (!tokens.accept(';') && !tokens.at(']')) tokens.fail("expected ';' or ']'");
  }
  tokens.accept(';');
  return shown;
}

/** Reads propositions. */
class Reader {
  readonly #tokens: Tokens;
  readonly #register: RegisterName;
  #depth = 0;

  constructor(tokens: Tokens, register: RegisterName) {
    this.#tokens = tokens;
    this.#register = register;
  }

  proposition(): Proposition {
    const left = this.#many('\\/', () => this.#many('/\\', () => this.#negation()));
    if (!this.#tokens.accept('=>')) return left;
    return { kind: 'or', parts: [{ kind: 'not', part: left }, this.proposition()] };
  }

  #many(sign: string, part: () => Proposition): Proposition {
    const parts = [part()];
    while (this.#tokens.accept(sign)) parts.push(part());
    return parts.length === 1 ? parts[0]! : { kind: sign === '/\\' ? 'and' : 'or', parts };
  }

  #negation(): Proposition {
    const tokens = this.#tokens;
    if (++this.#depth > 200) tokens.fail('this condition is nested too deeply');
    try {
      if (tokens.accept('~') || tokens.accept('not')) return { kind: 'not', part: this.#negation() };
      if (tokens.accept('(')) {
        const inner = this.proposition();
        tokens.expect(')');
        return inner;
      }
      if (tokens.accept('true')) return { kind: 'constant', value: true };
      if (tokens.accept('false')) return { kind: 'constant', value: false };
      if (/^fault$/i.test(tokens.peek().text)) return { kind: 'fault', fault: this.fault() };
      return this.#equality();
    } finally {
      this.#depth--;
    }
  }

  #equality(): Proposition {
    const tokens = this.#tokens;
    const item = this.item();
    const unequal = tokens.accept('!=') || tokens.accept('<>');
    if (!unequal && !tokens.accept('==')) tokens.expect('=');
    const home = item.kind === 'location' ? /^PTE\((.*)\)$/.exec(item.name)?.[1] : undefined;
    let value: Value = parseValue(tokens, home);
    if (typeof value === 'bigint') value = BigInt.asUintN(64, value);
    const equal: Proposition = { kind: 'equal', item, value };
    return unequal ? { kind: 'not', part: equal } : equal;
  }

  item(): Item {
    const tokens = this.#tokens;
    if (tokens.accept('[')) {
      const name = locationName(tokens);
      tokens.expect(']');
      return { kind: 'location', name };
    }
    const thread = this.#thread();
    if (thread === undefined) return { kind: 'location', name: locationName(tokens) };
    tokens.expect(':');
    tokens.accept('%');
    return { kind: 'register', thread, name: this.#register(tokens.name('a register')) };
  }

  /** `0` or `P0`, if a `:` follows. */
  #thread(): number | undefined {
    const tokens = this.#tokens;
    const { kind, text } = tokens.peek();
    const match = kind === 'number' || kind === 'name' ? /^P?(\d+)$/.exec(text) : null;
    if (match === null || tokens.peek(1).text !== ':') return undefined;
    tokens.take();
    return Number(match[1]);
  }

  /** `fault(P0:L0, x, MMU:Translation)`. */
  fault(): FaultPattern {
    const tokens = this.#tokens;
    tokens.take();
    tokens.expect('(');
    const match = /^P?(\d+)$/.exec(tokens.peek().text);
    if (match === null) return tokens.fail('expected a thread such as P0');
    tokens.take();
    const thread = Number(match[1]);
    const label = tokens.accept(':') ? tokens.name('a label') : undefined;
    let location: string | undefined;
    let type: string | undefined;
    while (tokens.accept(',')) {
      if (tokens.accept('MMU')) {
        tokens.expect(':');
        type = tokens.name('a kind of fault');
      } else location = locationName(tokens);
    }
    tokens.expect(')');
    return {
      thread,
      ...(label !== undefined && { label }),
      ...(location !== undefined && { location }),
      ...(type !== undefined && { type }),
    };
  }
}
