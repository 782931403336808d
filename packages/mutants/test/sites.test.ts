import { createContext, runInContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { applyEdits } from '../src/edit.ts';
import { sitesOf } from '../src/sites.ts';

/** `text: what` of each mutant. */
function mutantsOf(body: string, head = 'function* f(cpu: Cpu, mm: Mm): Steps<void>'): string[] {
  return sitesOf('x/f.ts', `${head} {\n${body}\n}\n`).mutations.map(({ site, what }) => `${site.text}: ${what}`);
}

describe('sites', () => {
  it('leaves out and weakens calls of the port', () => {
    expect(mutantsOf('yield* cpu.smpMb();')).toEqual([
      'cpu.smpMb(): left out',
      'cpu.smpMb(): smp_wmb instead',
      'cpu.smpMb(): smp_rmb instead',
    ]);
    expect(mutantsOf('const gen = yield* cpu.atomicAddReturn(mm.tlbGen, 1);')).toEqual([
      'cpu.atomicAddReturn(mm.tlbGen, 1): its store left out',
      'cpu.atomicAddReturn(mm.tlbGen, 1): a load and a store instead',
    ]);
  });

  it('leaves out step functions that are called for their effect, plain stores and what is tracked', () => {
    expect(mutantsOf('yield* flush(cpu, mm);')).toEqual(['yield* flush(cpu, mm): left out']);
    expect(mutantsOf('const seen = yield* look(cpu, mm);')).toEqual([]);
    expect(mutantsOf('cpu.write(mm.flags, 1);')).toEqual(['cpu.write(mm.flags, 1): left out']);
    expect(mutantsOf('tlb.freedTables = true;')).toEqual(['tlb.freedTables = true: left out']);
    expect(mutantsOf('tlb.start = Math.min(tlb.start, at);')).toContain('Math.min(tlb.start, at): at alone');
  });

  it('does not change what is told to traces', () => {
    expect(mutantsOf('traceTlbie(cpu, true, pid);')).toEqual([]);
    expect(mutantsOf('flushAll(cpu, true);')).toEqual(['flushAll(cpu, true): false instead']);
  });

  it('takes early returns never and always, but not by configuration', () => {
    expect(mutantsOf('if (a > b) return;')).toEqual([
      'if (a > b) return: never taken',
      'if (a > b) return: always taken',
    ]);
    expect(mutantsOf('if (cpu.kernel.profile.ptReclaim) return;')).toEqual([]);
    expect(mutantsOf('const { ceiling } = x86Of(cpu).switches; if (ceiling > 3) return;')).toEqual([]);
    expect(mutantsOf('if (fold === null) return;')).toEqual([]);
    expect(mutantsOf('if (geometry.pageShift === PAGE_SHIFT) return;')).toEqual([]);
    expect(mutantsOf('if (address % entrySize(geometry, 1) !== 0) return;')).toHaveLength(2);
  });

  it('swaps neighbours that do not use each other', () => {
    const swaps = (body: string): string[] => mutantsOf(body).filter((each) => each.includes(': after '));
    expect(swaps('yield* cpu.writeOnce(a, 1); yield* cpu.writeOnce(b, 1);')).toEqual([
      'yield* cpu.writeOnce(a, 1): after yield* cpu.writeOnce(b, 1)',
    ]);
    expect(swaps('const x = yield* cpu.readOnce(a); yield* cpu.writeOnce(b, x);')).toEqual([]);
    expect(swaps('cpu.write(a, 1); cpu.write(b, 1);')).toEqual([]);
    expect(swaps('yield* cpu.invalidate(a); if (c) yield* invalidateUser(cpu, b);')).toEqual([]);
    expect(swaps('yield* cpu.invalidate(a); yield* cpu.invalidationBarrier();')).toHaveLength(1);
    expect(swaps('cpu.claim.clean(a); yield* cpu.writeOnce(b, 1);')).toEqual([]);
  });

  it('knows swaps that TSO orders anyway', () => {
    const { mutations } = sitesOf(
      'x/f.ts',
      'function* f(cpu: Cpu): Steps<void> { yield* cpu.writeOnce(a, 1); yield* cpu.smpWmb(); yield* cpu.smpMb(); }',
    );
    expect(mutations.filter(({ operator }) => operator === 'swap').map(({ weakOnly }) => weakOnly)).toEqual([
      true,
      true,
    ]);
  });

  it('makes no mutants of zeros in what is being made', () => {
    const made = (name: string): number =>
      sitesOf('x/f.ts', `function* ${name}(cpu: Cpu): Steps<void> { cpu.write(a, 0); cpu.write(b, 1); }`).mutations
        .length;
    expect([made('initNewContext'), made('radixInitNewContext'), made('initializeTlbstate')]).toEqual([1, 1, 2]);
  });

  it('makes no swaps of a 0 that is stored into what is being made', () => {
    const swaps = (name: string): number =>
      sitesOf(
        'x/f.ts',
        `function* ${name}(cpu: Cpu): Steps<void> { cpu.write(a, 0); cpu.write(b, yield* f(cpu)); cpu.write(c, 0); }`,
      ).mutations.filter(({ operator }) => operator === 'swap').length;
    expect([swaps('initNewContext'), swaps('exitContext')]).toEqual([0, 2]);
  });

  it('makes no mutants of a wait after which a loop looks again', () => {
    const wait = "yield* cpu.waitFor(a, 'equal', 0);";
    const waits = (body: string): number => mutantsOf(body).filter((each) => each.includes('not waited')).length;
    expect([waits(`for (;;) { if (f()) return; ${wait} }`), waits(`while (f()) ${wait}`)]).toEqual([0, 0]);
    expect(waits(`for (;;) { if (f()) { ${wait} continue; } return; }`)).toBe(0);
    expect(waits(`for (;;) { if (f()) { ${wait} } return; }`)).toBe(1);
    expect([
      waits(wait),
      waits(`for (const x of y) { ${wait} }`),
      waits(`for (let i = 0; i < n; i++) ${wait}`),
    ]).toEqual([1, 1, 1]);
  });

  it('makes no mutants of what the hardware does', () => {
    const found = (name: string): number =>
      sitesOf('x/f.ts', `function ${name}(cpu: Cpu): number { if (f()) return 0; return 1; }`).mutations.length;
    expect([found('lookup'), found('look')]).toEqual([0, 2]);
  });

  it('leaves a lock out as a whole', () => {
    expect(
      mutantsOf('yield* cpu.spinLock(l); yield* cpu.spinUnlock(l);').filter((each) => each.includes('left out')),
    ).toEqual(['cpu.spinLock(l): lock and unlock left out']);
  });

  it('names equal sites apart', () => {
    const { mutations } = sitesOf(
      'x/f.ts',
      'function* f(cpu: Cpu): Steps<void> {\n f(a); yield* g(cpu);\n f(b); yield* g(cpu);\n}\n',
    );
    expect(mutations.map(({ key }) => key)).toEqual([
      'x/f.ts f: yield* g(cpu): left out',
      'x/f.ts f: yield* g(cpu): left out #2',
    ]);
    expect(mutations.map(({ site }) => site.line)).toEqual([2, 3]);
  });

  it('looks into functions alone', () => {
    expect(sitesOf('x/f.ts', 'cpu.write(a, 1);\nexport const limit: number = Math.min(1, 2);\n').mutations).toEqual([]);
  });
});

/** Runs instrumented code with some mutants on; returns the order of its calls. */
function traceOf(body: string, ...on: number[]): string {
  const source = `function* f(cpu) {\n${body}\n}\n`;
  const code = applyEdits(source, sitesOf('x/f.js', source).edits(0));
  const out: string[] = [];
  const isOn = (id: number): boolean => on.includes(id);
  const $m = Object.assign(isOn, { isOn, note: () => undefined });
  const step = (name: string) => (): Generator<never, string> =>
    (function* () {
      out.push(name);
      return name;
    })();
  const context = createContext({ $m, ...Object.fromEntries(['a', 'b', 'c'].map((name) => [name, step(name)])) });
  (runInContext(`${code}; f({})`, context) as Generator).next();
  expect(code.split('\n').length).toBe(source.split('\n').length);
  return out.join('');
}

describe('instrumented code', () => {
  const mutants = sitesOf('x/f.js', 'function* f(cpu) { yield* a(); yield* b(); yield* c(); }').mutations;
  const number = (operator: string, text: string): number =>
    mutants.findIndex((each) => each.operator === operator && each.site.text === text);
  const body = 'yield* a();\nyield* b();\nyield* c();';

  it('is as it was without a mutant', () => {
    expect(traceOf(body)).toBe('abc');
  });

  it('leaves out', () => {
    expect(traceOf(body, number('elide', 'yield* b()'))).toBe('ac');
  });

  it('swaps, also in a row', () => {
    expect(traceOf(body, number('swap', 'yield* a()'))).toBe('bac');
    expect(traceOf(body, number('swap', 'yield* b()'))).toBe('acb');
  });

  it('swaps what gets a name, and what has a condition', () => {
    const named = 'yield* a();\nconst x = yield* b();\nif (x === "b") yield* c();';
    expect(traceOf(named)).toBe('abc');
    expect(traceOf(named, 0)).toBe('bac');
  });

  it('does two at once', () => {
    expect(traceOf(body, number('elide', 'yield* a()'), number('elide', 'yield* c()'))).toBe('b');
  });
});
