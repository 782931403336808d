// Call sites: what stacks in a recording say of who asked for its flushes.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mappedIn } from '../src/read/maps.ts';
import { stackAt } from '../src/read/stacks.ts';
import type { Stack } from '../src/read/event.ts';
import { Sites } from '../src/schedule/sites.ts';
import { csvOf } from '../src/show/csv.ts';
import { whatIfPage } from '../src/show/page.ts';
import { whatIf, type WhatIfReport } from '../src/what-if/what-if.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mmu-gather-sites-'));
});
afterAll(() => rm(folder, { recursive: true }));

const MAPS = [
  '55550000-55560000 r-xp 00001000 08:01 12                /usr/bin/app with spaces',
  '7fb20dc00000-7fb20de00000 r-xp 00028000 08:01 34         /usr/lib/libc.so.6',
  '7fb20df00000-7fb20e000000 rw-s 00000000 00:00 0 ',
  'ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0  [vsyscall]',
  'nonsense',
].join('\n');

const EVENT = { line: 1, time: 1, cpu: 0, pid: 11, tgid: 10, comm: 'app', flags: '', kind: 'mark', text: '' } as const;

function stack(user: boolean, ...frames: string[]): Stack {
  return { ...stackAt(EVENT, user), frames };
}

test('maps of a process', () => {
  expect(mappedIn(MAPS)).toMatchObject([
    {
      start: 0x55550000,
      end: 0x55560000,
      execute: true,
      write: false,
      file: '08:01 12',
      path: '/usr/bin/app with spaces',
    },
    { offset: 0x28000, file: '08:01 34' },
    { shared: true, write: true, file: '', path: '' },
  ]);
});

test('addresses of a program are places in its files, until it runs another one', () => {
  const sites = new Sites([{ tgid: 10, comm: 'app', threads: [10, 11], maps: MAPS }]);
  const frames = ['0x7fb20dd1fa07', '0x55550010', '0x7fb20df00001', '0x1'];
  expect(sites.of(stack(true, ...frames))).toBe('libc.so.6+0x147a07 < app with spaces+0x1010 < 0x7fb20df00001');
  const fork = {
    ...EVENT,
    kind: 'schedProcessFork',
    parentComm: '',
    parentPid: 10,
    childComm: '',
    childPid: 12,
  } as const;
  sites.take(fork);
  sites.take({ ...EVENT, pid: 10, kind: 'schedProcessExec', filename: '', taskPid: 10, oldPid: 10 });
  expect(sites.of(stack(true, ...frames))).toBe('0x7fb20dd1fa07 < 0x55550010 < 0x7fb20df00001');
  expect(sites.of({ ...stack(true, '0x55550010'), pid: 12, tgid: 12 })).toBe('app with spaces+0x1010');
});

test('of the kernel, what flushes is left out', () => {
  const frames = [
    'trace_event_raw_event_tlb_flush',
    'flush_tlb_mm_range',
    'tlb_finish_mmu',
    'do_madvise',
    'do_syscall_64',
  ];
  expect(new Sites([]).of(stack(false, ...frames))).toBe('do_madvise < do_syscall_64');
  expect(new Sites([]).of(stack(true))).toBe('');
});

/** Two places give memory back, one of them twice as often. */
async function recorded(...without: RegExp[]): Promise<WhatIfReport> {
  let time = 1_000_000;
  const line = (text: string): string => {
    time++;
    return `app-10 (10) [000] .....  ${Math.floor(time / 1e6)}.${String(time % 1e6).padStart(6, '0')}: ${text}`;
  };
  const at = 0x7f0000000000;
  const hex = at.toString(16);
  const place = (frame: string): string[] => [line('<user stack trace>'), ` =>  <${frame}>`];
  const once = (frame: string): string[] => [
    line(`page_fault_user: address=0x${hex} ip=0x1000 error_code=0x6`),
    ...place('0000000000001000'),
    line(`sys_madvise(start: 0x${hex}, len_in: 0x1000, behavior: 4)`),
    ...place(frame),
    line('page_fault_kernel: address=0x0 ip=__get_user_nocheck_8 error_code=0x0'),
    line('sys_madvise -> 0x0'),
  ];
  const lines = [
    line('sys_mmap(addr: 0, len: 0x1000, prot: 3, flags: 0x22, fd: 0xffffffff, off: 0)'),
    ...place('0000000000003000'),
    line(`sys_mmap -> 0x${hex}`),
    ...once('0000000000004000'),
    ...once('0000000000005000'),
    ...once('0000000000004000'),
  ].filter((each) => !without.some((pattern) => pattern.test(each)));
  const path = join(folder, 'trace.txt');
  await writeFile(path, `# tracer: nop\n#\n${lines.join('\n')}\n`);
  return whatIf(path);
}

test('what flushes cost is billed to the call site; a fault of the stack walk itself is no fault', async () => {
  const report = await recorded();
  expect(report.replay.mismatches).toHaveLength(3);
  expect(report.sites.map(({ operation, site, flushes }) => [operation, site, flushes])).toEqual([
    ['madvise', '0x4000', 2],
    ['madvise', '0x5000', 1],
  ]);
  expect(report.operations.map(({ operation, flushes }) => [operation, flushes])).toEqual([['madvise', 3]]);
  expect(csvOf(report)).toMatch(/^site,app,10,madvise,0x4000,2,/m);
  expect(whatIfPage(report)).toMatch(/At which call site.*app-10 madvise: 0x4000/s);
});

test('a recording without stacks has no call sites, and costs the same', async () => {
  const { sites, recorded: costs } = await recorded(/stack trace/, / => {2}/, /nocheck/);
  expect(sites).toEqual([]);
  expect(costs).toEqual((await recorded()).recorded);
});
