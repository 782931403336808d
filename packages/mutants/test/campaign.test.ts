// The quick part of the campaign: one mutant of each sort, in few scenarios, must be killed. docs/mutants.md has all.
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  CLAIMS,
  type Fate,
  Instrumented,
  Lead,
  type Mutation,
  mutantsOf,
  saved,
  suitePackages,
  verdictOf,
} from '../src/index.ts';

const { mutations } = new Instrumented(suitePackages());

/** Keys of mutants, and oracles of which one must kill it. */
const KILLED: readonly (readonly [key: string, ...oracles: string[]])[] = [
  ['x86/flush-broadcast.ts broadcastTlbFlush: cpu.invalidate(invlpgb(range)): left out', 'O4'],
  ['x86/flush-broadcast.ts broadcastTlbFlush: cpu.invalidationBarrier(): left out', 'O4'],
  ["x86/flush-multi.ts flushTlbLocal: yield* flushTlbFuncCommon(cpu, info, 'local'): left out", 'O10'],
  ['x86/flush.ts flushOverlapped: yield* flushTlbMulti(cpu, mask, info): left out', 'O1', 'O4', 'setup'],
  ['x86/flush-multi.ts shouldFlushTlb: return true: false instead', 'O1', 'O4', 'setup'],
  [
    'x86/flush-multi.ts shouldFlushTlb: if ((yield* cpu.readOnce(tlbstate[target]!.isLazy)) !== 0) return false: always taken',
    'O1',
    'O4',
    'setup',
  ],
  ['core/generation.ts incMmTlbGen: cpu.atomicAddReturn(mm.tlbGen, 1): its store left out', 'O1', 'O4', 'O11', 'setup'],
  [
    'core/mmu-gather.ts tlbFlushMmu: yield* tlbFlushMmuTlbonly(cpu, tlb): after yield* tlbFlushMmuFree(cpu, tlb)',
    'O1',
    'O4',
  ],
  ['core/mmu-gather.ts tlbNoteTable: tlb.freedTables = true: left out', 'O4'],
  ['core/smp.ts onEachCpuCondMask: cpu.awaitIpis(): left out', 'O1', 'O4', 'setup'],
];

/** What another step covers. */
const REMOTE_FLUSH = 'x86/flush-multi.ts flushTlbOthers: yield* flushTlbFuncRemote(cpu, info.address): left out';
/** Two steps whose order does not matter. */
const CLOSING =
  'core/mmu-gather.ts closeGather: yield* lowerPending(cpu, tlb.mm): after if (tlb.epoch !== NO_EPOCH) yield* leaveEpoch(cpu, tlb.mm, tlb.epoch); else yield* closeAlone(cpu, tlb.mm)';

let lead: Lead;
beforeAll(async () => {
  const scenarios = ['munmap/*', 'broadcast/munmap', 'bug:B33/fixed'];
  const wanted = ({ key }: Mutation): boolean => key === REMOTE_FLUSH;
  const options = { arch: 'x86', profiles: ['linux-5.11', 'linux-6.18'], scenarios, jobs: 1, wanted };
  lead = await Lead.start(options, mutations);
}, 300_000);
afterAll(() => lead.close());

function fateOf(key: string): Promise<Fate> {
  const number = mutations.findIndex((mutation) => mutation.key === key);
  if (number < 0) throw new Error(`there is no mutant '${key}'`);
  return lead.fate([number]);
}

test.each(KILLED)('killed: %s', async (key, ...oracles) => {
  const { kill } = await fateOf(key);
  expect(kill).toMatchObject({ by: 'oracle' });
  expect(oracles).toContain(kill!.oracle);
});

test('what a mutant does not change survives', async () => {
  const fate = await fateOf('x86/flush-tlb-info.ts getFlushTlbInfo: cpu.write(info.trimCpumask, 0): left out');
  expect(fate).toMatchObject({ verdict: 'survived', same: true });
  expect(fate.ran).toBeGreaterThan(3);
});

test('what wrong forms alone reach is said to be so, and by which', async () => {
  const key = 'core/mmu-gather.ts tlbFlushMmu: yield* tlbFlushMmuTlbonly(cpu, tlb): left out';
  const fate = await fateOf(key);
  expect(fate.verdict).toBe('twin');
  expect(fate.twin).toMatch(/^munmap\/.*@linux-/);
});

test('what only saves work is counted', async () => {
  const fate = await fateOf(
    "x86/flush-func.ts catchUp: if (localTlbGen === mmTlbGen) { cpu.trace('tlb_flush', reason, 0); return; }: never taken",
  );
  expect(saved(fate.costs!)).toBe('flushes');
  expect(verdictOf(fate)).toBe('costs');
});

test('what no cell reaches is said to be so', async () => {
  const fate = await lead.fate([mutations.findIndex(({ site }) => site.file.startsWith('riscv/'))]);
  expect(fate.verdict).toBe('unreached');
});

test('claims name mutants that exist, and none twice', () => {
  const keys = new Set(mutations.map(({ key }) => key));
  const claimed = CLAIMS.flatMap((claim) => mutantsOf(claim).map((mutant) => `${mutant} ${claim.archs?.join()}`));
  const missing = CLAIMS.flatMap((claim) => [...mutantsOf(claim), claim.coveredBy]).filter((key) => !keys.has(key));
  expect(missing).toEqual([]);
  expect(new Set(claimed).size).toBe(claimed.length);
});

/** Mutants whose pair these few scenarios kill. All other claims are for the campaign. */
const COVERED: readonly string[] = [
  'core/mmu-gather.ts tlbRemoveTable: tlb.cleared |= 1 << (level + 1): left out',
  'x86/flush-multi.ts flushTlbOthers: yield* flushTlbFuncRemote(cpu, info.address): left out',
];

test.each(COVERED)('covered: %s', async (mutant) => {
  const claim = CLAIMS.find((each) => mutantsOf(each).includes(mutant));
  const numbers = [mutant, claim!.coveredBy].map((key) => mutations.findIndex((mutation) => mutation.key === key));
  expect(await lead.fate([numbers[0]!])).toMatchObject({ verdict: 'survived' });
  expect(await lead.fate([numbers[0]!, numbers[1]!])).toMatchObject({ verdict: 'killed', kill: { by: 'oracle' } });
});

test('a pair is not killed by one of the two', async () => {
  const [one, other] = [
    'x86/flush-tlb-info.ts getFlushTlbInfo: cpu.write(info.trimCpumask, 0): left out',
    KILLED.at(-1)![0],
  ].map((key) => mutations.findIndex((mutation) => mutation.key === key));
  expect(await lead.fate([other!])).toMatchObject({ verdict: 'killed' });
  expect(await lead.fate([one!, other!])).toMatchObject({ verdict: 'survived' });
});

test('what covers a survivor is found', async () => {
  const [fate] = await lead.run();
  expect(fate).toMatchObject({ mutation: { key: REMOTE_FLUSH }, covered: { kill: { by: 'oracle' } } });
  expect(fate!.covered!.by).toContain('flushTlbLocal');
  expect(verdictOf(fate!)).toBe('covered');
});

test('two steps may stand in either order if all executions end alike', async () => {
  const number = (text: string): number => mutations.findIndex(({ key }) => key === text);
  expect(await lead.either(number(CLOSING))).toBeGreaterThan(3);
  const before = 'yield* tlbFlushMmuTlbonly(cpu, tlb)';
  const freeing = `core/mmu-gather.ts tlbFlushMmu: ${before}: after yield* tlbFlushMmuFree(cpu, tlb)`;
  expect(await lead.either(number(freeing))).toBeUndefined();
});

test('keys are unique', () => {
  expect(new Set(mutations.map(({ key }) => key)).size).toBe(mutations.length);
});
