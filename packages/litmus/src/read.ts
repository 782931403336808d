/**
 * Reads a litmus test, whatever its syntax; the first word says which it is.
 */
import { AARCH64 } from './aarch64.ts';
import type { Item, Proposition } from './condition.ts';
import { forEachAtom } from './condition.ts';
import { LitmusError, Unsupported } from './errors.ts';
import { isIsla, readIsla } from './isla.ts';
import { readC } from './read-c.ts';
import { withoutComments } from './scan.ts';
import { checkColumns, readTable, type Table } from './table.ts';
import type { FaultHandling, LitmusTest, Thread } from './test.ts';
import { defaultEntry, entryOf, type Value } from './values.ts';
import { X86_64 } from './x86.ts';

/** Files larger than this are no litmus tests. */
const LARGEST = 1 << 18;

/**
 * Reads a test.
 * @param file its name, for messages
 * @throws LitmusError if it is malformed, Unsupported if it uses what has no meaning here
 */
export function readLitmus(file: string, source: string): LitmusTest {
  if (source.length > LARGEST) throw new LitmusError(file, 0, 'too large for a litmus test');
  if (source.includes('\u0000')) throw new LitmusError(file, 0, 'this is no text');
  const text = source.replaceAll('\r\n', '\n').replace(/^\uFEFF/, '');
  if (isIsla(file, text)) return checked(readIsla(file, text));
  const language = /^\s*(\w+)/.exec(withoutLeadingComments(file, text))?.[1];
  switch (language) {
    case 'C':
      return checked(readC(file, text));
    case 'X86_64':
      return checked(
        ofTable(
          file,
          'X86_64',
          readTable(file, text, X86_64, (info) => variantOf(file, info)),
        ),
      );
    case 'AArch64':
      return checked(
        ofTable(
          file,
          'AArch64',
          readTable(file, text, AARCH64, (info) => variantOf(file, info)),
        ),
      );
    case undefined:
      if (text.trim() === '') throw new LitmusError(file, 1, 'an empty file');
      throw new LitmusError(file, 1, "a litmus test begins with its language: C, X86_64 or AArch64, or is isla's TOML");
    default:
      if (/^(X86|PPC|ARM|RISCV|MIPS|LISA|JAVA|Bell|BPF|LoongArch|CPP)$/i.test(language))
        throw new Unsupported(file, 1, `language '${language}'`);
      throw new LitmusError(
        file,
        1,
        `'${language}' is no language of litmus tests: there are C, X86_64, AArch64, and isla's TOML`,
      );
  }
}

function withoutLeadingComments(file: string, text: string): string {
  return /^\s*\(\*/.test(text) ? withoutComments(file, text, 1) : text;
}

function ofTable(file: string, language: 'X86_64' | 'AArch64', table: Table): LitmusTest {
  const { name, info, initial, columns, question } = table;
  checkColumns(file, columns);
  const variant = variantOf(file, info);
  const management = tthm(file, info.get('tthm'));
  const el0 = (info.get('el0') ?? '').split(/[\s,]+/);
  const threads = columns
    .filter(({ handler }) => !handler)
    .map(({ thread, code }): Thread => {
      const handler = columns.find((column) => column.handler && column.thread === thread)?.code;
      const user = el0.includes(`P${thread}`);
      return { code, statements: [], parameters: [], handler, user, ...management(thread) };
    });
  const memory = new Map<string, Value>(initial.memory);
  const test = {
    file,
    name,
    language,
    memory,
    registers: initial.registers,
    arrays: initial.arrays,
    threads,
    ...question,
  };
  const vmsa = language === 'AArch64' && (info.has('tthm') || variant.vmsa || mentionsEntries(test));
  return { ...test, vmsa, faults: variant.faults, ets2: variant.ets2 };
}

/** What `Variant=` asks for. */
interface Variant {
  readonly vmsa: boolean;
  readonly ets2: boolean;
  readonly faults: FaultHandling;
}

/** @throws Unsupported if it asks for something else */
function variantOf(file: string, info: ReadonlyMap<string, string>): Variant {
  const words = (info.get('variant') ?? '').toLowerCase().split(/[\s,]+/);
  let faults: FaultHandling = 'fatal';
  for (const word of words) {
    if (word === 'imprecise' || word === 'handled') faults = 'handled';
    else if (word === 'faulttonext' || word === 'skip') faults = 'skip';
    else if (!['', 'vmsa', 'kvm', 'precise', 'fatal', 'ets2'].includes(word))
      throw new Unsupported(file, 0, `variant '${word}'`);
  }
  return { vmsa: words.includes('vmsa') || words.includes('kvm'), ets2: words.includes('ets2'), faults };
}

/** `TTHM=HA HD`, or by thread `TTHM=P0:HA P1:HD`. HD goes with HA. */
function tthm(file: string, text: string | undefined): (thread: number) => { accessFlag: boolean; dirty: boolean } {
  const words = (text ?? '').split(/[\s,]+/).filter((word) => word !== '');
  const parsed = words.map((word) => {
    const match = /^(?:P(\d+):)?(HA|HD)$/.exec(word);
    if (match === null) throw new Unsupported(file, 0, `TTHM=${word}`);
    return { thread: match[1] === undefined ? undefined : Number(match[1]), dirty: match[2] === 'HD' };
  });
  return (thread) => {
    const own = parsed.filter((word) => word.thread === undefined || word.thread === thread);
    return { accessFlag: own.length > 0, dirty: own.some(({ dirty }) => dirty) };
  };
}

type Parts = Pick<LitmusTest, 'memory' | 'registers' | 'threads' | 'condition' | 'shown'>;

/** Does a test speak of page tables or faults? */
function mentionsEntries({ memory, registers, threads, condition, shown }: Parts): boolean {
  const isEntry = (value: Value): boolean =>
    typeof value === 'object' && (value.kind === 'entry' || (value.kind === 'address' && value.of.startsWith('PTE(')));
  if ([...memory.keys()].some((name) => name.startsWith('PTE('))) return true;
  if ([...memory.values(), ...registers.values()].some(isEntry)) return true;
  if (threads.some(({ code, handler }) => handler !== undefined || code.some(({ action }) => action.kind === 'tlbi')))
    return true;
  let found = shown.some((item) => 'fault' in item);
  forEachAtom(condition.proposition, (atom) => {
    if (atom.kind === 'fault' || (atom.kind === 'equal' && isEntry(atom.value))) found = true;
  });
  return found;
}

/** Names of threads and locations that the test speaks of exist; locations without a first value get one. */
function checked(test: LitmusTest): LitmusTest {
  const threads = test.threads.length;
  if (threads === 0 || threads > 8) throw new Unsupported(test.file, 0, `a test of ${threads} threads`);
  const memory = new Map(test.memory);
  const check = (item: Item): void => {
    if (item.kind === 'register' && item.thread >= threads)
      throw new LitmusError(test.file, 0, `the condition speaks of P${item.thread}, and there are ${threads} threads`);
  };
  const all: (Proposition | undefined)[] = [test.condition.proposition, test.filter];
  for (const proposition of all)
    if (proposition !== undefined)
      forEachAtom(proposition, (atom) => {
        if (atom.kind === 'equal') check(atom.item);
        if (atom.kind === 'fault') check({ kind: 'register', thread: atom.fault.thread, name: '' });
      });
  for (const shown of test.shown) if ('item' in shown) check(shown.item);
  for (const name of locationsOf(test)) if (!memory.has(name)) memory.set(name, 0n);
  if (test.vmsa) for (const name of new Map(memory).keys()) addEntry(memory, name);
  for (const name of test.registers.keys())
    if (Number(name.split(':')[0]) >= threads)
      throw new LitmusError(test.file, 0, `a register of P${name.split(':')[0]}, which does not exist`);
  return { ...test, memory };
}

function addEntry(memory: Map<string, Value>, name: string): void {
  const home = name.replace(/\[.*$/, '');
  if (name.startsWith('PTE(')) return;
  const entry = entryOf(home);
  if (!memory.has(entry)) memory.set(entry, defaultEntry(home));
}

/** Locations that are named anywhere. */
function locationsOf(test: LitmusTest): Set<string> {
  const names = new Set<string>();
  const of = (value: Value): void => {
    if (typeof value !== 'object') return;
    if (value.kind === 'entry' && value.oa !== '') names.add(value.oa);
    if (value.kind === 'address' || value.kind === 'page') names.add(value.of);
  };
  for (const value of [...test.memory.values(), ...test.registers.values()]) of(value);
  for (const { code, handler } of test.threads)
    for (const { action } of [...code, ...(handler ?? [])])
      if ('at' in action && action.at.location !== undefined) names.add(action.at.location);
  const item = (named: Item): void => {
    if (named.kind === 'location') names.add(named.name);
  };
  for (const shown of test.shown) if ('item' in shown) item(shown.item);
  forEachAtom(test.condition.proposition, (atom) => {
    if (atom.kind !== 'equal') return;
    item(atom.item);
    of(atom.value);
  });
  for (const name of new Set(names)) {
    const home = /^PTE\((.*)\)$/.exec(name)?.[1];
    if (home !== undefined) {
      names.delete(name);
      names.add(home);
    }
  }
  return names;
}
