/**
 * Instruction: what X86_64 and AArch64 programs consist of, in one form. The readers decode into it (x86.ts, aarch64.ts), and
 * run-instructions.ts gives it its meaning.
 */
import type { FenceKind, RmwOperation } from '@mmu-gather/checker';
import type { Arithmetic } from './values.ts';

/** A register, by its one name (`X0`, `rax`), or a number. `zero` reads as 0 and forgets what it is given. */
export type Operand =
  | { readonly register: string; readonly number?: undefined }
  | { readonly register?: undefined; readonly number: bigint };

/** Where an access goes: a named location, or a base register; plus an index and an offset in bytes. */
export interface Target {
  readonly location?: string;
  readonly base?: string;
  readonly index?: string;
  readonly shift: number;
  readonly offset: number;
}

/** When a conditional instruction does something. */
export type Test = 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge';

/** Order of an access. */
export interface Order {
  readonly acquire?: 'acquire' | 'acquirePc';
  readonly release?: boolean;
  /** Fully ordered: a locked instruction of x86. */
  readonly full?: boolean;
}

/** What an instruction does. */
export type Action =
  | { readonly kind: 'nop' }
  | { readonly kind: 'move'; readonly to: string; readonly from: Operand }
  | {
      readonly kind: 'compute';
      readonly operation: Arithmetic;
      readonly to: string;
      readonly a: Operand;
      readonly b: Operand;
      /** Sets the flags, by comparing the result with 0. */
      readonly flags: boolean;
    }
  | { readonly kind: 'compare'; readonly a: Operand; readonly b: Operand }
  | {
      readonly kind: 'select';
      readonly to: string;
      readonly a: Operand;
      readonly b: Operand;
      readonly plus: bigint;
      readonly when: Test;
    }
  | {
      readonly kind: 'load';
      readonly to: string;
      readonly at: Target;
      readonly order: Order;
      readonly exclusive: boolean;
    }
  | { readonly kind: 'store'; readonly from: Operand; readonly at: Target; readonly order: Order }
  | {
      readonly kind: 'storeExclusive';
      readonly status: string;
      readonly from: Operand;
      readonly at: Target;
      readonly order: Order;
    }
  | {
      readonly kind: 'atomic';
      readonly operation: RmwOperation;
      readonly operand: Operand;
      /** `zero`: the result is not kept. */
      readonly to: string;
      readonly at: Target;
      readonly order: Order;
    }
  | {
      readonly kind: 'compareAndSwap';
      readonly old: string;
      readonly value: Operand;
      readonly at: Target;
      readonly order: Order;
    }
  | { readonly kind: 'fence'; readonly fence: FenceKind }
  | { readonly kind: 'tlbi'; readonly address: string | undefined; readonly broadcast: boolean }
  | { readonly kind: 'jump'; readonly to: string }
  | { readonly kind: 'branch'; readonly when: Test; readonly to: string }
  | { readonly kind: 'branchOnZero'; readonly register: string; readonly zero: boolean; readonly to: string }
  | { readonly kind: 'label'; readonly to: string; readonly label: string }
  /** Reads and sets where a fault handler returns to: bytes from the beginning of the program, or a label. */
  | { readonly kind: 'getReturn'; readonly to: string }
  | { readonly kind: 'setReturn'; readonly from: string }
  | { readonly kind: 'return' };

/** An instruction. */
export interface Instruction {
  readonly line: number;
  /** Its labels; those at the end of a program have an instruction that does nothing. */
  readonly labels: readonly string[];
  /** Width of what it works on. */
  readonly bits: number;
  readonly action: Action;
}

/** Reads as 0, and forgets what it is given. */
export const ZERO = 'zero';
