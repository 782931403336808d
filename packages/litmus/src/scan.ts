/**
 * Scan: tokens of litmus files, with their lines.
 *
 *     name      letter (letter | digit | _ | . )*        number    -?digits | 0x...
 *     text      "..."                                    sign      /\  \/  =>  !=  <>  ==  &&  ||  ...  or one character
 *
 * Comments of herd, `(* ... *)` nested, and `// ...` are taken out beforehand, and leave their line ends.
 */
import { LitmusError } from './errors.ts';

/** A token. */
export interface Token {
  readonly kind: 'name' | 'number' | 'text' | 'sign' | 'end';
  readonly text: string;
  readonly line: number;
}

const TOKEN =
  /\s+|([A-Za-z_][\w.]*)|(0[xX][0-9a-fA-F]+|\d+)|"([^"\n]*)"|(\/\\|\\\/|=>|!=|<>|==|<=|>=|&&|\|\||->|\+\+|--|<<|>>|[-+*/&|^~!=<>(){}[\]:;,.%$#?@\\'])/y;

/** Takes herd's comments and those of C++ out. */
export function withoutComments(file: string, text: string, line: number): string {
  let out = '';
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const two = text.slice(i, i + 2);
    if (two === '(*') {
      depth++;
      i++;
      out += ' ';
    } else if (two === '*)' && depth > 0) {
      depth--;
      i++;
      out += ' ';
    } else if (depth === 0 && two === '//') {
      while (i + 1 < text.length && text[i + 1] !== '\n') i++;
    } else out += depth === 0 || text[i] === '\n' ? text[i] : '';
  }
  if (depth > 0) throw new LitmusError(file, line, "a comment '(*' is not closed");
  return out;
}

/** Tokens, one after the other. */
export class Tokens {
  readonly file: string;
  readonly #tokens: Token[] = [];
  #next = 0;

  /** @param line of the text's first line */
  constructor(file: string, text: string, line = 1) {
    this.file = file;
    let now = line;
    for (let at = 0; at < text.length; ) {
      TOKEN.lastIndex = at;
      const match = TOKEN.exec(text);
      if (match === null) throw new LitmusError(file, now, `unexpected character ${JSON.stringify(text[at])}`);
      const [all, name, number, quoted, sign] = match;
      if (name !== undefined) this.#tokens.push({ kind: 'name', text: name, line: now });
      else if (number !== undefined) this.#tokens.push({ kind: 'number', text: number, line: now });
      else if (quoted !== undefined) this.#tokens.push({ kind: 'text', text: quoted, line: now });
      else if (sign !== undefined) this.#tokens.push({ kind: 'sign', text: sign, line: now });
      for (const c of all) if (c === '\n') now++;
      at += all.length;
    }
    this.#tokens.push({ kind: 'end', text: 'the end', line: now });
  }

  /** The token after the next `ahead` ones. */
  peek(ahead = 0): Token {
    return this.#tokens[Math.min(this.#next + ahead, this.#tokens.length - 1)]!;
  }
  /** Takes the next token. */
  take(): Token {
    const token = this.peek();
    if (this.#next < this.#tokens.length - 1) this.#next++;
    return token;
  }
  /** Is the next token this sign or name? */
  at(text: string): boolean {
    const token = this.peek();
    return (token.kind === 'sign' || token.kind === 'name') && token.text === text;
  }
  /** Takes it if it is. */
  accept(text: string): boolean {
    const found = this.at(text);
    if (found) this.take();
    return found;
  }
  /** Takes it, or complains. */
  expect(text: string): void {
    if (!this.accept(text)) this.fail(`expected '${text}'`);
  }
  /** Takes a name. */
  name(what: string): string {
    if (this.peek().kind !== 'name') this.fail(`expected ${what}`);
    return this.take().text;
  }
  /** Takes a number, perhaps negative. */
  number(): bigint {
    const negative = this.accept('-');
    if (this.peek().kind !== 'number') this.fail('expected a number');
    const value = BigInt(this.take().text);
    return negative ? -value : value;
  }
  /** Is everything taken? */
  get ended(): boolean {
    return this.peek().kind === 'end';
  }
  /** The line of the next token. */
  get line(): number {
    return this.peek().line;
  }
  /** Complains about the next token. */
  fail(message: string): never {
    const { text, kind, line } = this.peek();
    throw new LitmusError(this.file, line, `${message}, found ${kind === 'end' ? text : `'${text}'`}`);
  }
}
