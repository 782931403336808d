/**
 * Runs a thread of C: a step function over {@link ThreadMemory}.
 *
 *     READ_ONCE WRITE_ONCE  smp_load_acquire smp_store_release  smp_mb smp_rmb smp_wmb and the smp_mb__... forms
 *     rcu_dereference rcu_assign_pointer  rcu_read_lock rcu_read_unlock synchronize_rcu
 *     spin_lock spin_unlock spin_is_locked    xchg cmpxchg atomic_... with _relaxed, _acquire, _release
 *
 * A variable carries the loads that its value was computed from. What stands in an `if` depends on its condition; what comes after it
 * does not, as in the kernel's memory model. Plain accesses are relaxed ones, and carry dependencies from a store to a later load.
 */
import type { FenceKind, RmwOperation } from '@mmu-gather/checker';
import type { Steps } from '@mmu-gather/core/stepped';
import type { CExpression, CStatement } from './c-syntax.ts';
import { Unsupported } from './errors.ts';
import type { Order } from './instruction.ts';
import { UNROLL } from './run-instructions.ts';
import type { LitmusTest } from './test.ts';
import { type Access, FREE, SLOTS, type ThreadMemory } from './thread-memory.ts';
import { type Arithmetic, compute, numberOf, same, type Value } from './values.ts';

/** A value, and the loads it was computed from. */
interface Known {
  readonly value: Value;
  readonly deps: number;
}

/** What a thread of C notes at its end. */
export interface CResults {
  readonly registers: readonly { readonly name: string; readonly index: number }[];
  word(value: Value): number;
}

/** Runs one thread of a test. */
export function* runC(test: LitmusTest, number: number, memory: ThreadMemory, results: CResults): Steps<void> {
  const run = new Run(test, number, memory);
  for (const statement of test.threads[number]!.statements) if (!(yield* run.statement(statement))) return;
  for (const { name, index } of results.registers) memory.result(index, results.word(run.variable(name)));
}

const FENCES: Readonly<Record<string, FenceKind>> = {
  smp_mb: 'mb',
  smp_rmb: 'rmb',
  smp_wmb: 'wmb',
  smp_mb__before_atomic: 'mb',
  smp_mb__after_atomic: 'mb',
  smp_mb__after_spinlock: 'mb',
  smp_mb__after_unlock_lock: 'mb',
};
const OPERATORS: Readonly<Record<string, Arithmetic>> = {
  '+': 'add',
  '-': 'sub',
  '&': 'and',
  '|': 'or',
  '^': 'xor',
  '<<': 'lsl',
  '>>': 'lsr',
};
/** Atomics by their middle: what they store, and whether the operand is 1. */
const ATOMICS: Readonly<Record<string, readonly [RmwOperation, one: boolean, minus: boolean]>> = {
  add: ['add', false, false],
  sub: ['add', false, true],
  inc: ['add', true, false],
  dec: ['add', true, true],
  or: ['or', false, false],
  andnot: ['andNot', false, false],
  xor: ['xor', false, false],
};
const MINUS_ONE = (1n << 64n) - 1n;

class Run {
  readonly #test: LitmusTest;
  readonly #number: number;
  readonly #memory: ThreadMemory;
  readonly #variables = new Map<string, Known>();
  #ctrl = 0;
  #earlier = 0;
  #slot = 0;
  #rounds = 0;
  /** By address: what the last own store there was computed from. */
  readonly #stored = new Map<string, number>();

  constructor(test: LitmusTest, number: number, memory: ThreadMemory) {
    this.#test = test;
    this.#number = number;
    this.#memory = memory;
    for (const [name, value] of test.registers) {
      const match = /^(\d+):(.*)$/.exec(name);
      if (Number(match?.[1]) === number) this.#variables.set(match![2]!, { value, deps: 0 });
    }
  }

  /** The last value of a variable; 0 if it never had one. */
  variable(name: string): Value {
    return this.#variables.get(name)?.value ?? 0n;
  }

  /** @returns false if the execution was given up */
  *statement(statement: CStatement): Steps<boolean> {
    switch (statement.kind) {
      case 'declare':
        this.#variables.set(
          statement.name,
          statement.value === undefined ? UNKNOWN : yield* this.#value(statement.value),
        );
        return true;
      case 'assign':
        yield* this.#assign(statement.to, yield* this.#value(statement.value));
        return true;
      case 'do':
        yield* this.#value(statement.value);
        return true;
      case 'block':
        for (const inner of statement.body) if (!(yield* this.statement(inner))) return false;
        return true;
      case 'if':
        return yield* this.#if(statement);
      case 'while':
        return yield* this.#while(statement);
    }
  }

  *#if({ condition, body, otherwise }: CStatement & { kind: 'if' }): Steps<boolean> {
    const known = yield* this.#value(condition);
    const before = this.#ctrl;
    this.#ctrl |= known.deps;
    const chosen = truth(known.value) ? body : otherwise;
    const goesOn = chosen === undefined || (yield* this.statement(chosen));
    this.#ctrl = before;
    return goesOn;
  }

  *#while({ condition, body, first }: CStatement & { kind: 'while' }): Steps<boolean> {
    const before = this.#ctrl;
    for (let round = 0; ; round++) {
      if (!first || round > 0) {
        const known = yield* this.#value(condition);
        if (!truth(known.value)) break;
        this.#ctrl |= known.deps;
      }
      if (round > 0 && onlyWaits(condition, body)) {
        // Another round would only read again: an execution without this one leads to the same.
        yield* this.#memory.giveUp(false);
        return false;
      }
      if (++this.#rounds > UNROLL + 1) {
        yield* this.#memory.giveUp(true);
        return false;
      }
      if (!(yield* this.statement(body))) return false;
    }
    this.#ctrl = before;
    return true;
  }

  *#assign(to: CExpression, from: Known): Steps<void> {
    if (to.kind === 'name' && !this.#isShared(to.name)) {
      this.#variables.set(to.name, from);
      return;
    }
    yield* this.#store(yield* this.#place(to), from, {}, to.line);
  }

  // ---- expressions ----

  *#value(expression: CExpression): Steps<Known> {
    switch (expression.kind) {
      case 'number':
        return { value: BigInt.asUintN(64, expression.value), deps: 0 };
      case 'name':
        return yield* this.#name(expression.name, expression);
      case 'unary':
        return yield* this.#unary(expression);
      case 'binary':
        return yield* this.#binary(expression);
      case 'call':
        return yield* this.#call(expression);
    }
  }

  *#name(name: string, { line }: CExpression): Steps<Known> {
    const known = this.#variables.get(name);
    if (known !== undefined) return known;
    const address: Known = { value: { kind: 'address', of: name, offset: 0 }, deps: 0 };
    // A parameter is a pointer to the location of its name; other names are locations.
    if (this.#test.threads[this.#number]!.parameters.includes(name)) return address;
    if (!this.#isShared(name))
      throw new Unsupported(this.#test.file, line, `'${name}' is neither a variable nor a location`);
    return yield* this.#load(address, {}, line);
  }

  #isShared(name: string): boolean {
    return !this.#variables.has(name) && this.#test.memory.has(name);
  }

  *#unary({ sign, of, line }: CExpression & { kind: 'unary' }): Steps<Known> {
    if (sign === '*') return yield* this.#load(yield* this.#value(of), {}, line);
    if (sign === '&') return yield* this.#place(of);
    const { value, deps } = yield* this.#value(of);
    if (sign === '!') return { value: truth(value) ? 0n : 1n, deps };
    const number = numberOf(value);
    if (number === undefined) this.#unsupported(line, `'${sign}' of an address`);
    return { value: BigInt.asUintN(64, sign === '-' ? -number : ~number), deps };
  }

  *#binary({ sign, left, right, line }: CExpression & { kind: 'binary' }): Steps<Known> {
    const a = yield* this.#value(left);
    if (sign === '&&' || sign === '||') {
      if (truth(a.value) === (sign === '||')) return { value: sign === '||' ? 1n : 0n, deps: a.deps };
      const b = yield* this.#value(right);
      return { value: truth(b.value) ? 1n : 0n, deps: a.deps | b.deps };
    }
    const b = yield* this.#value(right);
    const deps = a.deps | b.deps;
    const operator = OPERATORS[sign];
    if (operator !== undefined) {
      const value = compute(operator, a.value, b.value);
      if (value === undefined) this.#unsupported(line, `'${sign}' on an address`);
      return { value, deps };
    }
    return { value: this.#compare(sign, a.value, b.value, line) ? 1n : 0n, deps };
  }

  #compare(sign: string, a: Value, b: Value, line: number): boolean {
    if (sign === '==' || sign === '!=') return same(a, b) === (sign === '==');
    const [x, y] = [numberOf(a), numberOf(b)];
    if (x === undefined || y === undefined || !/^[<>]=?$/.test(sign))
      this.#unsupported(line, `'${sign}' on these values`);
    const [p, q] = [BigInt.asIntN(64, x), BigInt.asIntN(64, y)];
    return sign === '<' ? p < q : sign === '>' ? p > q : sign === '<=' ? p <= q : p >= q;
  }

  /** The address of an lvalue. */
  *#place(expression: CExpression): Steps<Known> {
    if (expression.kind === 'unary' && expression.sign === '*') return yield* this.#value(expression.of);
    if (expression.kind === 'name' && !this.#variables.has(expression.name))
      return { value: { kind: 'address', of: expression.name, offset: 0 }, deps: 0 };
    return this.#unsupported(expression.line, 'an access to what is no shared location');
  }

  // ---- primitives ----

  *#call({ name, args, line }: CExpression & { kind: 'call' }): Steps<Known> {
    const memory = this.#memory;
    const fence = FENCES[name];
    if (fence !== undefined) {
      yield* memory.fence(fence, { ...FREE, ctrl: this.#ctrl, earlier: this.#earlier });
      return UNKNOWN;
    }
    const need = (count: number): void => {
      if (args.length !== count) this.#unsupported(line, `${name} with ${args.length} arguments`);
    };
    switch (name) {
      case 'barrier':
        return UNKNOWN;
      case 'rcu_read_lock':
        yield* memory.rcuReadLock();
        return UNKNOWN;
      case 'rcu_read_unlock':
        yield* memory.rcuReadUnlock();
        return UNKNOWN;
      case 'synchronize_rcu':
      case 'synchronize_rcu_expedited':
        yield* memory.synchronizeRcu();
        return UNKNOWN;
      case 'READ_ONCE':
      case 'rcu_dereference':
        need(1);
        return yield* this.#load(yield* this.#place(args[0]!), {}, line);
      case 'WRITE_ONCE':
      case 'rcu_assign_pointer':
        need(2);
        return yield* this.#storeTo(
          yield* this.#place(args[0]!),
          args[1]!,
          name === 'WRITE_ONCE' ? {} : { release: true },
        );
    }
    if (args.length === 0) return this.#unsupported(line, `function '${name}'`);
    return yield* this.#onPointer(name, args, line);
  }

  /** Primitives that take the address of what they access. */
  *#onPointer(name: string, args: readonly CExpression[], line: number): Steps<Known> {
    const memory = this.#memory;
    switch (name) {
      case 'spin_lock':
        yield* memory.lock((yield* this.#value(args[0]!)).value);
        return UNKNOWN;
      case 'spin_unlock':
        yield* memory.unlock((yield* this.#value(args[0]!)).value);
        return UNKNOWN;
      case 'spin_is_locked': {
        const { value, deps } = yield* this.#load(yield* this.#value(args[0]!), {}, line);
        return { value: truth(value) ? 1n : 0n, deps };
      }
      case 'smp_load_acquire':
      case 'atomic_read_acquire':
        return yield* this.#load(yield* this.#value(args[0]!), { acquire: 'acquirePc' }, line);
      case 'atomic_read':
        return yield* this.#load(yield* this.#value(args[0]!), {}, line);
    }
    if (args.length === 2 && /^(smp_store_release|smp_store_mb|atomic_set|atomic_set_release)$/.test(name)) {
      const to = yield* name === 'smp_store_mb' ? this.#place(args[0]!) : this.#value(args[0]!);
      yield* this.#storeTo(to, args[1]!, name.endsWith('release') ? { release: true } : {});
      if (name === 'smp_store_mb') yield* memory.fence('mb', FREE);
      return UNKNOWN;
    }
    return yield* this.#atomic(name, args, line);
  }

  *#atomic(name: string, args: readonly CExpression[], line: number): Steps<Known> {
    const order = orderOf(name);
    const plain = name.replace(/_(relaxed|acquire|release)$/, '');
    if (/^(atomic_)?xchg$/.test(plain) && args.length === 2)
      return yield* this.#rmw(yield* this.#value(args[0]!), 'swap', yield* this.#value(args[1]!), order, line);
    if (/^(atomic_)?cmpxchg$/.test(plain) && args.length === 3) return yield* this.#cmpxchg(args, order, line);
    const match = /^atomic_(fetch_)?(add|sub|inc|dec|or|andnot|xor)(_return)?$/.exec(plain);
    const [operation, one, minus] = ATOMICS[match?.[2] ?? ''] ?? [];
    if (match === null || operation === undefined || args.length !== (one === true ? 1 : 2))
      return this.#unsupported(line, `function '${name}'`);
    const by = one === true ? { value: 1n, deps: 0 } : yield* this.#value(args[0]!);
    const operand: Known = minus === true ? { ...by, value: compute('sub', 0n, by.value) ?? MINUS_ONE } : by;
    const to = yield* this.#value(args.at(-1)!);
    const kept = match[1] !== undefined || match[3] !== undefined;
    const read = yield* this.#rmw(to, operation, operand, kept ? order : {}, line, kept);
    if (match[3] === undefined) return kept ? read : UNKNOWN;
    const after = compute('add', read.value, operand.value);
    return { value: after ?? this.#unsupported(line, `${name} of an address`), deps: read.deps | operand.deps };
  }

  *#cmpxchg(args: readonly CExpression[], order: Order, line: number): Steps<Known> {
    const to = yield* this.#value(args[0]!);
    const old = yield* this.#value(args[1]!);
    const value = yield* this.#value(args[2]!);
    const access = this.#access(to, { value: value.value, deps: value.deps | old.deps }, order, line);
    const outcome = yield* this.#memory.compareAndSwap(to.value, old.value, value.value, access);
    this.#earlier |= to.deps;
    return { value: outcome.fault === undefined ? outcome.value : 0n, deps: 1 << access.slot };
  }

  *#rmw(to: Known, operation: RmwOperation, operand: Known, order: Order, line: number, kept = true): Steps<Known> {
    const access = { ...this.#access(to, operand, order, line), noReturn: !kept };
    const outcome = yield* this.#memory.rmw(to.value, operation, operand.value, access);
    this.#earlier |= to.deps;
    return { value: outcome.fault === undefined ? outcome.value : 0n, deps: 1 << access.slot };
  }

  *#load(from: Known, order: Order, line: number): Steps<Known> {
    this.#mustBeAddress(from, line);
    const access = this.#access(from, UNKNOWN, order, line);
    const outcome = yield* this.#memory.load(from.value, access);
    this.#earlier |= from.deps;
    const deps = (1 << access.slot) | (this.#stored.get(keyOf(from.value)) ?? 0);
    return { value: outcome.fault === undefined ? outcome.value : 0n, deps };
  }

  *#storeTo(to: Known, value: CExpression, order: Order): Steps<Known> {
    yield* this.#store(to, yield* this.#value(value), order, value.line);
    return UNKNOWN;
  }

  *#store(to: Known, from: Known, order: Order, line: number): Steps<void> {
    this.#mustBeAddress(to, line);
    yield* this.#memory.store(to.value, from.value, { ...this.#access(to, from, order, line, false), slot: -1 });
    this.#earlier |= to.deps;
    this.#stored.set(keyOf(to.value), from.deps);
  }

  #access(to: Known, from: Known, order: Order, line: number, loads = true): Access {
    if (loads && this.#slot >= SLOTS) this.#unsupported(line, `more than ${SLOTS} loads in one thread`);
    const { deps } = to;
    return {
      bits: 64,
      ...order,
      slot: loads ? this.#slot++ : -1,
      addr: deps,
      pickAddr: deps,
      data: from.deps,
      trueData: from.deps,
      ctrl: this.#ctrl,
      earlier: this.#earlier,
      privileged: false,
    };
  }

  #mustBeAddress({ value }: Known, line: number): void {
    if (typeof value === 'bigint' || value.kind !== 'address')
      this.#unsupported(line, 'an access to what is no address');
  }

  #unsupported(line: number, what: string): never {
    throw new Unsupported(this.#test.file, line, what);
  }
}

const UNKNOWN: Known = { value: 0n, deps: 0 };

/** Does a loop do nothing but load and test? */
function onlyWaits(condition: CExpression, body: CStatement): boolean {
  if (body.kind !== 'block' || body.body.length > 0) return false;
  const onlyReads = (expression: CExpression): boolean => {
    switch (expression.kind) {
      case 'unary':
        return onlyReads(expression.of);
      case 'binary':
        return onlyReads(expression.left) && onlyReads(expression.right);
      case 'call':
        return /^(READ_ONCE|smp_load_acquire|atomic_read|atomic_read_acquire|rcu_dereference|spin_is_locked)$/.test(
          expression.name,
        );
      default:
        return true;
    }
  };
  return onlyReads(condition);
}

function truth(value: Value): boolean {
  return !same(value, 0n);
}

function keyOf(value: Value): string {
  return typeof value === 'object' && value.kind === 'address' ? `${value.of}+${value.offset}` : '';
}

/** The order that the name of an atomic with a result says: fully ordered if nothing. */
function orderOf(name: string): Order {
  if (name.endsWith('_relaxed')) return {};
  if (name.endsWith('_acquire')) return { acquire: 'acquirePc' };
  return name.endsWith('_release') ? { release: true } : { full: true };
}
