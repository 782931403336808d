// defineArchitecture: what is usual is filled in, and each mistake is one line that says how to mend it.
import { ASM_GENERIC, axis, type Backend, type BackendSpec } from '@mmu-gather/core/stepped';
import { x86, X86_AXES, X86_LINUX_6_18, type X86Switches } from '@mmu-gather/x86/stepped';
import { describe, expect, test } from 'vitest';
import {
  type Architecture,
  ArchitectureError,
  ARCHITECTURES,
  cells,
  conformanceTests,
  defineArchitecture,
  runCell,
  SCENARIOS,
} from '../src/index.ts';

/** x86 under another name: what a third party may have begun with. */
const mine = (switches: X86Switches = X86_LINUX_6_18): BackendSpec => {
  const spec = x86(switches);
  return { ...spec, id: 'mine', link: (...args) => ({ ...spec.link(...args), id: 'mine' }) };
};

test('a backend without switches is there in every kernel version, and skips and mends nothing', () => {
  const architecture = defineArchitecture({ id: 'mine', backend: () => mine() });
  const { kernels, explored, axes, wrongs, skips, mends } = architecture;
  expect(Object.keys(kernels)).toEqual(['linux-5.11', 'linux-6.1', 'linux-6.12', 'linux-6.18']);
  expect({ explored, axes, wrongs, skips, mends }).toEqual({
    explored: {},
    axes: {},
    wrongs: {},
    skips: [],
    mends: {},
  });
  const [cell] = cells(SCENARIOS, [architecture], { scenarios: ['munmap/own-entries'], profiles: ['linux-6.18'] });
  expect(runCell(cell!)).toMatchObject({ arch: 'mine', verdict: 'holds', exhaustive: true, ok: true });
});

test('switches have the values of the kernels, if no others are given', () => {
  const { axes } = defineArchitecture<{ how: string; wait: boolean; most: number }>({
    id: 'mine',
    backend: () => mine(),
    kernels: {
      'linux-5.11': { how: 'old', wait: true, most: 1 },
      'linux-6.18': { how: 'new', wait: true, most: 2 },
    },
  });
  expect(axes).toEqual({
    how: { right: ['old', 'new'], wrong: [] },
    wait: { right: [true], wrong: [] },
    most: { right: [], wrong: [] },
  });
});

test.each(ARCHITECTURES)('$id is one', (architecture) => {
  expect(defineArchitecture(architecture as never)).toEqual(architecture);
});

describe('one line for each mistake', () => {
  const linked = (changes: Partial<Record<keyof Backend, unknown>>) => (): BackendSpec => {
    const spec = mine();
    return { ...spec, link: (...args) => ({ ...spec.link(...args), ...changes }) as Backend };
  };
  const isa = (changes: object) => (): BackendSpec => ({ ...mine(), isa: { ...mine().isa, ...changes } });
  test.each<[mistake: object, line: RegExp]>([
    [{ id: undefined }, /"\?": 'id' must be lower-case letters and digits, for instance 'loongarch64'/],
    [{ id: 'My Arch' }, /"My Arch": 'id' must be lower-case/],
    [{ backend: undefined }, /'backend' is missing: give a function/],
    [{ kernels: {} }, /'kernels' is empty: give the switches of at least one of linux-5.11, linux-6.1, /],
    [
      { kernels: { 'linux-7.0': {} } },
      /'kernels' has 'linux-7.0', which the suite does not know: there are linux-5.11/,
    ],
    [{ kernels: { 'linux-6.18': null } }, /'kernels' gives no switches for linux-6.18/],
    [{ axes: null }, /'axes' must give the values/],
    [{ axes: { localFlush: true } }, /'axes' has no values of 'localFlush': give axis\(/],
    [
      { kernels: { 'linux-6.18': { wait: true } }, axes: {} },
      /kernel linux-6.18 sets 'wait', which is no switch of 'axes': there are none/,
    ],
    [
      { explored: { localFlsh: true } },
      /explored sets 'localFlsh', which is no switch of 'axes': there are .*localFlush/,
    ],
    [{ wrongs: [] }, /'wrongs' must give the switches of each mistake/],
    [
      { wrongs: { 'no-flush': {} } },
      /'wrongs' has 'no-flush', which is no mistake that twins make: there are no-wait, /,
    ],
    [{ wrongs: { 'no-wait': { wait: false } } }, /wrong 'no-wait' sets 'wait', which is no switch/],
    [{ wrongs: { 'no-wait': false } }, /wrong 'no-wait' gives no switches: give an object/],
    [{ skips: ['T1/*'] }, /'skips' must be a list of \{ scenario, why \}/],
    [{ skips: [{ scenario: 'T1/*' }] }, /'skips' must be a list/],
    [{ mends: { 'T1/naive': '' } }, /'mends' must give a reason/],
    [{ mends: ['T1/naive', 2] }, /'mends' must give a reason/],
    [{ breaks: { 'T1/fixed': 'O1' } }, /'breaks' must give \{ oracle, why \}/],
    [{ backend: () => undefined }, /'backend' returns no BackendSpec/],
    [{ backend: () => x86() }, /its backend has the id 'x86': both must be equal/],
    [{ backend: isa({ memoryModel: 'pso' }) }, /its 'isa.memoryModel' is 'pso': give sc, tso or weak/],
    [{ backend: isa({ asids: 0 }) }, /its 'isa.asids' must be a whole number from 1 on/],
    [{ backend: isa({ dirty: undefined }) }, /its 'isa' does not say 'dirty'/],
    [{ backend: () => ({ ...mine(), isa: undefined }) }, /its backend has no 'isa'/],
    [{ backend: () => ({ ...mine(), mmContextFields: undefined }) }, /its 'mmContextFields' must be a list of names/],
    [
      { backend: linked({ flushTlbMm: undefined, tlbFlush: null }) },
      /its backend lacks tlbFlush, flushTlbMm: see Backend in @mmu-gather\/core; ASM_GENERIC has/,
    ],
    [{ backend: linked({ lazyMmu: undefined }) }, /its backend lacks lazyMmu/],
    [
      {
        backend: () => ({
          ...mine(),
          link: () => {
            throw new Error('no memory\nfor it');
          },
        }),
      },
      /its backend cannot be linked: no memory$/,
    ],
  ])('%j', (mistake, line) => {
    const right = { id: 'mine', backend: mine, kernels: { 'linux-6.18': X86_LINUX_6_18 }, axes: X86_AXES };
    const define = (): Architecture => defineArchitecture({ ...right, ...mistake } as never);
    expect(define).toThrow(ArchitectureError);
    expect(define).toThrow(line);
    expect(define).toThrow(/^architecture [^\n]+$/);
  });

  test('a right one is none, with nullable hooks or without', () => {
    expect(() => defineArchitecture({ id: 'mine', backend: linked({ ...ASM_GENERIC, tlbMiss: null }) })).not.toThrow();
  });
});

test('in a test runner a failure is an error with the race', () => {
  const broken = defineArchitecture({
    id: 'mine',
    backend: ({ waits }: { waits: boolean }) => mine({ ...X86_LINUX_6_18, waitForIpis: waits }),
    kernels: { 'linux-6.18': { waits: false } },
    axes: { waits: axis([true], [false]) },
  });
  const tests = new Map<string, () => void>();
  conformanceTests((name, body) => tests.set(name, body), { archs: [broken], scenarios: ['munmap/running-thread'] });
  expect([...tests.keys()]).toEqual([
    'mine: its skips and mends match',
    'munmap/running-thread mine linux-6.18 tso: holds',
  ]);
  const [match, race] = [...tests.values()];
  expect(match!).not.toThrow();
  expect(race!).toThrow(
    /^expected: holds, found: violated \(O1: page0 is freed, CPU 1 can still access it at page 0\)\n +CPU 0/,
  );
  expect(race!).toThrow(/free page0 /);
});
