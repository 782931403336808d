/**
 * What does not apply, in words.
 */
import type { NotApplicable } from '@mmu-gather/conformance';
import { expect, test } from 'vitest';
import { notApplicableText } from '../src/human/not-applicable.ts';
import type { PlannedCell } from '../src/suite/request.ts';

const LEFT: readonly NotApplicable[] = [
  { id: 'broadcast/gap', arch: 'arm64', why: 'on x86 only: it is about INVLPGB' },
  { id: 'broadcast/munmap', arch: 'arm64', why: 'on x86 only: it is about INVLPGB' },
  { id: 'T19/fixed', arch: 'arm64', why: 'no interrupts' },
  { id: 'munmap/away/mask-first', twinOf: 'munmap/away', arch: 'arm64', why: "arm64 has no 'targets-first'" },
  { id: 'munmap/away/no-fence', twinOf: 'munmap/away', arch: 'arm64', why: 'no fence' },
  { id: 'T3/naive', twinOf: 'T3/fixed', arch: 's390', why: 'no generations' },
];

function planned(id: string, arch: string, twinOf?: string): PlannedCell {
  const what = {
    id,
    arch,
    title: id,
    profile: 'linux-6.18',
    memoryModel: 'weak',
    oracles: [],
    expected: 'holds',
  } as const;
  return twinOf === undefined ? what : { ...what, twinOf };
}

const CELLS = [planned('munmap/away', 'arm64'), planned('T3/fixed', 's390'), planned('rfc/D4', 's390', 'T3/fixed')];

test('scenarios by reason, twins by number, and what is left without one', () => {
  expect(notApplicableText(LEFT, CELLS, false, { columns: 80 })).toBe(
    [
      '3 scenarios do not apply to arm64:',
      '  2  on x86 only: it is about INVLPGB',
      '  1  no interrupts',
      '2 wrong twins do not apply to arm64; --verbose names them',
      'This one is left without a wrong twin on arm64: munmap/away.',
      '1 wrong twin does not apply to s390; --verbose names it',
    ].join('\n'),
  );
});

test('all by name, in 40 columns', () => {
  const text = notApplicableText(LEFT, CELLS, true, { columns: 40 });
  for (const { id } of LEFT) expect(text).toContain(id);
  expect(text.split('\n').filter((line) => line.length > 40)).toEqual([]);
  expect(text).toContain('2 wrong twins do not apply to arm64:\n');
});

test('architectures to which nothing applies, in one line', () => {
  const left = [
    ...LEFT,
    { id: 'munmap/away', arch: 'riscv', why: 'no mask' },
    { id: 'T3/fixed', arch: 'bell', why: 'no' },
  ];
  const text = notApplicableText(left, CELLS, false, { columns: 80 });
  expect(text.split('\n').at(-1)).toBe('nothing of this applies to riscv, bell; --verbose says why');
  expect(text).not.toContain('to riscv:');
  const verbose = notApplicableText(left, CELLS, true, { columns: 80 });
  expect(verbose).toContain('1 scenario does not apply to riscv:\n  1  no mask (munmap/away)');
});

test('nothing, where everything applies', () => {
  expect(notApplicableText([], CELLS, true, { columns: 80 })).toBe('');
});
