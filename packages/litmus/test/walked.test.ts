/**
 * Walks through valid entries change nothing: generated AArch64 programs have the same final states with a walk before every access as
 * without.
 */
import { describe, expect, test } from 'vitest';
import { explore, readLitmus } from '../src/index.ts';
import { numbers } from './numbers.ts';
import { translated } from './translated.ts';

/** Programs of each shape: threads, instructions of each, locations. */
const SHAPES = [
  { threads: 2, length: 4, locations: 2, programs: 250 },
  { threads: 2, length: 5, locations: 2, programs: 80 },
  { threads: 3, length: 3, locations: 2, programs: 120 },
  { threads: 4, length: 2, locations: 2, programs: 60 },
] as const;

/** One thread; `X0`, `X1`, ... hold addresses, `X10` on what was loaded. */
function thread(
  length: number,
  locations: number,
  next: (below: number) => number,
): { code: string[]; loads: string[] } {
  const code: string[] = [];
  const loads: string[] = [];
  const at = (): string => `[X${next(locations)}`;
  const value = (): void => void code.push(`MOV W9,#${1 + next(2)}`);
  for (let i = 0; i < length; i++) {
    const from = loads.length > 0 ? loads[next(loads.length)]! : undefined;
    const to = `W${10 + loads.length}`;
    const load = (name: string, index = ''): void => {
      code.push(`${name} ${to},${at()}${index}]`);
      loads.push(to);
    };
    const acquire = (): void => {
      const name = ['LDR', 'LDR', 'LDAR', 'LDAPR'][next(4)]!;
      code.push(`${name} ${to},${at()}]`);
      loads.push(to);
    };
    const atomic = (name: string, result: string): void => {
      value();
      code.push(`${name} W9,${result},${at()}]`);
    };
    switch (next(11)) {
      case 0:
      case 1:
        acquire();
        break;
      case 2:
      case 3:
        value();
        code.push(`${['STR', 'STR', 'STLR'][next(3)]!} W9,${at()}]`);
        break;
      case 4:
        code.push(['DMB SY', 'DMB LD', 'DMB ST', 'ISB'][next(4)]!);
        break;
      case 5:
        if (from === undefined) break;
        code.push(`EOR W8,${from},${from}`);
        load('LDR', ',W8,SXTW');
        break;
      case 6:
        if (from !== undefined) code.push(`STR ${from},${at()}]`);
        break;
      case 7:
        if (from !== undefined) code.push(`CBNZ ${from},L${i}`, `L${i}: NOP`);
        break;
      case 8:
        atomic(['SWP', 'SWPA', 'SWPL', 'SWPAL', 'LDADD'][next(5)]!, to);
        loads.push(to);
        break;
      case 9:
        if (from === undefined) break;
        code.push(`CMP ${from},#1`, 'CSEL W8,WZR,WZR,EQ');
        value();
        code.push(`STR W9,${at()},W8,SXTW]`);
        break;
      case 10:
        atomic('SWP', 'WZR');
        break;
    }
  }
  return { code: code.length > 0 ? code : ['NOP'], loads };
}

/** A program as a litmus file that shows everything. */
function program({ threads, length, locations }: (typeof SHAPES)[number], next: (below: number) => number): string {
  const names = ['x', 'y', 'z'].slice(0, locations);
  const all = Array.from({ length: threads }, () => thread(length, locations, next));
  const rows = Math.max(...all.map(({ code }) => code.length));
  const table = Array.from({ length: rows }, (_, i) => all.map(({ code }) => code[i] ?? '').join(' | '));
  const init = all.map((_, t) => names.map((name, i) => `${t}:X${i}=${name};`).join(' '));
  const shown = [
    ...all.flatMap(({ loads }, t) => loads.map((register) => `${t}:X${register.slice(1)};`)),
    ...names.map((name) => `${name};`),
  ];
  return [
    'AArch64 generated',
    `{ ${init.join(' ')} }`,
    `${all.map((_, t) => `P${t}`).join(' | ')} ;`,
    ...table.map((row) => `${row} ;`),
    `locations [${shown.join(' ')}]`,
    'exists (true)',
  ].join('\n');
}

describe('generated programs', () => {
  test.each(SHAPES)('$threads threads of $length, $programs programs', { timeout: 120_000 }, (shape) => {
    const next = numbers(shape.threads * 100 + shape.length);
    for (let i = 0; i < shape.programs; i++) {
      const source = program(shape, next);
      const read = readLitmus('generated.litmus', source);
      const [plain, walked] = [read, translated(read)].map((each) => explore(each));
      expect({ source, states: walked!.outcomes.map(({ text }) => text) }).toEqual({
        source,
        states: plain!.outcomes.map(({ text }) => text),
      });
      expect(plain!.complete && walked!.complete).toBe(true);
    }
  });
});
