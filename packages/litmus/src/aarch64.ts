/**
 * AArch64 instructions as herd writes them.
 *
 *     moves         MOV NOP ADR CSEL CSET CSINC
 *     arithmetic    ADD SUB AND ORR EOR BIC LSL LSR, with S to set the flags; CMP TST
 *     accesses      LDR STR LDAR LDAPR STLR LDXR LDAXR STXR STLXR, of W and X registers
 *     atomics       SWP CAS LDADD LDSET LDCLR LDEOR and STADD STSET STCLR STEOR, each with A, L, AL
 *     barriers      DMB DSB ISB          branches   B B.cond CBZ CBNZ
 *     system        TLBI, MRS and MSR of ELR_EL1, ERET
 *
 *     address   ::=  [X0] | [X0,#8] | [X0,X1] | [X0,W1,SXTW] | [X0,X1,LSL #3]
 */
import type { FenceKind, RmwOperation } from '@mmu-gather/checker';
import { LitmusError, Unsupported } from './errors.ts';
import { type Action, type Operand, type Order, type Target, type Test, ZERO } from './instruction.ts';
import type { Decoder } from './table.ts';
import type { Arithmetic } from './values.ts';

const COMPUTE: Readonly<Record<string, Arithmetic>> = {
  ADD: 'add',
  SUB: 'sub',
  AND: 'and',
  ORR: 'or',
  EOR: 'xor',
  BIC: 'andNot',
  LSL: 'lsl',
  LSR: 'lsr',
};
const CONDITIONS: Readonly<Record<string, Test>> = { EQ: 'eq', NE: 'ne', LT: 'lt', LE: 'le', GT: 'gt', GE: 'ge' };
const INVERSE: Readonly<Record<Test, Test>> = { eq: 'ne', ne: 'eq', lt: 'ge', ge: 'lt', gt: 'le', le: 'gt' };
const ATOMICS: Readonly<Record<string, RmwOperation>> = { ADD: 'add', SET: 'or', CLR: 'andNot', EOR: 'xor' };
const BARRIERS: Readonly<Record<string, 'sy' | 'ld' | 'st'>> = { '': 'sy', LD: 'ld', ST: 'st' };
/** TLBI operations: whether they name an address. */
const TLBI: Readonly<Record<string, boolean>> = {
  VMALLE1: false,
  VAE1: true,
  VALE1: true,
  VAAE1: true,
  VAALE1: true,
};

/** The decoder. */
export const AARCH64: Decoder = {
  register: registerName,
  decode(text, file, line) {
    const match = /^([A-Za-z0-9]+(?:\.[A-Za-z]+)?)\s*(.*)$/.exec(text);
    if (match === null) throw new LitmusError(file, line, `expected an instruction, found '${text}'`);
    return new Decoding(text, file, line, match[1]!.toUpperCase(), match[2]!).decode();
  },
};

/** `X0` for W0 and X0. */
function registerName(name: string): string {
  const upper = name.toUpperCase();
  if (upper === 'WZR' || upper === 'XZR') return ZERO;
  return /^[WX]\d+$/.test(upper) ? `X${Number(upper.slice(1))}` : upper;
}

/** Operands of an instruction, split at the commas that are in no brackets. */
function split(text: string): string[] {
  if (text === '') return [];
  return text.split(/,(?![^[]*\])/).map((part) => part.trim());
}

class Decoding {
  readonly #text: string;
  readonly #file: string;
  readonly #line: number;
  readonly #name: string;
  readonly #rest: string;
  readonly #operands: readonly string[];

  constructor(text: string, file: string, line: number, name: string, rest: string) {
    this.#text = text;
    this.#file = file;
    this.#line = line;
    this.#name = name;
    this.#rest = rest;
    this.#operands = split(rest);
  }

  decode(): { readonly bits: number; readonly action: Action } {
    // Pre- and post-indexed addresses change their base.
    if (/\][!]|\]\s*,/.test(this.#rest)) this.#unknown();
    const first = this.#operands[0] ?? '';
    return { bits: /^w/i.test(first) ? 32 : 64, action: this.#action() };
  }

  #action(): Action {
    const found =
      this.#plain() ?? this.#arithmetic() ?? this.#access() ?? this.#atomic() ?? this.#branch() ?? this.#system();
    return found ?? this.#unknown();
  }

  #unknown(): never {
    throw new Unsupported(this.#file, this.#line, `unknown instruction '${this.#text}'`);
  }

  #wrong(message: string): never {
    throw new LitmusError(this.#file, this.#line, `'${this.#text}': ${message}`);
  }

  /** A register; complains if the operand is none. */
  #register(i: number): string {
    const text = this.#operands[i];
    if (text === undefined) this.#wrong(`operand ${i + 1} is missing`);
    if (!/^(?:[WX](?:\d|[12]\d|30|ZR))$/i.test(text)) this.#wrong(`'${text}' is no register`);
    return registerName(text);
  }

  #operand(i: number): Operand {
    const text = this.#operands[i] ?? '';
    const number = /^#?(-?(?:0x[0-9a-f]+|\d+))$/i.exec(text)?.[1];
    if (number === undefined) return { register: this.#register(i) };
    const value = number.startsWith('-') ? -BigInt(number.slice(1)) : BigInt(number);
    return { number: BigInt.asUintN(64, value) };
  }

  /** The operands are this many. */
  #count(...counts: number[]): void {
    if (!counts.includes(this.#operands.length)) this.#wrong(`expected ${counts.join(' or ')} operands`);
  }

  #target(i: number): Target {
    const text = this.#operands[i];
    const match = /^\[\s*(X\d+)\s*(?:,\s*(.*?))?\s*\]$/i.exec(text ?? '');
    if (match === null) this.#wrong(`'${text ?? ''}' is no address such as [X0]`);
    const base = registerName(match[1]!);
    const index = match[2];
    if (index === undefined) return { base, shift: 0, offset: 0 };
    const offset = /^#(-?\d+)$/.exec(index);
    if (offset !== null) return { base, shift: 0, offset: Number(offset[1]) };
    const register = /^([WX](?:\d+|ZR))(?:\s*,\s*(SXTW|UXTW|LSL|SXTX)\s*(?:#(\d+))?)?$/i.exec(index);
    if (register === null) throw new Unsupported(this.#file, this.#line, `address '${text}'`);
    return { base, index: registerName(register[1]!), shift: Number(register[3] ?? 0), offset: 0 };
  }

  #test(text: string): Test {
    const test = CONDITIONS[text.toUpperCase()];
    if (test === undefined) throw new Unsupported(this.#file, this.#line, `condition '${text}'`);
    return test;
  }

  #plain(): Action | undefined {
    switch (this.#name) {
      case 'NOP':
        return { kind: 'nop' };
      case 'MOV':
        this.#count(2);
        return { kind: 'move', to: this.#register(0), from: this.#operand(1) };
      case 'ADR':
        this.#count(2);
        return { kind: 'label', to: this.#register(0), label: this.#operands[1]! };
      case 'CSEL':
      case 'CSINC':
        this.#count(4);
        return {
          kind: 'select',
          to: this.#register(0),
          a: { register: this.#register(1) },
          b: { register: this.#register(2) },
          plus: this.#name === 'CSINC' ? 1n : 0n,
          when: this.#test(this.#operands[3]!),
        };
      case 'CSET':
        this.#count(2);
        return {
          kind: 'select',
          to: this.#register(0),
          a: { register: ZERO },
          b: { register: ZERO },
          plus: 1n,
          when: INVERSE[this.#test(this.#operands[1]!)],
        };
      default:
        return undefined;
    }
  }

  #arithmetic(): Action | undefined {
    if (this.#name === 'CMP') {
      this.#count(2);
      return { kind: 'compare', a: { register: this.#register(0) }, b: this.#operand(1) };
    }
    if (this.#name === 'TST') {
      this.#count(2);
      const a: Operand = { register: this.#register(0) };
      return { kind: 'compute', operation: 'and', to: ZERO, a, b: this.#operand(1), flags: true };
    }
    const flags = COMPUTE[this.#name] === undefined && this.#name.endsWith('S');
    const operation = COMPUTE[flags ? this.#name.slice(0, -1) : this.#name];
    if (operation === undefined) return undefined;
    // An extended register: the values of tests are small, so extending changes nothing.
    if (this.#operands.length === 4 && !/^(SXTW|UXTW)$/i.test(this.#operands[3]!)) this.#unknown();
    this.#count(3, 4);
    const a: Operand = { register: this.#register(1) };
    return { kind: 'compute', operation, to: this.#register(0), a, b: this.#operand(2), flags };
  }

  #access(): Action | undefined {
    const name = this.#name;
    const load = /^LD(R|AR|APR|XR|AXR)$/.exec(name)?.[1];
    if (load !== undefined) {
      this.#count(2);
      const acquire: Order = load.startsWith('AP')
        ? { acquire: 'acquirePc' }
        : load.startsWith('A')
          ? { acquire: 'acquire' }
          : {};
      return {
        kind: 'load',
        to: this.#register(0),
        at: this.#target(1),
        order: acquire,
        exclusive: load.includes('X'),
      };
    }
    if (name === 'STR' || name === 'STLR') {
      this.#count(2);
      const from: Operand = { register: this.#register(0) };
      return { kind: 'store', from, at: this.#target(1), order: name === 'STLR' ? { release: true } : {} };
    }
    if (name !== 'STXR' && name !== 'STLXR') return undefined;
    this.#count(3);
    const from: Operand = { register: this.#register(1) };
    const order: Order = name === 'STLXR' ? { release: true } : {};
    return { kind: 'storeExclusive', status: this.#register(0), from, at: this.#target(2), order };
  }

  #atomic(): Action | undefined {
    const match = /^(SWP|CAS|LD(?=ADD|SET|CLR|EOR)|ST(?=ADD|SET|CLR|EOR))(ADD|SET|CLR|EOR)?(A?)(L?)$/.exec(this.#name);
    if (match === null) return undefined;
    const [, kind, operation, a, l] = match;
    const order: Order = { ...(a !== '' && { acquire: 'acquire' as const }), ...(l !== '' && { release: true }) };
    if (kind === 'ST') {
      this.#count(2);
      const operand: Operand = { register: this.#register(0) };
      return { kind: 'atomic', operation: ATOMICS[operation!]!, operand, to: ZERO, at: this.#target(1), order };
    }
    this.#count(3);
    const at = this.#target(2);
    if (kind === 'CAS')
      return { kind: 'compareAndSwap', old: this.#register(0), value: { register: this.#register(1) }, at, order };
    const operand: Operand = { register: this.#register(0) };
    return {
      kind: 'atomic',
      operation: kind === 'SWP' ? 'swap' : ATOMICS[operation!]!,
      operand,
      to: this.#register(1),
      at,
      order,
    };
  }

  #branch(): Action | undefined {
    const name = this.#name;
    if (name === 'B') {
      this.#count(1);
      return { kind: 'jump', to: this.#operands[0]! };
    }
    if (name.startsWith('B.')) {
      this.#count(1);
      return { kind: 'branch', when: this.#test(name.slice(2)), to: this.#operands[0]! };
    }
    if (name !== 'CBZ' && name !== 'CBNZ') return undefined;
    this.#count(2);
    return { kind: 'branchOnZero', register: this.#register(0), zero: name === 'CBZ', to: this.#operands[1]! };
  }

  #system(): Action | undefined {
    const barrier = /^(?:(DMB|DSB) ?(?:SY|ISH|OSH|NSH)?(LD|ST|)|ISB(?: SY)?)$/.exec(
      `${this.#name} ${this.#rest.toUpperCase()}`.trim(),
    );
    if (barrier !== null) {
      const fence = barrier[1] === undefined ? 'isb' : `${barrier[1].toLowerCase()} ${BARRIERS[barrier[2] ?? '']!}`;
      return { kind: 'fence', fence: fence as FenceKind };
    }
    switch (this.#name) {
      case 'TLBI':
        return this.#tlbi();
      case 'MSR':
        this.#count(2);
        if (this.#operands[0]!.toUpperCase() !== 'ELR_EL1') this.#unknown();
        return { kind: 'setReturn', from: this.#register(1) };
      case 'MRS':
        this.#count(2);
        if (this.#operands[1]!.toUpperCase() !== 'ELR_EL1') this.#unknown();
        return { kind: 'getReturn', to: this.#register(0) };
      case 'ERET':
        return { kind: 'return' };
      default:
        return undefined;
    }
  }

  #tlbi(): Action {
    const operation = (this.#operands[0] ?? '').toUpperCase();
    const broadcast = operation.endsWith('IS');
    const byAddress = TLBI[broadcast ? operation.slice(0, -2) : operation];
    if (byAddress === undefined) this.#unknown();
    this.#count(byAddress ? 2 : 1);
    return { kind: 'tlbi', address: byAddress ? this.#register(1) : undefined, broadcast };
  }
}
