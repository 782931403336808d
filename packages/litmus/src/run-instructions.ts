/**
 * Runs a thread of instructions: a step function over {@link ThreadMemory}.
 *
 * A register carries which loads its value comes from: computed from them (`data`), or picked by a comparison with them too (`pick`;
 * CSEL and CAS pick). Arm's rules tell the two apart: a picked address orders stores and no loads.
 */
import type { Steps } from '@mmu-gather/core/stepped';
import type { Fault } from './condition.ts';
import { Unsupported } from './errors.ts';
import {
  type Action,
  type Instruction,
  type Operand,
  type Order,
  type Target,
  type Test,
  ZERO,
} from './instruction.ts';
import type { LitmusTest, Thread } from './test.ts';
import { type Access, FREE, type Outcome, SLOTS, type ThreadMemory } from './thread-memory.ts';
import { compute, numberOf, same, truncate, type Value } from './values.ts';

/** Jumps backwards that an execution may take in one thread; more are cut, and the test says so. */
export const UNROLL = 3;

/** Of an instruction. */
const BYTES = 4;

/** A register. */
interface Register {
  readonly value: Value;
  readonly data: number;
  readonly pick: number;
}

/** What a thread notes at its end. */
export interface ThreadResults {
  /** Registers to note, and where. */
  readonly registers: readonly { readonly name: string; readonly index: number }[];
  /** The word of a register's value. */
  word(value: Value): number;
  /** Where to note the faults, and the word for them. */
  readonly faultsAt: number;
  faults(faults: readonly Fault[]): number;
}

/** Runs one thread of a test. */
export function* runInstructions(
  test: LitmusTest,
  number: number,
  memory: ThreadMemory,
  results: ThreadResults,
): Steps<void> {
  const thread = test.threads[number]!;
  const run = new Run(test, number, thread, memory);
  if (!(yield* run.run())) return;
  for (const { name, index } of results.registers) memory.result(index, results.word(run.register(name).value));
  memory.result(results.faultsAt, results.faults(run.faults));
}

class Run {
  readonly faults: Fault[] = [];
  readonly #test: LitmusTest;
  readonly #number: number;
  readonly #thread: Thread;
  readonly #memory: ThreadMemory;
  readonly #registers = new Map<string, Register>();
  #code: readonly Instruction[];
  #at = 0;
  #handler = false;
  /** A fault was answered by doing the instruction again, as herd's `handled`. */
  #again = false;
  #returnTo: Value | undefined;
  #flags: { a: Value; b: Value; data: number; pick: number } = { a: 0n, b: 0n, data: 0, pick: 0 };
  #ctrl = 0;
  #earlier = 0;
  #slot = 0;
  #jumps = 0;
  /** By address: what the last own store there was computed or picked from. */
  readonly #stored = new Map<string, Pick<Register, 'data' | 'pick'>>();

  constructor(test: LitmusTest, number: number, thread: Thread, memory: ThreadMemory) {
    this.#test = test;
    this.#number = number;
    this.#thread = thread;
    this.#memory = memory;
    this.#code = thread.code;
    for (const [name, value] of test.registers) {
      const match = /^(\d+):(.*)$/.exec(name);
      if (Number(match?.[1]) === number) this.#registers.set(match![2]!, { value, data: 0, pick: 0 });
    }
  }

  register(name: string): Register {
    return this.#registers.get(name) ?? { value: 0n, data: 0, pick: 0 };
  }

  /** @returns false if the execution was given up */
  *run(): Steps<boolean> {
    for (;;) {
      const instruction = this.#code[this.#at];
      if (instruction === undefined) return true;
      this.#at++;
      const fault = yield* this.#step(instruction);
      if (fault === 'given up') return false;
      if (fault === undefined) continue;
      if (!(yield* this.#fault(instruction, fault))) return false;
    }
  }

  /** Does one instruction. Returns where it faults, if it does. */
  *#step(instruction: Instruction): Steps<'given up' | FaultAt | undefined> {
    const { action, bits } = instruction;
    switch (action.kind) {
      case 'nop':
        return undefined;
      case 'move':
        this.#set(action.to, this.#read(action.from, bits), bits);
        return undefined;
      case 'label':
        this.#set(
          action.to,
          { value: { kind: 'label', thread: this.#number, name: action.label }, data: 0, pick: 0 },
          64,
        );
        return undefined;
      case 'compute':
        this.#compute(action, instruction);
        return undefined;
      case 'compare': {
        const a = this.#read(action.a, bits);
        const b = this.#read(action.b, bits);
        this.#flags = { a: a.value, b: b.value, data: a.data | b.data, pick: a.pick | b.pick };
        return undefined;
      }
      case 'select':
        this.#select(action, instruction);
        return undefined;
      case 'fence':
        yield* this.#memory.fence(action.fence, { ...FREE, ctrl: this.#ctrl, earlier: this.#earlier });
        return undefined;
      case 'tlbi': {
        const target = action.address === undefined ? undefined : this.register(action.address);
        const on = { ...FREE, addr: target?.data ?? 0, pickAddr: target?.pick ?? 0, ctrl: this.#ctrl };
        yield* this.#memory.invalidate(this.#page(target?.value, instruction), action.broadcast, on);
        return undefined;
      }
      case 'jump':
      case 'branch':
      case 'branchOnZero':
        return (yield* this.#branch(action, instruction)) ? undefined : 'given up';
      case 'getReturn':
        if (this.#returnTo === undefined) this.#unsupported(instruction, 'ELR_EL1 outside of a fault handler');
        this.#set(action.to, { value: this.#returnTo, data: 0, pick: 0 }, 64);
        return undefined;
      case 'setReturn':
        this.#returnTo = this.register(action.from).value;
        this.#registers.set('ELR_EL1', this.register(action.from));
        return undefined;
      case 'return':
        yield* this.#memory.fence('eret', { ...FREE, ctrl: this.#ctrl, earlier: this.#earlier });
        return (yield* this.#return(instruction)) ? undefined : 'given up';
      default:
        return yield* this.#access(action, instruction);
    }
  }

  // ---- registers ----

  #read(operand: Operand, bits: number): Register {
    if (operand.number !== undefined) return { value: BigInt.asUintN(bits, operand.number), data: 0, pick: 0 };
    const { value, data, pick } = this.register(operand.register);
    return { value: truncate(value, bits), data, pick };
  }

  #set(name: string, { value, data, pick }: Register, bits: number): void {
    if (name !== ZERO) this.#registers.set(name, { value: truncate(value, bits), data, pick: pick | data });
  }

  #compute(action: Action & { kind: 'compute' }, instruction: Instruction): void {
    const a = this.#read(action.a, instruction.bits);
    const b = this.#read(action.b, instruction.bits);
    const value = compute(action.operation, a.value, b.value, instruction.bits);
    if (value === undefined)
      this.#unsupported(instruction, `'${action.operation}' on an address or a page-table entry`);
    const result = { value, data: a.data | b.data, pick: a.pick | b.pick };
    this.#set(action.to, result, instruction.bits);
    if (action.flags) this.#flags = { a: value, b: 0n, data: result.data, pick: result.pick };
  }

  #select(action: Action & { kind: 'select' }, instruction: Instruction): void {
    const taken = this.#holds(action.when, instruction);
    const from = this.#read(taken ? action.a : action.b, instruction.bits);
    const plus = taken ? 0n : action.plus;
    const value = plus === 0n ? from.value : compute('add', from.value, plus, instruction.bits);
    if (value === undefined) this.#unsupported(instruction, 'a sum of an address or a page-table entry');
    const pick = from.pick | this.#flags.data | this.#flags.pick;
    this.#set(action.to, { value, data: from.data, pick }, instruction.bits);
  }

  #holds(test: Test, instruction: Instruction): boolean {
    const { a, b } = this.#flags;
    if (test === 'eq' || test === 'ne') return same(a, b) === (test === 'eq');
    const [x, y] = [numberOf(a), numberOf(b)];
    if (x === undefined || y === undefined)
      this.#unsupported(instruction, 'an order of addresses or page-table entries');
    const [left, right] = [BigInt.asIntN(instruction.bits, x), BigInt.asIntN(instruction.bits, y)];
    return test === 'lt' ? left < right : test === 'le' ? left <= right : test === 'gt' ? left > right : left >= right;
  }

  // ---- control ----

  *#branch(action: Action & { kind: 'jump' | 'branch' | 'branchOnZero' }, instruction: Instruction): Steps<boolean> {
    let taken = true;
    if (action.kind === 'branch') {
      this.#ctrl |= this.#flags.data | this.#flags.pick;
      taken = this.#holds(action.when, instruction);
    } else if (action.kind === 'branchOnZero') {
      const { value, data, pick } = this.#read({ register: action.register }, instruction.bits);
      this.#ctrl |= data | pick;
      taken = same(value, 0n) === action.zero;
    }
    if (!taken) return true;
    if (isSpin(this.#code, action.to, this.#at)) {
      // Another round would only read again: an execution without this one leads to the same.
      yield* this.#memory.giveUp(false);
      return false;
    }
    return yield* this.#jump(action.to);
  }

  /** @returns false if there were too many jumps backwards */
  *#jump(label: string): Steps<boolean> {
    const to = this.#code.findIndex(({ labels }) => labels.includes(label));
    if (to < this.#at && ++this.#jumps > UNROLL) {
      yield* this.#memory.giveUp(true);
      return false;
    }
    this.#at = to;
    return true;
  }

  /** The end of a fault handler. */
  *#return(instruction: Instruction): Steps<boolean> {
    const to = this.#returnTo;
    if (!this.#handler || to === undefined) this.#unsupported(instruction, 'ERET outside of a fault handler');
    this.#handler = false;
    this.#code = this.#thread.code;
    if (typeof to === 'bigint') {
      if (++this.#jumps > UNROLL) {
        yield* this.#memory.giveUp(true);
        return false;
      }
      this.#at = Number(to) / BYTES;
      return true;
    }
    if (to.kind !== 'label') this.#unsupported(instruction, 'ERET to what is no label');
    this.#at = this.#code.length;
    return yield* this.#jump(to.name);
  }

  /** @returns false if the execution is given up */
  *#fault({ labels }: Instruction, { kind, location }: FaultAt): Steps<boolean> {
    if (this.#handler || this.#again) {
      // A fault in a handler, or again after a handler that mended nothing: no behaviour of the test.
      yield* this.#memory.giveUp(false);
      return false;
    }
    this.faults.push({ thread: this.#number, labels, location, type: kind });
    if (this.#thread.handler !== undefined) {
      this.#handler = true;
      this.#returnTo = BigInt((this.#at - 1) * BYTES);
      this.#code = this.#thread.handler;
      this.#at = 0;
    } else if (this.#test.faults === 'fatal') this.#at = this.#code.length;
    else if (this.#test.faults === 'handled') {
      this.#again = true;
      this.#at--;
    }
    return true;
  }

  // ---- memory ----

  *#access(action: AccessAction, instruction: Instruction): Steps<FaultAt | undefined> {
    const target = this.#address(action.at, instruction);
    const outcome = yield* this.#perform(action, target, instruction);
    if (outcome.fault !== undefined) return { kind: outcome.fault, location: locationOf(target.value) };
    this.#earlier |= target.data | target.pick;
    return undefined;
  }

  *#perform(action: AccessAction, target: Register, instruction: Instruction): Steps<Outcome> {
    const memory = this.#memory;
    const { bits } = instruction;
    const to = target.value;
    switch (action.kind) {
      case 'load': {
        const access = this.#accessOf(target, FROM_NOWHERE, action.order, instruction, true);
        const outcome = yield* action.exclusive ? memory.loadExclusive(to, access) : memory.load(to, access);
        this.#keep(action.to, outcome, access.slot, keyOf(to), bits);
        return outcome;
      }
      case 'store': {
        const from = this.#read(action.from, bits);
        const outcome = yield* memory.store(
          to,
          from.value,
          this.#accessOf(target, from, action.order, instruction, false),
        );
        if (outcome.fault === undefined) this.#stored.set(keyOf(to), from);
        return outcome;
      }
      case 'storeExclusive': {
        const from = this.#read(action.from, bits);
        const outcome = yield* memory.storeExclusive(
          to,
          from.value,
          this.#accessOf(target, from, action.order, instruction, false),
        );
        if (outcome.fault !== undefined) return outcome;
        if (same(outcome.value, 0n)) this.#stored.set(keyOf(to), from);
        this.#set(action.status, { value: outcome.value, data: 0, pick: 0 }, 32);
        return outcome;
      }
      case 'atomic': {
        const operand = this.#read(action.operand, bits);
        const kept = action.to !== ZERO;
        const access = { ...this.#accessOf(target, operand, action.order, instruction, kept), noReturn: !kept };
        const outcome = yield* memory.rmw(to, action.operation, operand.value, access);
        const own = kept ? 1 << access.slot : 0;
        this.#keep(action.to, outcome, access.slot, keyOf(to), bits);
        const more = action.operation === 'swap' ? 0 : own;
        this.#stored.set(keyOf(to), { data: operand.data | more, pick: operand.pick | more });
        return outcome;
      }
      case 'compareAndSwap':
        return yield* this.#compareAndSwap(action, target, instruction);
    }
  }

  /**
   * CAS. When it succeeds, what it read and what it expected are one value, and hardware may take the result from either: the
   * result depends on one of the two, and it is open on which.
   */
  *#compareAndSwap(
    action: AccessAction & { kind: 'compareAndSwap' },
    target: Register,
    instruction: Instruction,
  ): Steps<Outcome> {
    const { bits } = instruction;
    const old = this.#read({ register: action.old }, bits);
    const value = this.#read(action.value, bits);
    const kept = action.old !== ZERO;
    const picked: Register = { ...value, pick: value.pick | old.pick | old.data };
    const access = { ...this.#accessOf(target, picked, action.order, instruction, kept), noReturn: !kept };
    const outcome = yield* this.#memory.compareAndSwap(target.value, old.value, value.value, access);
    if (outcome.fault !== undefined) return outcome;
    const read = truncate(outcome.value, bits);
    const own = kept ? 1 << access.slot : 0;
    const succeeded = same(read, old.value);
    if (succeeded) this.#stored.set(keyOf(target.value), picked);
    const fromOld = succeeded && kept && (yield* this.#memory.choose(2)) === 1;
    const pick = own | old.pick | old.data;
    this.#set(action.old, { value: read, data: fromOld ? old.data : own, pick }, bits);
    return outcome;
  }

  #keep(to: string, outcome: Outcome, slot: number, key: string, bits: number): void {
    if (outcome.fault !== undefined || to === ZERO) return;
    // A load behind an own store carries what that store was computed from.
    const own = slot < 0 ? 0 : 1 << slot;
    const stored = this.#stored.get(key) ?? FROM_NOWHERE;
    this.#set(to, { value: outcome.value, data: own | stored.data, pick: own | stored.pick }, bits);
  }

  #accessOf(target: Register, from: Register, order: Order, instruction: Instruction, loads: boolean): Access {
    if (loads && this.#slot >= SLOTS) this.#unsupported(instruction, `more than ${SLOTS} loads in one thread`);
    return {
      bits: instruction.bits,
      ...order,
      slot: loads ? this.#slot++ : -1,
      addr: target.data,
      pickAddr: target.pick | target.data,
      data: from.pick | from.data,
      trueData: from.data,
      ctrl: this.#ctrl,
      earlier: this.#earlier,
      privileged: this.#handler || this.#again,
    };
  }

  #address({ location, base, index, shift, offset }: Target, instruction: Instruction): Register {
    const from = location !== undefined ? FROM_NOWHERE : this.register(base!);
    const start: Value = location !== undefined ? { kind: 'address', of: location, offset: 0 } : from.value;
    const by = index === undefined ? FROM_NOWHERE : this.register(index);
    const step = compute('lsl', by.value, BigInt(shift));
    const moved = step === undefined ? undefined : compute('add', start, step);
    const value = moved === undefined ? undefined : compute('add', moved, BigInt.asUintN(64, BigInt(offset)));
    if (value === undefined || typeof value === 'bigint' || value.kind !== 'address')
      this.#unsupported(instruction, 'an access to what is no address of a location');
    return { value, data: from.data | by.data, pick: from.pick | by.pick | from.data | by.data };
  }

  #page(value: Value | undefined, instruction: Instruction): Value | undefined {
    if (value === undefined) return undefined;
    // The address of an entry names another page than those that the test maps.
    const entry = typeof value === 'object' && value.kind === 'address' && value.of.startsWith('PTE(');
    if (typeof value === 'bigint' || (value.kind !== 'page' && !entry))
      this.#unsupported(instruction, 'a TLBI of what is no address shifted right by 12');
    return { kind: 'address', of: value.of, offset: 0 };
  }

  #unsupported({ line }: Instruction, what: string): never {
    throw new Unsupported(this.#test.file, line, what);
  }
}

/** An instruction that goes to memory. */
type AccessAction = Extract<Action, { kind: 'load' | 'store' | 'storeExclusive' | 'atomic' | 'compareAndSwap' }>;

/** A fault and its address. */
interface FaultAt {
  readonly kind: Exclude<Outcome['fault'], undefined>;
  readonly location: string;
}

const FROM_NOWHERE: Register = { value: 0n, data: 0, pick: 0 };

/** Does a jump back repeat nothing but loads and tests of what they read? */
function isSpin(code: readonly Instruction[], label: string, end: number): boolean {
  const start = code.findIndex(({ labels }) => labels.includes(label));
  if (start >= end) return false;
  const fresh = new Set<string>();
  const loaded = new Set<string>();
  const body = code.slice(start, end);
  for (const { action } of body) if (action.kind === 'load') loaded.add(action.to);
  return body.every(({ action }) => {
    if (action.kind === 'load') {
      if (action.exclusive || [action.at.base, action.at.index].some((name) => name !== undefined && loaded.has(name)))
        return false;
      fresh.add(action.to);
      return true;
    }
    const known = ({ register }: Operand): boolean =>
      register === undefined || fresh.has(register) || !loaded.has(register);
    if (action.kind === 'compare') return known(action.a) && known(action.b);
    if (action.kind === 'branchOnZero') return known({ register: action.register });
    return action.kind === 'branch' || action.kind === 'nop';
  });
}

function keyOf(value: Value): string {
  return typeof value === 'object' && value.kind === 'address' ? `${value.of}+${value.offset}` : '';
}

function locationOf(value: Value): string {
  return typeof value === 'object' && value.kind === 'address' ? value.of : '';
}
