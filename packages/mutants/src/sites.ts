/**
 * Sites: the essential steps of a module, found in its syntax tree, and the mutants that can be made of each.
 *
 *     yield* cpu.smpMb()                     a call of the port: port-steps.ts, sections.ts
 *     yield* flushTlbRange(cpu, ...)         a step function that is called for its effect: left out
 *     cpu.write(info.freedTables, 1)         a plain store: left out
 *     tlb.start = Math.min(tlb.start, at)    tracking: left out, or narrowed
 *     if (...) return                        an early return: never taken, always taken
 *     return true                            the answer of a step function: the other one
 *     f(cpu, mm, true)                       a flag: not set
 *     a; b                                   two steps in the other order: swaps.ts
 *
 * What a profile or a backend's switches decide is no site: twins of scenarios turn them. Nor is what the hardware finds in its
 * tables, nor a wait at the end of a loop that looks again.
 */
import { child, children, list, nameOf, type Node, parse } from './ast.ts';
import type { Edit, Render } from './edit.ts';
import type { Kind, Mutation, Operator, Site } from './mutation.ts';
import { kindByName, PORT_STEPS, type PortMutation } from './port-steps.ts';
import { bound, type FunctionScope, isConfiguration, scopeOf } from './scope.ts';
import { LOCKS, SECTIONS, UNLOCKS } from './sections.ts';
import { ordersOnly, swapsOf } from './swaps.ts';

/** What is found in a module. */
export interface Found {
  /** The mutants, in the order of the text. Their numbers are positions here. */
  readonly mutations: readonly Mutation[];
  /** Instruments the module for all of them. @param base number of the first one */
  edits(base: number): Edit[];
}

/** Makes an edit once numbers are known. */
type Late = (base: number) => Edit;

/** Looks through a module. @param file `x86/flush.ts` */
export function sitesOf(file: string, text: string): Found {
  const finder = new Finder(file, text);
  finder.look(parse(file, text), undefined, '');
  const { mutations, late } = finder;
  return { mutations, edits: (base) => late.map((edit) => edit(base)) };
}

const MODULE: FunctionScope = { name: '', generator: false, stepped: false, answers: false, switches: new Set() };

const FUNCTIONS = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']);

/** `TranslationTable.lookup`: what the machine does by itself is no step of an algorithm. */
const HARDWARE = 'lookup';

/** Calls that say something to oracles and traces. */
const TOLD = /\.(claim\.\w+|trace)$|^trace[A-Z]/;

class Finder {
  readonly mutations: Mutation[] = [];
  readonly late: Late[] = [];
  readonly #file: string;
  readonly #text: string;
  readonly #seen = new Map<string, number>();
  #scope: FunctionScope = MODULE;

  constructor(file: string, text: string) {
    this.#file = file;
    this.#text = text;
  }

  readonly #textOf = (node: Node): string => this.#text.slice(node.start, node.end);

  look(node: Node, parent: Node | undefined, outer: string): void {
    const around = this.#scope;
    const name = nameOf(child(node, 'id')) ?? nameOf(child(node, 'key')) ?? outer;
    if (FUNCTIONS.has(node.type)) this.#scope = scopeOf(node, name, this.#textOf);
    if (this.#scope.name === HARDWARE) {
      this.#scope = around;
      return;
    }
    const goOn = this.#scope === MODULE || this.#visit(node, parent);
    if (goOn) for (const each of children(node)) this.look(each, node, name);
    this.#scope = around;
  }

  /** @returns whether there may be sites within it */
  #visit(node: Node, parent: Node | undefined): boolean {
    switch (node.type) {
      case 'YieldExpression':
        return this.#yielded(node, parent);
      case 'CallExpression':
        return this.#called(node, parent);
      case 'AssignmentExpression':
        if (parent?.type === 'ExpressionStatement' && child(node, 'left')?.type === 'MemberExpression')
          this.#elide(node, kindByName(this.#textOf(child(node, 'left')!), 'tracking'));
        return true;
      case 'IfStatement':
        this.#early(node);
        return true;
      case 'ReturnStatement':
        this.#answer(node);
        return true;
      case 'BlockStatement':
        this.#swaps(node);
        return true;
      case 'ForStatement':
      case 'WhileStatement':
        this.#looksAgain(node);
        return true;
      default:
        return true;
    }
  }

  #yielded(node: Node, parent: Node | undefined): boolean {
    const call = child(node, 'argument');
    if (node['delegate'] !== true || call?.type !== 'CallExpression') return true;
    const method = portMethod(call);
    if (method !== undefined) {
      if (!this.#polite.has(node)) this.#port(node, call, method);
      return true;
    }
    if (parent?.type !== 'ExpressionStatement') return true;
    this.#elide(node, kindByName(this.#textOf(child(call, 'callee')!), 'step'));
    return true;
  }

  #called(node: Node, parent: Node | undefined): boolean {
    const callee = this.#textOf(child(node, 'callee')!);
    if (TOLD.test(callee)) return false;
    const method = portMethod(node);
    const handedOn = parent?.type === 'ReturnStatement' || parent?.type === 'ArrowFunctionExpression';
    if (method !== undefined && handedOn && !this.#scope.generator && this.#scope.stepped)
      this.#port(node, node, method);
    if (method === 'write' && parent?.type === 'ExpressionStatement' && !this.#isFresh(list(node, 'arguments')[1]))
      this.#elide(node, kindByName(this.#textOf(list(node, 'arguments')[0]!), 'store'));
    if (/^Math\.(min|max)$/.test(callee)) this.#narrow(node);
    const takesCpu = list(node, 'arguments').some((each) => nameOf(each) === 'cpu');
    if (takesCpu) for (const each of list(node, 'arguments')) this.#flag(each);
    return true;
  }

  /**
   * A 0 in what is being made: objects are never reused here, so it is there already. In Linux it is not, and such stores matter.
   * `initNewContext`, and not `initializeTlbstateAndFlush`, which runs whenever a CPU comes up.
   */
  #isFresh(value: Node | undefined): boolean {
    return value?.['value'] === 0 && /^init[A-Z]|InitNewContext$/.test(this.#scope.name);
  }

  /** Is a statement such a store? It can stand anywhere, too. */
  #storesFresh(statement: Node): boolean {
    const call = child(statement, 'expression');
    return call !== undefined && portMethod(call) === 'write' && this.#isFresh(list(call, 'arguments')[1]);
  }

  /** Waits after which a loop looks again: without them it spins until it finds the same. */
  readonly #polite = new Set<Node>();

  /** A loop in which a round ends with a wait, and the next one begins with nothing between. */
  #looksAgain(loop: Node): void {
    if (child(loop, 'update') === undefined) this.#roundEnds(child(loop, 'body')!, true);
  }

  /** @param last whether the loop's body ends with the statement */
  #roundEnds(statement: Node, last: boolean): void {
    if (statement.type === 'BlockStatement') {
      const statements = list(statement, 'body');
      for (const [i, each] of statements.entries()) {
        const next = statements[i + 1];
        this.#roundEnds(each, next === undefined ? last : next.type === 'ContinueStatement');
      }
    } else if (statement.type === 'IfStatement') {
      for (const branch of ['consequent', 'alternate'])
        if (child(statement, branch) !== undefined) this.#roundEnds(child(statement, branch)!, last);
    } else if (statement.type === 'ExpressionStatement' && last) {
      const step = child(statement, 'expression')!;
      const call = step.type === 'YieldExpression' ? child(step, 'argument') : undefined;
      if (call !== undefined && portMethod(call) === 'waitFor') this.#polite.add(step);
    }
  }

  /** A call of the port: the yield, or, where a plain function hands its steps on, the call. */
  #port(node: Node, call: Node, method: string): void {
    const args = list(call, 'arguments');
    const step = PORT_STEPS[method];
    const text = this.#textOf(call);
    if (step !== undefined) {
      const mutations = step.mutations.filter((each) => each.what !== 'without its flush' || !isTrue(args[2]));
      const kind = step.kind === 'store' ? kindByName(this.#textOf(args[0]!), 'store') : step.kind;
      const ids = mutations.map((each) => this.#add(call, kind, each, each.weakOnly));
      const steps = node === call;
      this.late.push((base) => ({
        start: node.start,
        end: node.end,
        build: (render) => {
          const rest = render(node.start, node.end);
          const alternative = (each: PortMutation): string => {
            const port = this.#textOf(child(child(call, 'callee')!, 'object')!);
            const made = each.call(
              port,
              args.map((arg) => render(arg.start, arg.end)),
            );
            return steps ? `(function* () { return ${made} })()` : made;
          };
          return `(${mutations.map((each, i) => `$m(${base + ids[i]!}) ? ${alternative(each)} : `).join('')}${rest})`;
        },
      }));
    } else if (method in LOCKS) {
      const id = this.#add(call, 'lock', { operator: 'elide', what: 'lock and unlock left out' });
      this.#helper(call, method, 'lock', (base) => `${base + id}, `);
    } else if (UNLOCKS.has(method)) {
      this.#helper(call, method, 'unlock', () => '');
    } else if (method in SECTIONS && text !== '') {
      this.#section(node, method);
    }
  }

  /** `cpu.spinLock(ptl)` becomes `$m.lock(17, cpu, 'spinLock', ptl)`. */
  #helper(call: Node, method: string, helper: string, first: (base: number) => string): void {
    const port = child(child(call, 'callee')!, 'object')!;
    const [lock] = list(call, 'arguments');
    this.late.push((base) => ({
      start: call.start,
      end: call.end,
      build: (render) =>
        `$m.${helper}(${first(base)}${this.#textOf(port)}, '${method}', ${render(lock!.start, lock!.end)})`,
    }));
  }

  /** Interrupts off and RCU: the ends of a section in one function go together. */
  readonly #sections = new Map<string, number>();

  #section(node: Node, method: string): void {
    const { of, opens } = SECTIONS[method]!;
    const key = `${this.#scope.name} ${of}`;
    let id = this.#sections.get(key);
    if (opens || id === undefined) {
      id = this.#add(node, 'lock', { operator: 'elide', what: `${of} left out` });
      this.#sections.set(key, id);
    }
    this.#choose(node, [[id, () => 'undefined']]);
  }

  #elide(node: Node, kind: Kind): void {
    const id = this.#add(node, kind, { operator: 'elide', what: 'left out' });
    this.#choose(node, [[id, () => 'undefined']]);
  }

  /** `Math.min(a, b)`: one of the two alone. */
  #narrow(node: Node): void {
    const args = list(node, 'arguments');
    if (args.length !== 2) return;
    const ids = args.map((arg) =>
      this.#add(node, 'tracking', { operator: 'weaken', what: `${oneLine(this.#textOf(arg))} alone` }),
    );
    this.#choose(
      node,
      ids.map((id, i) => [id, (render) => render(args[i]!.start, args[i]!.end)]),
    );
  }

  /** A flag that is set becomes one that is not. */
  #flag(node: Node): void {
    if (!isTrue(node)) return;
    const id = this.#add(node, 'tracking', { operator: 'weaken', what: 'false instead' }, false, true);
    this.#choose(node, [[id, () => 'false']]);
  }

  /** `if (...) return`, or `continue`. */
  #early(node: Node): void {
    const [test, then] = [child(node, 'test')!, child(node, 'consequent')!];
    if (child(node, 'alternate') !== undefined || !leaves(then)) return;
    if (isConfiguration(test, this.#scope, this.#textOf) || /\b(null|undefined)\b/.test(this.#textOf(test))) return;
    const site: Node = { type: 'test', start: node.start, end: then.end };
    const never = this.#add(site, 'return', { operator: 'never', what: 'never taken' });
    const always = this.#add(site, 'return', { operator: 'always', what: 'always taken' });
    this.late.push((base) => ({
      start: test.start,
      end: test.end,
      build: (render) => `((${render(test.start, test.end)}) && !$m(${base + never}) || $m(${base + always}))`,
    }));
  }

  #answer(node: Node): void {
    const value = child(node, 'argument');
    if (!this.#scope.answers || value?.type !== 'Literal' || typeof value['value'] !== 'boolean') return;
    const other = value['value'] ? 'false' : 'true';
    const id = this.#add(node, 'answer', { operator: 'weaken', what: `${other} instead` });
    this.#choose(value, [[id, () => other]]);
  }

  #swaps(block: Node): void {
    const statements = list(block, 'body');
    const fresh = (i: number): boolean => this.#storesFresh(statements[i]!);
    const swaps = swapsOf(statements, this.#textOf).filter((i) => !fresh(i) && !fresh(i + 1));
    const ids = new Map(
      swaps.map((i) => {
        const [one, other] = [statements[i]!, statements[i + 1]!];
        const swap = { operator: 'swap', what: `after ${oneLine(this.#textOf(other))}` } as const;
        const weakOnly = ordersOnly(one, this.#textOf) || ordersOnly(other, this.#textOf);
        return [i, this.#add(one, this.#kindOf(one), swap, weakOnly)];
      }),
    );
    for (const [i, statement] of statements.entries()) {
      const [before, after] = [ids.get(i - 1), ids.get(i)];
      if (before === undefined && after === undefined) continue;
      this.late.push((base) => {
        const edit: Edit = {
          start: statement.start,
          end: statement.end,
          build: (render) => {
            const notes = [
              ...(before === undefined ? [] : [`$m.note(${base + before}, 2); `]),
              ...(after === undefined ? [] : [`$m.note(${base + after}, 1); `]),
            ].join('');
            const own = this.#asStatement(
              statement,
              before === undefined ? undefined : this.#declared(statement),
              render,
              notes,
            );
            const here = before === undefined ? own : `if (!$m.isOn(${base + before})) { ${own} }`;
            if (after === undefined) return here;
            const next = statements[i + 1]!;
            const name = this.#declared(next);
            return `${hoisted(name)}if ($m.isOn(${base + after})) { ${this.#asStatement(next, name, render)} } ${here}`;
          },
        };
        this.#swapEdits.set(statement, edit);
        return edit;
      });
    }
  }

  readonly #swapEdits = new Map<Node, Edit>();

  /** The name that a statement declares. */
  #declared(statement: Node): string | undefined {
    if (statement.type !== 'VariableDeclaration') return undefined;
    return bound(child(list(statement, 'declarations')[0]!, 'id')!)[0];
  }

  /**
   * A statement; of a declaration, the assignment.
   * @param notes what is said when it takes effect: of a condition, when it is met
   */
  #asStatement(statement: Node, name: string | undefined, render: Render, notes = ''): string {
    if (name !== undefined) {
      const init = child(list(statement, 'declarations')[0]!, 'init')!;
      return `${notes}${name} = ${render(init.start, init.end)};`;
    }
    const own = this.#swapEdits.get(statement);
    const then = child(statement, 'consequent');
    if (then === undefined || child(statement, 'alternate') !== undefined)
      return notes + render(statement.start, statement.end, own);
    const test = render(statement.start, then.start, own);
    return `${test}{ ${notes}${render(then.start, then.end, own)} }`;
  }

  #kindOf(statement: Node): Kind {
    return kindByName(this.#textOf(statement), 'step');
  }

  /** `($m(1) ? a : $m(2) ? b : rest)`. */
  #choose(node: Node, alternatives: readonly (readonly [id: number, text: (render: Render) => string])[]): void {
    this.late.push((base) => ({
      start: node.start,
      end: node.end,
      build: (render) => {
        const chosen = alternatives.map(([id, text]) => `$m(${base + id}) ? ${text(render)} : `).join('');
        return `(${chosen}${render(node.start, node.end)})`;
      },
    }));
  }

  #add(
    node: Node,
    kind: Kind,
    { operator, what }: { readonly operator: Operator; readonly what: string },
    weakOnly = false,
    withLine = false,
  ): number {
    const text = oneLine(withLine ? this.#lineOf(node) : this.#textOf(node));
    const line = this.#text.slice(0, node.start).split('\n').length;
    const site: Site = { file: this.#file, line, function: this.#scope.name, text, kind };
    const key = `${this.#file} ${site.function}: ${text}: ${what}`;
    const times = (this.#seen.get(key) ?? 0) + 1;
    this.#seen.set(key, times);
    this.mutations.push({ key: times === 1 ? key : `${key} #${times}`, site, operator, what, weakOnly });
    return this.mutations.length - 1;
  }

  #lineOf(node: Node): string {
    const from = this.#text.lastIndexOf('\n', node.start) + 1;
    const to = this.#text.indexOf('\n', node.end);
    return this.#text.slice(from, to < 0 ? undefined : to);
  }
}

/** `cpu.smpMb()`: `smpMb`. */
function portMethod(call: Node): string | undefined {
  const callee = child(call, 'callee');
  if (callee?.type !== 'MemberExpression' || nameOf(child(callee, 'object')) !== 'cpu') return undefined;
  return nameOf(child(callee, 'property'));
}

function isTrue(node: Node | undefined): boolean {
  return node?.type === 'Literal' && node['value'] === true;
}

/** A statement that leaves the function, or this round of the loop, and is all there is. */
function leaves(then: Node): boolean {
  const last = then.type === 'BlockStatement' ? list(then, 'body').at(-1) : then;
  return last?.type === 'ReturnStatement' || last?.type === 'ContinueStatement';
}

function hoisted(name: string | undefined): string {
  return name === undefined ? '' : `let ${name}; `;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replace(/;$/, '').trim();
}
