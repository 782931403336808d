/**
 * X86_64 instructions as herd writes them, in AT&T's syntax or in its own.
 *
 *     movl $1,(x)   movl (x),%eax   movl %eax,%ebx   xchgl %eax,(x)      also without l, q
 *     mfence sfence lfence   lock; incl (x)   addl subl andl orl xorl cmpl   jmp je jne
 *     MOV [x],$1    MOV EAX,[x]     XCHG [x],EAX
 */
import type { RmwOperation } from '@mmu-gather/checker';
import { LitmusError, Unsupported } from './errors.ts';
import type { Action, Operand, Target, Test } from './instruction.ts';
import type { Decoder } from './table.ts';
import type { Arithmetic } from './values.ts';

const NAMES = /^%?([re]?(?:ax|bx|cx|dx|si|di|bp|sp)|[abcd]l|r(?:8|9|1[0-5])d?)$/i;
const COMPUTE: Readonly<Record<string, Arithmetic>> = { add: 'add', sub: 'sub', and: 'and', or: 'or', xor: 'xor' };
const LOCKED: Readonly<Record<string, RmwOperation>> = { add: 'add', or: 'or', xor: 'xor' };
const JUMPS: Readonly<Record<string, Test>> = {
  je: 'eq',
  jz: 'eq',
  jne: 'ne',
  jnz: 'ne',
  jl: 'lt',
  jle: 'le',
  jg: 'gt',
  jge: 'ge',
};

/** The decoder. */
export const X86_64: Decoder = {
  register: registerName,
  decode(text, file, line) {
    const match = /^(lock\s*;?\s*)?([A-Za-z]+)\s*(.*)$/i.exec(text);
    if (match === null) throw new LitmusError(file, line, `expected an instruction, found '${text}'`);
    const operands = match[3] === '' ? [] : match[3]!.split(/,(?![^([]*[)\]])/).map((part) => part.trim());
    // Without % the target stands first.
    if (!/[%$(]/.test(text) || /\[/.test(text)) operands.reverse();
    const name = match[2]!.toLowerCase();
    const bits = name.endsWith('q') || operands.some((each) => /^%?r/i.test(each)) ? 64 : 32;
    const action = decode(
      name,
      operands,
      match[1] !== undefined,
      (message) => new LitmusError(file, line, `'${text}': ${message}`),
    );
    if (action === undefined) throw new Unsupported(file, line, `unknown instruction '${text}'`);
    return { bits, action };
  },
};

/** `rax` for %eax, EAX and %rax. */
function registerName(name: string): string {
  const plain = name.toLowerCase().replace(/^%/, '');
  const letter = /^([abcd])[lx]$/.exec(plain)?.[1];
  if (letter !== undefined) return `r${letter}x`;
  return plain.startsWith('e') ? `r${plain.slice(1)}` : plain.replace(/^(r\d+)d$/, '$1');
}

type Complaint = (message: string) => LitmusError;

/** @param operands source first */
function decode(name: string, operands: readonly string[], locked: boolean, complaint: Complaint): Action | undefined {
  const plain = /^(mov|xchg|add|sub|and|or|xor|cmp|inc|dec)[lq]?$/.exec(name)?.[1];
  if (plain === undefined) return other(name, operands);
  const counts = plain === 'inc' || plain === 'dec' ? 1 : 2;
  if (operands.length !== counts) throw complaint(`expected ${counts} operand${counts === 1 ? '' : 's'}`);
  const places = operands.map(place);
  const values = operands.map((text) => operand(text));
  const to = operands.length - 1;
  const wrong = operands.find((_, i) => places[i] === undefined && values[i] === undefined);
  // Places with an index, a scale or a segment.
  if (wrong !== undefined && /[([:]/.test(wrong)) return undefined;
  if (wrong !== undefined) throw complaint(`'${wrong}' is no register, number or place`);
  const full = { full: true };
  if (plain === 'xchg') {
    const i = places.findIndex((found) => found !== undefined);
    const register = values[1 - i]?.register;
    if (i < 0 || register === undefined) return undefined;
    return { kind: 'atomic', operation: 'swap', operand: { register }, to: register, at: places[i]!, order: full };
  }
  if (places[to] !== undefined && (plain === 'inc' || plain === 'dec' || locked)) {
    if (!locked) return undefined;
    const operation = plain === 'inc' || plain === 'dec' ? 'add' : LOCKED[plain];
    const number = plain === 'dec' ? BigInt.asUintN(64, -1n) : 1n;
    const by: Operand | undefined = counts === 1 ? { number } : values[0];
    if (operation === undefined || by === undefined) return undefined;
    return { kind: 'atomic', operation, operand: by, to: 'zero', at: places[to], order: full };
  }
  if (plain === 'mov') return move(places, values);
  if (places.some((found) => found !== undefined) || values[to]?.register === undefined) return undefined;
  const target = values[to].register;
  if (plain === 'cmp') return { kind: 'compare', a: values[1]!, b: values[0]! };
  if (plain === 'inc' || plain === 'dec')
    return {
      kind: 'compute',
      operation: plain === 'inc' ? 'add' : 'sub',
      to: target,
      a: values[0]!,
      b: { number: 1n },
      flags: true,
    };
  return { kind: 'compute', operation: COMPUTE[plain]!, to: target, a: values[1]!, b: values[0]!, flags: true };
}

function move(places: readonly (Target | undefined)[], values: readonly (Operand | undefined)[]): Action | undefined {
  const [from, to] = places;
  if (to !== undefined)
    return values[0] === undefined ? undefined : { kind: 'store', from: values[0], at: to, order: {} };
  const register = values[1]?.register;
  if (register === undefined) return undefined;
  if (from !== undefined) return { kind: 'load', to: register, at: from, order: {}, exclusive: false };
  return { kind: 'move', to: register, from: values[0]! };
}

function other(name: string, operands: readonly string[]): Action | undefined {
  if (name === 'nop') return { kind: 'nop' };
  if (name === 'mfence') return { kind: 'fence', fence: 'mfence' };
  // They order nothing that TSO does not order.
  if (name === 'sfence' || name === 'lfence') return { kind: 'nop' };
  if (name === 'jmp' && operands.length === 1) return { kind: 'jump', to: operands[0]! };
  const when = JUMPS[name];
  return when !== undefined && operands.length === 1 ? { kind: 'branch', when, to: operands[0]! } : undefined;
}

function place(text: string): Target | undefined {
  const inner = /^[([]\s*(%?\w+)\s*[)\]]$/.exec(text)?.[1];
  if (inner === undefined) return undefined;
  return NAMES.test(inner)
    ? { base: registerName(inner), shift: 0, offset: 0 }
    : { location: inner, shift: 0, offset: 0 };
}

function operand(text: string): Operand | undefined {
  const number = /^\$?(-?(?:0x[0-9a-f]+|\d+))$/i.exec(text)?.[1];
  if (number !== undefined) {
    const value = number.startsWith('-') ? -BigInt(number.slice(1)) : BigInt(number);
    return { number: BigInt.asUintN(64, value) };
  }
  return NAMES.test(text) ? { register: registerName(text) } : undefined;
}
