/**
 * One source, two builds.
 *
 * Sources are written in "stepped" form: a function that touches the machine is a generator whose
 * declared return type is `Steps<T>`, and it calls other such functions with `yield*`.
 * `toDirect` rewrites one such module into "direct" form: the same code as plain functions.
 *
 * Every edit keeps the length of the text it replaces, so each remaining token stays on its line and
 * column: the result needs no source map of its own, and later maps point into the original source.
 *
 * | stepped | direct |
 * | --- | --- |
 * | `function* f(): Steps<T>`, `*m(): Steps<T>` | `function f(): T`, `m(): T` |
 * | `yield* f()` | `f()` |
 * | `Steps<T>` in a type | `T` |
 * | the statement `yield x;`, a pause point | nothing; `x` is not evaluated |
 * | `'some-package/stepped'` in an import | `'some-package'` |
 *
 * A generator with any other return type, or none, is a real iterator and stays as it is.
 *
 * @packageDocumentation
 */
import { parseSync, Visitor } from 'oxc-parser';

/** What marks stepped code. */
export interface DirectOptions {
  /** Name of the return type that marks a stepped function; `Steps` if not given. */
  readonly marker?: string;
  /** Which imports of `'some-package/stepped'` become imports of `'some-package'`; all if not given. */
  readonly cut?: (specifier: string) => boolean;
}

/** How an import selects the stepped build of a package. */
export const steppedSuffix = '/stepped';

/** A source that has no direct form. The message says where (`file:line:column`) and why. */
export class SteppedError extends Error {
  /** The file, as it was given to {@link toDirect}. */
  readonly file: string;
  /** Where in its text. */
  readonly offset: number;
  /** @internal */
  constructor(message: string, file: string, source: string, offset: number) {
    const before = source.slice(0, offset).split('\n');
    super(`${file}:${before.length}:${(before.at(-1)?.length ?? 0) + 1}: ${message}`);
    this.name = 'SteppedError';
    this.file = file;
    this.offset = offset;
  }
}

// The parser's node types are a large union; the few fields read here are named once.
interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

/** Cheap test: can `toDirect` change this text at all? */
export function mayBeStepped(code: string, marker = 'Steps'): boolean {
  return code.includes(`${marker}<`) || code.includes(steppedSuffix);
}

/**
 * The direct form of one stepped module. Its text has the length of the source, and the same line breaks.
 *
 * @param file - Name for messages; its extension says how to parse.
 * @throws {@link SteppedError} if the source has a syntax error, or uses steps in a way that has no direct form.
 */
export function toDirect(file: string, code: string, options: DirectOptions = {}): string {
  const marker = options.marker ?? 'Steps';
  const { cut = () => true } = options;
  if (!mayBeStepped(code, marker)) return code;

  const parsed = parseSync(file, code, { preserveParens: true });
  const fault = parsed.errors[0];
  if (fault) throw new SteppedError(fault.message, file, code, fault.labels[0]?.start ?? 0);

  const edits: { start: number; end: number; text: string }[] = [];
  const fail = (message: string, at: number): never => {
    throw new SteppedError(message, file, code, at);
  };
  const put = (start: number, end: number, text = ''): void => {
    if (text.length > end - start) fail('edit is longer than what it replaces', start);
    edits.push({ start, end, text: text.padEnd(end - start) });
  };
  const isMarker = (type: Node | null | undefined): boolean => {
    if (type?.type !== 'TSTypeReference') return false;
    const name = type['typeName'] as Node & { name?: string; right?: { name: string } };
    if (name.right?.name === marker) fail(`import ${marker} by its own name`, type.start);
    return name.name === marker;
  };

  /** For each function we are inside of: is it a stepped one? */
  const inside: boolean[] = [];

  const enter = (raw: unknown): void => {
    const fn = raw as Node;
    const result = (fn['returnType'] as Node | null)?.['typeAnnotation'] as Node | undefined;
    const stepped = fn['generator'] === true && isMarker(result);
    inside.push(stepped);
    if (!stepped) return;
    if (fn['async'] === true) fail(`an async generator cannot return ${marker}`, fn.start);
    const name = fn['id'] as Node | null;
    const params = fn['params'] as Node[];
    const limit = name?.start ?? (fn['typeParameters'] as Node | null)?.start ?? params[0]?.start ?? result!.start;
    // `function*` carries its star inside the node; a method's star stands before its key, see below.
    if (code.startsWith('function', fn.start)) {
      const star = code.indexOf('*', fn.start);
      if (star < 0 || star > limit) fail('star of the generator not found', fn.start);
      put(star, star + 1);
    }
  };
  const leave = (): void => {
    inside.pop();
  };
  const method = (raw: unknown): void => {
    const m = raw as Node;
    const fn = m['value'] as Node | null;
    if (!fn || fn['generator'] !== true) return;
    const result = (fn['returnType'] as Node | null)?.['typeAnnotation'] as Node | undefined;
    if (!isMarker(result)) return;
    if (m['computed'] === true) fail('a stepped method cannot have a computed name', m.start);
    const key = (m['key'] as Node).start;
    let star = key - 1;
    while (/\s/.test(code[star]!)) star--;
    if (code[star] !== '*') fail('star of the generator method not found', m.start);
    put(star, star + 1);
  };

  new Visitor({
    FunctionDeclaration: enter,
    'FunctionDeclaration:exit': leave,
    FunctionExpression: enter,
    'FunctionExpression:exit': leave,
    ArrowFunctionExpression: () => void inside.push(false),
    'ArrowFunctionExpression:exit': leave,
    MethodDefinition: method,
    Property: (p) => {
      if (p.method) method(p);
    },

    ExpressionStatement(statement) {
      const y = statement.expression;
      if (y.type !== 'YieldExpression' || inside.at(-1) !== true) return;
      if (!y.delegate) {
        // A pause point: nothing happens there in direct code.
        const lines = code.slice(y.start, y.end).replace(/[^\n\r]/g, ' ');
        edits.push({ start: y.start, end: y.end, text: lines });
        return;
      }
      // `yield* (f)(x)` must not join the line before it, nor become a declaration.
      if (!/[\w$]/.test(code[y.argument!.start]!) || /^(function|class|let)\b/.test(code.slice(y.argument!.start))) {
        put(y.start, y.start + 5, 'void ');
      }
    },
    YieldExpression(y) {
      if (inside.at(-1) !== true) return;
      if (!y.delegate) {
        const alone = edits.some((e) => e.start === y.start && e.end === y.end);
        if (!alone) fail('the value of a plain yield does not exist in direct code', y.start);
        return;
      }
      const head = code.slice(y.start, y.argument!.start);
      if (!/^yield\s*\*\s*$/.test(head)) fail('no comment may stand between yield* and its call', y.start);
      if (/[\n\r]/.test(head)) fail('yield* and its call must start on one line', y.start);
      if (!edits.some((e) => e.start === y.start)) put(y.start, y.start + head.trimEnd().length);
      else put(y.start + 5, y.start + head.trimEnd().length);
    },

    TSTypeReference(raw) {
      const type = raw as unknown as Node;
      if (!isMarker(type)) return;
      const args = (type['typeArguments'] as Node | null)?.['params'] as Node[] | undefined;
      if (args?.length !== 1) fail(`${marker} takes exactly one type argument`, type.start);
      const inner = args![0]!;
      const simple = /^TS(\w+Keyword|TypeReference|LiteralType|TupleType|TypeLiteral|ArrayType)$/.test(inner.type);
      const open = code.indexOf('<', type.start);
      put(type.start, open + 1, simple ? '' : ''.padEnd(open - type.start) + '(');
      put(type.end - 1, type.end, simple ? '' : ')');
    },

    ImportSpecifier(i) {
      const imported = i.imported.type === 'Identifier' ? i.imported.name : i.imported.value;
      if (imported === marker && i.local.name !== marker) fail(`import ${marker} by its own name`, i.start);
    },
    ImportDeclaration: (d) => specifier(d.source),
    ExportNamedDeclaration: (d) => specifier(d.source),
    ExportAllDeclaration: (d) => specifier(d.source),
    ImportExpression: (d) => specifier(d.source),
    TSImportType: (d) => specifier(d.source),
  }).visit(parsed.program);

  function specifier(raw: unknown): void {
    const s = raw as (Node & { value?: unknown }) | null;
    if (typeof s?.value !== 'string') return;
    if (s.value.startsWith('.') || !s.value.endsWith(steppedSuffix) || !cut(s.value)) return;
    const quote = code[s.start]!;
    put(s.end - 1 - steppedSuffix.length, s.end, quote);
  }

  edits.sort((a, b) => a.start - b.start);
  let out = '';
  let at = 0;
  for (const e of edits) {
    if (e.start < at) fail('overlapping edits', e.start);
    out += code.slice(at, e.start) + e.text;
    at = e.end;
  }
  out += code.slice(at);
  if (out.length !== code.length) fail('the direct text has another length', 0);
  return out;
}
