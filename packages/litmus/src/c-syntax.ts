/**
 * C as herd's LKMM tests use it.
 *
 *     thread     ::=  Pn ( parameter, ... ) block
 *     block      ::=  { statement ... }
 *     statement  ::=  type name [= expression] ; | place = expression ; | expression ; | block
 *                  |  if ( expression ) statement [else statement] | while ( expression ) statement | do ... while ( ) ;
 *     expression ::=  numbers, names, * & ! - ~, arithmetic, comparisons, && ||, and calls of the primitives that run-c.ts knows
 */
import { LitmusError, Unsupported } from './errors.ts';
import type { Tokens } from './scan.ts';

/** An expression. */
export type CExpression =
  | { readonly kind: 'number'; readonly value: bigint; readonly line: number }
  | { readonly kind: 'name'; readonly name: string; readonly line: number }
  | {
      readonly kind: 'unary';
      readonly sign: '*' | '&' | '!' | '-' | '~';
      readonly of: CExpression;
      readonly line: number;
    }
  | {
      readonly kind: 'binary';
      readonly sign: string;
      readonly left: CExpression;
      readonly right: CExpression;
      readonly line: number;
    }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly CExpression[]; readonly line: number };

/** A statement. */
export type CStatement =
  | { readonly kind: 'declare'; readonly name: string; readonly value: CExpression | undefined; readonly line: number }
  | { readonly kind: 'assign'; readonly to: CExpression; readonly value: CExpression; readonly line: number }
  | { readonly kind: 'do'; readonly value: CExpression; readonly line: number }
  | { readonly kind: 'block'; readonly body: readonly CStatement[]; readonly line: number }
  | {
      readonly kind: 'if';
      readonly condition: CExpression;
      readonly body: CStatement;
      readonly otherwise: CStatement | undefined;
      readonly line: number;
    }
  | {
      readonly kind: 'while';
      readonly condition: CExpression;
      readonly body: CStatement;
      readonly first: boolean;
      readonly line: number;
    };

/** A thread. */
export interface CThread {
  readonly number: number;
  readonly parameters: readonly string[];
  readonly body: readonly CStatement[];
}

const TYPE =
  /^(?:int|long|short|char|unsigned|signed|void|u?int(?:8|16|32|64)?_t|u(?:8|16|32|64)|spinlock_t|atomic_t|atomic_long_t|struct|volatile|const|intptr_t|uintptr_t|bool)$/;
const LEVELS: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['|'],
  ['^'],
  ['&'],
  ['==', '!='],
  ['<', '>', '<=', '>='],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
];
/** Deeper nesting than this is refused. */
const DEEPEST = 100;

/** Reads all threads. */
export function parseThreads(tokens: Tokens): CThread[] {
  const threads: CThread[] = [];
  while (!tokens.ended) threads.push(new Parser(tokens).thread());
  threads.forEach(({ number }, i) => {
    if (number !== i)
      throw new LitmusError(tokens.file, 0, `the threads must be P0, P1, ... in this order: P${i} is missing`);
  });
  if (threads.length === 0) tokens.fail('expected a thread such as P0(int *x) { ... }');
  return threads;
}

class Parser {
  readonly #tokens: Tokens;
  #depth = 0;

  constructor(tokens: Tokens) {
    this.#tokens = tokens;
  }

  thread(): CThread {
    const tokens = this.#tokens;
    while (tokens.at('static') || tokens.at('void')) tokens.take();
    const name = tokens.name('a thread such as P0');
    const match = /^P(\d+)$/.exec(name);
    if (match === null) return tokens.fail(`'${name}' is no thread such as P0; after it`);
    tokens.expect('(');
    const parameters: string[] = [];
    while (!tokens.accept(')')) {
      this.#type();
      if (tokens.at(')')) continue;
      parameters.push(tokens.name('a parameter'));
      if (!tokens.at(')')) tokens.expect(',');
    }
    tokens.expect('{');
    return { number: Number(match[1]), parameters, body: this.#body() };
  }

  /** Skips a type, and says whether there was one. */
  #type(): boolean {
    const tokens = this.#tokens;
    let found = false;
    const next = tokens.peek(1);
    const declares =
      tokens.peek().kind === 'name' && (next.kind === 'name' || (next.text === '*' && this.#depth === 0));
    if (declares && !TYPE.test(tokens.peek().text) && !/^(?:else|return)$/.test(tokens.peek().text))
      throw new Unsupported(tokens.file, tokens.line, `type '${tokens.peek().text}'`);
    while (tokens.peek().kind === 'name' && TYPE.test(tokens.peek().text)) {
      if (tokens.take().text === 'struct') tokens.name('a struct');
      found = true;
    }
    if (found) while (tokens.accept('*') || tokens.accept('volatile'));
    return found;
  }

  #body(): CStatement[] {
    const body: CStatement[] = [];
    while (!this.#tokens.accept('}')) {
      if (this.#tokens.ended) this.#tokens.fail("expected '}'");
      if (!this.#tokens.accept(';')) body.push(this.#statement());
    }
    return body;
  }

  #deeper<T>(part: () => T): T {
    if (++this.#depth > DEEPEST) this.#tokens.fail('this is nested too deeply');
    const result = part();
    this.#depth--;
    return result;
  }

  #statement(): CStatement {
    return this.#deeper(() => this.#anyStatement());
  }

  #anyStatement(): CStatement {
    const tokens = this.#tokens;
    const { line } = tokens;
    if (tokens.accept(';')) return { kind: 'block', body: [], line };
    if (tokens.accept('{')) return { kind: 'block', body: this.#body(), line };
    if (tokens.accept('if')) {
      const condition = this.#parenthesized();
      const body = this.#statement();
      const otherwise = tokens.accept('else') ? this.#statement() : undefined;
      return { kind: 'if', condition, body, otherwise, line };
    }
    if (tokens.accept('while')) {
      const condition = this.#parenthesized();
      return { kind: 'while', condition, body: this.#statement(), first: false, line };
    }
    if (tokens.accept('do')) {
      const body = this.#statement();
      tokens.expect('while');
      const condition = this.#parenthesized();
      tokens.expect(';');
      return { kind: 'while', condition, body, first: true, line };
    }
    for (const word of ['for', 'switch', 'goto', 'return'])
      if (tokens.at(word)) throw new Unsupported(tokens.file, line, `'${word}' in C`);
    if (this.#type()) return this.#declaration(line);
    const value = this.expression();
    if (!tokens.accept('=')) {
      tokens.expect(';');
      return { kind: 'do', value, line };
    }
    const from = this.expression();
    tokens.expect(';');
    return { kind: 'assign', to: value, value: from, line };
  }

  #declaration(line: number): CStatement {
    const tokens = this.#tokens;
    const body: CStatement[] = [];
    do {
      while (tokens.accept('*'));
      const name = tokens.name('a variable');
      body.push({ kind: 'declare', name, value: tokens.accept('=') ? this.expression() : undefined, line });
    } while (tokens.accept(','));
    tokens.expect(';');
    return body.length === 1 ? body[0]! : { kind: 'block', body, line };
  }

  #parenthesized(): CExpression {
    this.#tokens.expect('(');
    const condition = this.expression();
    this.#tokens.expect(')');
    return condition;
  }

  expression(): CExpression {
    return this.#deeper(() => this.#level(0));
  }

  #level(level: number): CExpression {
    const signs = LEVELS[level];
    if (signs === undefined) return this.#unary();
    let left = this.#level(level + 1);
    for (;;) {
      const sign = signs.find((text) => this.#tokens.at(text));
      if (sign === undefined) return left;
      const { line } = this.#tokens.take();
      left = { kind: 'binary', sign, left, right: this.#level(level + 1), line };
    }
  }

  #unary(): CExpression {
    const tokens = this.#tokens;
    const { line, text } = tokens.peek();
    if (text === '*' || text === '&' || text === '!' || text === '-' || text === '~') {
      tokens.take();
      return { kind: 'unary', sign: text, of: this.#deeper(() => this.#unary()), line };
    }
    if (tokens.peek().kind === 'number') return { kind: 'number', value: tokens.number(), line };
    if (tokens.accept('(')) {
      // A cast changes nothing here.
      if (this.#type()) {
        tokens.expect(')');
        return this.#deeper(() => this.#unary());
      }
      const inner = this.expression();
      tokens.expect(')');
      return inner;
    }
    const name = tokens.name('an expression');
    if (!tokens.accept('(')) return { kind: 'name', name, line };
    const args: CExpression[] = [];
    while (!tokens.accept(')')) {
      args.push(this.expression());
      if (!tokens.at(')')) tokens.expect(',');
    }
    return { kind: 'call', name, args, line };
  }
}
