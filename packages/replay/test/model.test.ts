// Small recordings written by hand: what the model makes of each kind of event.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Host } from '../src/model/host.ts';
import { replay, replayWatched } from '../src/replay.ts';
import type { ReplayReport } from '../src/report.ts';
import { AHEAD } from '../src/schedule/ahead.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mmu-gather-model-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** One line of a trace; times follow from the order. */
type Line = (time: number) => string;

function line(pid: number, cpu: number, text: string, comm = 'task', flags = '.....'): Line {
  return (time) => {
    const stamp = `${Math.floor(time / 1e6)}.${String(time % 1e6).padStart(6, '0')}`;
    return `${comm.padStart(16)}-${pid} (${String(pid).padStart(7)}) [00${cpu}] ${flags}  ${stamp}: ${text}`;
  };
}

const enter = (pid: number, cpu: number, text: string): Line => line(pid, cpu, `sys_${text}`);
const exit = (pid: number, cpu: number, name: string, ret = 0): Line =>
  line(pid, cpu, `sys_${name} -> 0x${(ret < 0 ? 2n ** 64n + BigInt(ret) : BigInt(ret)).toString(16)}`);
const mmap = (pid: number, cpu: number, at: number, bytes: number, prot = 3, flags = 0x22): Line[] => [
  enter(
    pid,
    cpu,
    `mmap(addr: 0, len: 0x${bytes.toString(16)}, prot: ${prot}, flags: 0x${flags.toString(16)}, fd: 0xffffffff, off: 0)`,
  ),
  exit(pid, cpu, 'mmap', at),
];
const range = (pid: number, cpu: number, name: string, at: number, bytes: number, last = ''): Line[] => [
  enter(pid, cpu, `${name}(addr: 0x${at.toString(16)}, len: 0x${bytes.toString(16)}${last})`),
  exit(pid, cpu, name),
];
const fault = (pid: number, cpu: number, at: number, code: number): Line =>
  line(pid, cpu, `page_fault_user: address=0x${at.toString(16)} ip=0x1000 error_code=0x${code.toString(16)}`);
const touch = (pid: number, cpu: number, at: number, pages: number): Line[] =>
  Array.from({ length: pages }, (_, page) => fault(pid, cpu, at + page * 4096, 6));
const switchTo = (cpu: number, from: number, to: number, state = 'S', fromName = 'task', toName = 'task'): Line =>
  line(
    from,
    cpu,
    `sched_switch: prev_comm=${fromName} prev_pid=${from} prev_prio=120 prev_state=${state} ==> next_comm=${toName} next_pid=${to} next_prio=120`,
    fromName,
    'd..2.',
  );
const newtask = (pid: number, cpu: number, child: number, flags: number): Line =>
  line(pid, cpu, `task_newtask: pid=${child} comm=task clone_flags=${flags.toString(16)} oom_score_adj=0`);

const AT = 0x7f0000000000;

/** Replays lines. The recorded side is empty: what counts is what is predicted. */
async function predictions(...lines: (Line | Line[])[]): Promise<string[]> {
  const report = await run(...lines);
  expect(report.recorded).toBe(0);
  return report.mismatches.map(
    ({ operation, cpu, predicted }) => `${operation} ${cpu} ${predicted!.reason}/${predicted!.pages}`,
  );
}

/** The same on another kernel. */
async function predictionsOn(kernel: string, ...lines: (Line | Line[])[]): Promise<string[]> {
  await run(...lines);
  const { mismatches } = await replay(join(folder, 'trace.txt'), { exact: true, facts: { kernel } });
  return mismatches.map(({ operation, predicted }) => `${operation} ${predicted!.reason}/${predicted!.pages}`);
}

async function run(...lines: (Line | Line[])[]): Promise<ReplayReport> {
  const path = join(folder, 'trace.txt');
  const text = lines.flat().map((make, i) => make(1_000_000 + i));
  await writeFile(path, `# tracer: nop\n#\n${text.join('\n')}\n`);
  return replay(path, { exact: true });
}

describe('one task', () => {
  test('what was touched is flushed, and only that', async () => {
    expect(
      await predictions(
        mmap(10, 0, AT, 16 * 4096),
        touch(10, 0, AT, 5),
        range(10, 0, 'munmap', AT, 16 * 4096),
        range(10, 0, 'munmap', AT, 16 * 4096),
      ),
    ).toEqual(['munmap 0 3/5']);
  });

  test('33 pages one by one, 34 as a whole', async () => {
    const all = (pages: number): Line[] => [
      ...mmap(10, 0, AT, 64 * 4096),
      ...touch(10, 0, AT, pages),
      ...range(10, 0, 'madvise', AT, 64 * 4096, ', behavior: 4'),
    ];
    expect(await predictions(all(33))).toEqual(['madvise 0 3/33']);
    expect(await predictions(all(34))).toEqual(['madvise 0 3/-1']);
  });

  test('a call that failed did nothing', async () => {
    const failed = [enter(10, 0, `munmap(addr: 0x${AT.toString(16)}, len: 0x1000)`), exit(10, 0, 'munmap', -22)];
    expect(await predictions(mmap(10, 0, AT, 4096), touch(10, 0, AT, 1), failed)).toEqual([]);
  });

  test('a new mapping in a place that the model takes for used is no munmap', async () => {
    expect(
      await predictions(mmap(10, 0, AT, 4096), touch(10, 0, AT, 1), mmap(10, 0, AT, 4096), touch(10, 0, AT, 1)),
    ).toEqual([]);
    const fixed = mmap(10, 0, AT, 4096, 3, 0x32);
    expect(await predictions(mmap(10, 0, AT, 4096), touch(10, 0, AT, 1), fixed)).toEqual(['mmap 0 3/1']);
  });

  test('a write to a page that nobody saw being mapped is a copy, and says so', async () => {
    const report = await run(fault(10, 0, AT, 7));
    expect(report.mismatches.map(({ predicted }) => predicted)).toEqual([{ reason: 3, pages: 1 }]);
    expect(report.mismatches[0]!.cause).toMatch(
      /a mapping that the recording does not hold.*nothing in the recording mapped it/,
    );
  });

  test('the execve of a vfork child took effect when its parent goes on', async () => {
    const child = [
      enter(10, 0, 'vfork()'),
      newtask(10, 0, 11, 0x4100),
      switchTo(0, 10, 11),
      enter(11, 0, 'execve(filename: 0x1000, argv: 0, envp: 0)'),
    ];
    const rest = [
      exit(10, 0, 'vfork', 11),
      switchTo(0, 10, 11),
      line(11, 0, 'sched_process_exec: filename=x pid=11 old_pid=11'),
      exit(11, 0, 'execve'),
    ];
    // Another address space is loaded, so the switch back loads the parent's again.
    expect(await predictions(touch(10, 0, 0x7ffff7fe4000, 1), child, switchTo(0, 11, 10, 'R'), rest)).toEqual([
      'execve 0 0/-1',
      'switch 0 0/0',
      'switch 0 0/0',
    ]);
  });

  test('exec loads; with randomised addresses it also moves the stack', async () => {
    const exec = [
      enter(10, 0, 'execve(filename: 0x1000, argv: 0, envp: 0)'),
      line(10, 0, 'sched_process_exec: filename=x pid=10 old_pid=10'),
      exit(10, 0, 'execve'),
    ];
    const fixed = fault(10, 0, 0x7ffff7fe4b70, 0x14);
    const random = fault(10, 0, 0x7f21a4a54359, 0x14);
    expect(await predictions(exec, fixed, exec)).toEqual(['execve 0 0/-1', 'execve 0 0/-1']);
    // Also the first one: addresses that come later tell.
    const moves = ['execve 0 0/-1', 'execve 0 3/1', 'execve 0 3/-1'];
    expect(await predictions(exec, random, exec)).toEqual([...moves, ...moves]);
  });

  test('a call shows how far a mapping reaches that is not recorded, and reads have mapped pages around theirs', async () => {
    const protect = range(10, 0, 'mprotect', AT, 0x3000, ', prot: 0');
    expect(await predictions(fault(10, 0, AT + 0x2000, 4), protect)).toEqual(['mprotect 0 3/3']);
    // Not a write, nor a read too far away.
    expect(await predictions(fault(10, 0, AT + 0x2000, 6), protect)).toEqual(['mprotect 0 3/1']);
    const far = [fault(10, 0, AT + 0x10000, 4), ...range(10, 0, 'mprotect', AT, 0x11000, ', prot: 0')];
    expect(await predictions(far)).toEqual(['mprotect 0 3/1']);
  });

  test('what is not modelled says so', async () => {
    const flushed = line(10, 0, 'tlb_flush: pages:1 reason:local MM shootdown (3)');
    const report = await run(
      enter(10, 0, 'process_madvise(pidfd: 4, vec: 0x1000, vlen: 1, behavior: 4, flags: 0)'),
      flushed,
      exit(10, 0, 'process_madvise'),
    );
    expect(report.mismatches).toMatchObject([
      { recorded: { reason: 3, pages: 1 }, cause: 'the ranges of process_madvise are in memory that is not recorded' },
    ]);
  });

  test('process_madvise: its ranges where a probe has shown them', async () => {
    const shown = (...pages: (readonly [first: number, count: number])[]): Line => {
      const texts = pages.map(([page, count], at) => {
        const start = (AT + page * 4096).toString(16);
        return `s${at}=0x${start} l${at}=0x${(count * 4096).toString(16)}`;
      });
      return line(10, 0, `process_madvise_ranges: (syscalls.sys_enter_process_madvise) ${texts.join(' ')}`);
    };
    const advise = (advice: number, pages: number, ranges: Line): Line[] => [
      enter(10, 0, `process_madvise(pidfd: 4, vec: 0x1000, vlen: 2, behavior: 0x${advice.toString(16)}, flags: 0)`),
      ranges,
      exit(10, 0, 'process_madvise', pages * 4096),
    ];
    const mapped = [...mmap(10, 0, AT, 8 * 4096), ...touch(10, 0, AT, 8)];
    const rest = range(10, 0, 'madvise', AT, 8 * 4096, ', behavior: 4');
    // What stands behind the ranges of the call is none.
    const two = shown([0, 1], [3, 2], [6, 1]);
    expect(await predictions(mapped, advise(20, 3, two))).toEqual(['process_madvise 0 3/1', 'process_madvise 0 3/2']);
    // One flush for all that was emptied: from the first page to the last.
    expect(await predictions(mapped, advise(4, 3, two), rest)).toEqual(['process_madvise 0 3/5', 'madvise 0 3/7']);
    // It got no further than its result says.
    expect(await predictions(mapped, advise(20, 2, two))).toEqual(['process_madvise 0 3/1', 'process_madvise 0 3/1']);
    // Memory of somebody else.
    expect(await predictions(mapped, advise(4, 3, shown([100, 1], [103, 2])))).toEqual([]);
    // More ranges than the probe shows: they are guessed.
    expect(await predictions(mapped, advise(4, 3, shown([0, 1])))).toEqual(['process_madvise 0 3/3']);
  });

  test('process_madvise: equal parts of the mapping that was touched last, each with a flush where madvise of each has one', async () => {
    const advise = (advice: number): Line[] => [
      enter(10, 0, `process_madvise(pidfd: 4, vec: 0x1000, vlen: 2, behavior: 0x${advice.toString(16)}, flags: 0)`),
      exit(10, 0, 'process_madvise', 4 * 4096),
    ];
    const mapped = [...mmap(10, 0, AT, 8 * 4096), ...touch(10, 0, AT, 8)];
    const empty = range(10, 0, 'madvise', AT, 8 * 4096, ', behavior: 4');
    // Memory that is cold becomes cold again: somebody read it, which leaves no event.
    const cold = ['process_madvise 0 3/2', 'process_madvise 0 3/2'];
    expect(await predictions(mapped, advise(20), advise(20), empty)).toEqual([...cold, ...cold, 'madvise 0 3/8']);
    expect(await predictions(mapped, advise(4), empty)).toEqual(['process_madvise 0 3/4', 'madvise 0 3/4']);
    expect(await predictionsOn('6.12', mapped, advise(4), empty)).toEqual([
      'process_madvise 3/2',
      'process_madvise 3/2',
      'madvise 3/4',
    ]);
    expect(await predictions(mapped, advise(3), empty)).toEqual(['madvise 0 3/8']);
  });

  test('a mapping that is made, or goes, outside of recorded calls: shared memory', async () => {
    const found = (at: number): Line =>
      line(
        10,
        0,
        `vm_unmapped_area: addr=0x${at.toString(16)} err=0 total_vm=0x1 flags=0x1 len=0x4000 lo=0x1000 hi=0x7fff00000000`,
      );
    const goes = line(10, 0, 'unmap_vmas: (unmap_vmas+0xc/0x260) tlb=0xc00000000384b7e0');
    const made = [enter(10, 0, 'brk(brk: 0)'), exit(10, 0, 'brk', AT), found(AT + 0x1000), found(AT + 0x21000)];
    const written = [...touch(10, 0, AT + 0x1000, 3), ...touch(10, 0, AT + 0x21000, 2)];
    // The oldest goes first, and what is found in its place is another one.
    expect(await predictions(made, written, goes, goes, goes)).toEqual(['fault 0 3/3', 'fault 0 3/2', 'fault 0 3/0']);
    expect(await predictions(made, written, found(AT + 0x1000), goes)).toEqual(['fault 0 3/3', 'fault 0 3/2']);
    // A recorded call's own places and ends say nothing more.
    const unmap = [enter(10, 0, `munmap(addr: 0x${AT.toString(16)}, len: 0x1000)`), goes, exit(10, 0, 'munmap')];
    expect(await predictions(made, written, unmap)).toEqual([]);
    const failed = line(10, 0, 'vm_unmapped_area: addr=0xfffffffffffffff4 err=-12 total_vm=0x1 flags=0x1 len=0x4000');
    expect(await predictions(failed, goes)).toEqual([]);
  });

  const mremap = (from: number, bytes: number, to: number, flags: number): Line[] => [
    enter(
      10,
      0,
      `mremap(addr: 0x${from.toString(16)}, old_len: 0x${bytes.toString(16)}, new_len: 0x${bytes.toString(16)}, flags: ${flags}, new_addr: 0)`,
    ),
    exit(10, 0, 'mremap', to),
  ];
  const TO = AT + 2 ** 30;

  test('mremap flushes the part that it moves, and what was touched goes along', async () => {
    expect(
      await predictions(
        mmap(10, 0, AT, 8 * 4096),
        touch(10, 0, AT, 2),
        mremap(AT, 8 * 4096, TO, 1),
        range(10, 0, 'munmap', AT, 8 * 4096),
        range(10, 0, 'madvise', TO, 8 * 4096, ', behavior: 4'),
      ),
      // The old range has no pages left, but a table of its own.
    ).toEqual(['mremap 0 3/8', 'mremap 0 3/0', 'madvise 0 3/2']);
  });

  test('with MREMAP_DONTUNMAP the old range stays, and its table', async () => {
    expect(
      await predictions(
        mmap(10, 0, AT, 4 * 4096),
        touch(10, 0, AT, 1),
        mremap(AT, 4 * 4096, TO, 5),
        touch(10, 0, AT, 1),
      ),
    ).toEqual(['mremap 0 3/4']);
  });

  const shared = (fd: number, prot = 3): Line[] => [
    enter(10, 0, `mmap(addr: 0, len: 0x8000, prot: ${prot}, flags: 1, fd: ${fd}, off: 0)`),
    exit(10, 0, 'mmap', AT),
  ];
  const write = (pages: number): Line[] => touch(10, 0, AT, pages);

  test('msync cleans what was written to, once', async () => {
    const sync = range(10, 0, 'msync', AT, 0x8000, ', flags: 4');
    expect(await predictions(shared(5), write(3), sync, sync)).toEqual(Array.from({ length: 3 }, () => 'msync 0 3/1'));
    // MS_ASYNC does nothing, nor does memory without a file.
    expect(await predictions(shared(5), write(3), range(10, 0, 'msync', AT, 0x8000, ', flags: 1'))).toEqual([]);
    expect(await predictions(mmap(10, 0, AT, 0x8000, 3, 0x21), write(3), sync)).toEqual([]);
  });

  test('fsync and fdatasync write all of a file, sync_file_range a part of it', async () => {
    const one = (text: string): Line[] => [enter(10, 0, text), exit(10, 0, text.slice(0, text.indexOf('(')))];
    const sync = one('fsync(fd: 5)');
    expect(await predictions(shared(5), write(2), sync, sync)).toEqual(['fsync 0 3/1', 'fsync 0 3/1']);
    expect(await predictions(shared(5), write(2), one('fdatasync(fd: 6)'))).toEqual([]);
    const part = (flags: number): Line[] =>
      one(`sync_file_range(fd: 5, offset: 0x1000, nbytes: 0x1000, flags: ${flags})`);
    expect(await predictions(shared(5), write(3), part(1))).toEqual([]);
    expect(await predictions(shared(5), write(3), part(2))).toEqual(['sync_file_range 0 3/1']);
  });

  describe('a call that is not recorded writes a file out', () => {
    const sleep = [switchTo(0, 10, 0, 'D'), switchTo(0, 0, 10, 'R')];
    const denied = fault(10, 0, AT, 7);
    const twice = ['fault 0 3/1', 'fault 0 3/1'];

    test('the task slept, and a page that it could write to cannot be written to: all of the file was', async () => {
      expect(await predictions(shared(5), write(2), sleep, sleep, denied)).toEqual(twice);
      expect(await predictions(shared(5), write(2), sleep, denied, sleep, fault(10, 0, AT + 4096, 7))).toEqual(twice);
    });

    test('nothing was, if no later write faults so, or the page was away, or a call is recorded', async () => {
      expect(await predictions(shared(5), write(2), sleep)).toEqual([]);
      expect(await predictions(shared(5), write(2), sleep, fault(10, 0, AT, 6), denied)).toEqual([]);
      const sync = range(10, 0, 'msync', AT, 0x8000, ', flags: 4');
      expect(await predictions(shared(5), write(2), sleep, sync, denied)).toEqual(['msync 0 3/1', 'msync 0 3/1']);
    });

    test('memory without a file is not written, and who sleeps in another way does not write', async () => {
      expect(await predictions(shared(5), mmap(10, 0, AT, 0x8000, 3, 0x21), write(2), sleep, denied)).toEqual([]);
      const other = [switchTo(0, 10, 0), switchTo(0, 0, 10, 'R')];
      expect(await predictions(shared(5), write(2), other, denied)).toEqual([]);
    });

    test('what comes too late tells nothing', async () => {
      const noise = Array.from({ length: AHEAD + 1 }, () => line(10, 0, 'noise: x'));
      expect(await predictions(shared(5), write(2), sleep, noise.slice(10), denied)).toEqual(twice);
      expect(await predictions(shared(5), write(2), sleep, noise, denied)).toEqual([]);
    });
  });

  test('what a file loses, its mappings lose', async () => {
    const cut = [enter(10, 0, 'ftruncate(fd: 5, length: 0x1000)'), exit(10, 0, 'ftruncate')];
    const other = [enter(10, 0, 'ftruncate(fd: 6, length: 0)'), exit(10, 0, 'ftruncate')];
    const hole = [enter(10, 0, 'fallocate(fd: 5, mode: 3, offset: 0x800, len: 0x2000)'), exit(10, 0, 'fallocate')];
    expect(await predictions(shared(5), write(4), other, cut, cut)).toEqual(['ftruncate 0 3/3']);
    // Whole pages only.
    expect(await predictions(shared(5), write(4), hole)).toEqual(['fallocate 0 3/1']);
    expect(await predictions(shared(5), write(4), range(10, 0, 'madvise', AT, 0x3000, ', behavior: 9'))).toEqual([
      'madvise 0 3/3',
    ]);
    // So does memory that processes share.
    const memory = mmap(10, 0, AT, 0x4000, 3, 0x21);
    expect(await predictions(memory, write(4), range(10, 0, 'madvise', AT, 0x3000, ', behavior: 9'))).toEqual([
      'madvise 0 3/3',
    ]);
  });

  test('a System V segment is as long as the gap that it was put into, and shared', async () => {
    const above = mmap(10, 0, AT + 0x4000, 4096);
    const attach = [enter(10, 0, 'shmat(shmid: 1, shmaddr: 0, shmflg: 0)'), exit(10, 0, 'shmat', AT)];
    const detach = [enter(10, 0, `shmdt(shmaddr: 0x${AT.toString(16)})`), exit(10, 0, 'shmdt')];
    expect(await predictions(above, attach, touch(10, 0, AT, 4), detach, detach)).toEqual(['shmdt 0 3/4']);
  });

  test('MAP_POPULATE fills, but not with MAP_NONBLOCK', async () => {
    const empty = range(10, 0, 'madvise', AT, 0x4000, ', behavior: 4');
    expect(await predictions(mmap(10, 0, AT, 0x4000, 3, 0x8022), empty)).toEqual(['madvise 0 3/4']);
    expect(await predictions(mmap(10, 0, AT, 0x4000, 3, 0x18022), empty)).toEqual([]);
  });

  const pageout = range(10, 0, 'madvise', AT, 0x3000, ', behavior: 0x15');

  test('MADV_PAGEOUT takes pages of files away one by one; anonymous ones stay, for want of swap', async () => {
    const empty = range(10, 0, 'madvise', AT, 0x3000, ', behavior: 4');
    expect(await predictions(shared(5), write(3), pageout, empty)).toEqual(Array(3).fill('madvise 0 3/1'));
    expect(await predictions(mmap(10, 0, AT, 0x3000), write(3), pageout, empty)).toEqual(['madvise 0 3/3']);
    // Unless nobody wants them any more.
    const free = range(10, 0, 'madvise', AT, 0x3000, ', behavior: 8');
    expect(await predictions(mmap(10, 0, AT, 0x3000), write(3), free, pageout)).toEqual([
      'madvise 0 3/3',
      ...Array(3).fill('madvise 0 3/1'),
    ]);
  });

  const HUGE = 2 ** 21;
  const advise = (bytes: number, advice: number): Line[] =>
    range(10, 0, 'madvise', AT, bytes, `, behavior: 0x${advice.toString(16)}`);

  test('a huge page is one unit, and in parts 512', async () => {
    const huge = [...mmap(10, 0, AT, HUGE), ...advise(HUGE, 14), fault(10, 0, AT, 6)];
    expect(await predictions(huge, range(10, 0, 'munmap', AT, HUGE))).toEqual(['munmap 0 3/1']);
    // The split, then the part.
    expect(await predictions(huge, advise(4096, 4))).toEqual(['madvise 0 3/-1', 'madvise 0 3/1']);
    // None is made after MADV_NOHUGEPAGE, and one that is there stays.
    expect(
      await predictions(
        mmap(10, 0, AT, HUGE),
        advise(HUGE, 14),
        advise(HUGE, 15),
        fault(10, 0, AT, 6),
        advise(HUGE, 4),
      ),
    ).toEqual(['madvise 0 3/1']);
    expect(await predictions(huge, advise(HUGE, 15), range(10, 0, 'munmap', AT, HUGE))).toEqual(['munmap 0 3/1']);
  });

  test('of a huge page that is split, pages that are not put back lead to the page of zeroes', async () => {
    const huge = [...mmap(10, 0, AT, HUGE), ...advise(HUGE, 14), fault(10, 0, AT, 6)];
    const free = (...returned: number[]): Line[] => [
      enter(10, 0, `madvise(start: 0x${AT.toString(16)}, len_in: 0x5000, behavior: 8)`),
      ...returned.map((page) =>
        line(10, 0, `remove_migration_pte: addr=${(AT + page * 4096).toString(16)}, pte=8000000000000067 order=0`),
      ),
      exit(10, 0, 'madvise'),
    ];
    expect(await predictions(huge, free())).toEqual(['madvise 0 3/-1', 'madvise 0 3/5']);
    expect(await predictions(huge, free(0))).toEqual(['madvise 0 3/-1', 'madvise 0 3/1']);
    expect(await predictions(huge, free(1, 3))).toEqual(['madvise 0 3/-1', 'madvise 0 3/3']);
  });

  test('mappings that differ in what they promise or lock are not merged: arm64 flushes at the end of each', async () => {
    const handle = (at: number): Line =>
      line(10, 0, `handle_mm_fault: (handle_mm_fault+0x0/0x260) vma=0x1 mm=0x2 addr=0x${at.toString(16)} flags=0x255`);
    const both = [handle(AT), handle(AT + 4096), ...range(10, 0, 'munmap', AT, 0x2000)];
    const flushes = async (...lines: (Line | Line[])[]): Promise<number> => {
      await run(...lines);
      const facts = { backend: 'arm64', kernel: '6.1' } as const;
      const { mismatches } = await replay(join(folder, 'trace.txt'), { exact: true, facts });
      return mismatches.filter(({ operation, predicted }) => operation === 'munmap' && predicted?.where?.endsWith(' 8'))
        .length;
    };
    const upper = mmap(10, 0, AT + 4096, 4096);
    expect(await flushes(mmap(10, 0, AT, 4096), upper, both)).toBe(1);
    expect(await flushes(mmap(10, 0, AT, 4096, 3, 0x4022), upper, both)).toBe(2);
    // Nothing was promised for it before it became writable.
    const protect = range(10, 0, 'mprotect', AT, 4096, ', prot: 3');
    expect(await flushes(mmap(10, 0, AT, 4096, 1), upper, protect, both)).toBe(1);
    const lock = (name: string): Line[] => range(10, 0, name, AT, 4096);
    expect(await flushes(mmap(10, 0, AT, 4096), upper, lock('mlock'), both)).toBe(2);
    expect(await flushes(mmap(10, 0, AT, 4096), upper, lock('mlock'), lock('munlock'), protect, both)).toBe(1);
  });

  test('twenty huge pages fill no gather, and as many small ones do', async () => {
    const all = [
      ...mmap(10, 0, AT, 20 * HUGE),
      ...advise(20 * HUGE, 14),
      ...Array.from({ length: 20 }, (_, i) => fault(10, 0, AT + i * HUGE, 6)),
    ];
    expect(await predictions(all, advise(20 * HUGE, 4))).toEqual(['madvise 0 3/20']);
    const small = mmap(10, 0, AT, 9_700 * 4096, 3, 0x8022);
    expect(await predictions(small, advise(9_700 * 4096, 4))).toEqual(['madvise 0 3/-1', 'madvise 0 3/22']);
  });

  test('huge pages and MADV_PAGEOUT by kernel version', async () => {
    const huge = [...mmap(10, 0, AT, HUGE), ...advise(HUGE, 14), fault(10, 0, AT, 6)];
    // pmdp_invalidate flushes at once, then the gather.
    expect(await predictionsOn('6.12', huge, advise(HUGE, 20))).toEqual(['madvise 3/-1', 'madvise 3/1']);
    expect(await predictionsOn('6.18', huge, advise(HUGE, 20))).toEqual(['madvise 3/1']);
    const protect = (prot: number): Line[] => range(10, 0, 'mprotect', AT, HUGE, `, prot: ${prot}`);
    expect(await predictionsOn('6.1', huge, protect(1), protect(3))).toEqual(['mprotect 3/1']);
    expect(await predictionsOn('6.12', huge, protect(1), protect(3))).toEqual(['mprotect 3/1', 'mprotect 3/1']);
    const ones = Array(3).fill('madvise 3/1');
    expect(await predictionsOn('6.1', shared(5), write(3), pageout)).toEqual([...ones, 'madvise 3/3']);
    expect(await predictionsOn('6.12', shared(5), write(3), pageout)).toEqual(ones);
  });

  test('the heap shrinks', async () => {
    const brk = (to: number): Line[] => [enter(10, 0, `brk(brk: 0x${to.toString(16)})`), exit(10, 0, 'brk', to)];
    expect(
      await predictions(
        [enter(10, 0, 'brk(brk: 0)'), exit(10, 0, 'brk', AT)],
        brk(AT + 8 * 4096),
        touch(10, 0, AT, 8),
        brk(AT + 4096),
      ),
    ).toEqual(['brk 0 3/7']);
  });
});

test('advice that only sets flags sets a mapping apart: the hash MMU flushes each mapping for itself', async () => {
  const hashed = (at: number): Line =>
    line(10, 0, `handle_mm_fault: (handle_mm_fault+0x0/0x260) vma=0x1 mm=0x2 addr=0x${at.toString(16)} flags=0x255`);
  const batches = async (...advice: Line[]): Promise<number[]> => {
    const pages = [0, 1, 2, 3].map((page) => hashed(AT + page * 0x10000));
    await run(mmap(10, 0, AT, 0x40000), advice, pages, range(10, 0, 'munmap', AT, 0x40000));
    const facts = { backend: 'powerpc-hash', kernel: '6.1' } as const;
    const { mismatches } = await replay(join(folder, 'trace.txt'), { facts });
    return mismatches.flatMap(({ predicted }) => (predicted!.reason === 17 ? [predicted!.pages] : []));
  };
  const half = (behavior: number): Line[] =>
    range(10, 0, 'madvise', AT, 0x20000, `, behavior: ${behavior.toString(16)}`);
  expect(await batches()).toEqual([4]);
  // MADV_HUGEPAGE where there are none, MADV_DONTDUMP; MADV_DODUMP takes it back.
  expect(await batches(...half(14))).toEqual([2, 2]);
  expect(await batches(...half(16))).toEqual([2, 2]);
  expect(await batches(...half(16), ...half(17))).toEqual([4]);
});

test('a call that lets go of a table for another task flushes before: rss_stat shows after how many pages', async () => {
  const size = (type: string, pages: number, flags = '.....'): Line =>
    line(10, 0, `rss_stat: mm_id=1 curr=1 type=MM_${type}PAGES size=${pages * 0x10000}B`, 'task', flags);
  const batches = async (...counted: Line[]): Promise<number[]> => {
    const pages = [0, 1, 2, 3].map((page) =>
      line(
        10,
        0,
        `handle_mm_fault: (handle_mm_fault+0x0/0x260) vma=0x1 mm=0x2 addr=0x${(AT + page * 0x10000).toString(16)} flags=0x255`,
      ),
    );
    const [enters, exits] = range(10, 0, 'munmap', AT, 0x40000);
    await run(mmap(10, 0, AT, 0x40000), pages, size('ANON', 4), size('SHMEM', 2), enters!, counted, exits!);
    const facts = { backend: 'powerpc-hash', kernel: '6.1' } as const;
    const { mismatches } = await replay(join(folder, 'trace.txt'), { facts });
    return mismatches.flatMap(({ predicted }) => (predicted!.reason === 17 ? [predicted!.pages] : []));
  };
  expect(await batches(size('ANON', 1), size('ANON', 0))).toEqual([4]);
  expect(await batches(size('ANON', 1, '.N...'), size('ANON', 0))).toEqual([3, 1]);
  expect(await batches(size('ANON', 3, '.N...'), size('ANON', 2, '.n...'), size('ANON', 0))).toEqual([1, 1, 2]);
  // Two kinds of pages, counted at once.
  expect(await batches(size('ANON', 3, '.N...'), size('SHMEM', 0, '.N...'), size('ANON', 2))).toEqual([3, 1]);
});

test('a process of which nothing is known has the pages of one with its name around those that both have', async () => {
  const hashed = (pid: number, cpu: number, page: number): Line =>
    line(
      pid,
      cpu,
      `handle_mm_fault: (handle_mm_fault+0x0/0x260) vma=0x${pid} mm=0x${pid} addr=0x${(AT + page * 0x10000).toString(16)} flags=0x255`,
    );
  const exec = [
    enter(10, 0, 'execve(filename: 1000, argv: 2000, envp: 3000)'),
    line(10, 0, 'sched_process_exec: filename=/task pid=10 old_pid=10'),
    exit(10, 0, 'execve'),
  ];
  const exits = (name: string): Line[] => [
    line(0, 1, 'noise: x', 'swapper/1'),
    switchTo(1, 0, 30, 'R', 'swapper/1', name),
    hashed(30, 1, 1),
    line(30, 1, 'sched_process_exit: comm=task pid=30 prio=120', name),
    line(30, 1, 'exit_mmap: mt_mod 1, DESTROY', name),
  ];
  const flushed = async (pages: readonly number[], name: string): Promise<number[]> => {
    await run(
      exec,
      pages.map((page) => hashed(10, 0, page)),
      exits(name),
    );
    const facts = { backend: 'powerpc-hash', kernel: '6.1' } as const;
    const { mismatches } = await replay(join(folder, 'trace.txt'), { facts });
    return mismatches.flatMap(({ operation, predicted }) =>
      operation === 'exit' && predicted!.reason === 16 ? [(Number(`0x${predicted!.where}`) - AT) / 0x10000] : [],
    );
  };
  // 16 MiB are 256 pages.
  expect(await flushed([0, 1, 3, 300], 'task')).toEqual([0, 1, 3]);
  expect(await flushed([0, 3], 'task')).toEqual([0, 1, 3]);
  expect(await flushed([0, 1, 3], 'other one')).toEqual([1]);
  expect(await flushed([3], 'task')).toEqual([1]);
});

describe('several tasks', () => {
  const threads = [
    enter(10, 0, 'clone3(uargs: 0x1000, size: 0x58)'),
    newtask(10, 0, 11, 0x3d0f00),
    exit(10, 0, 'clone3', 11),
  ];
  const fork = [enter(10, 0, 'clone(clone_flags: 0x1200011)'), newtask(10, 0, 12, 0x1200000), exit(10, 0, 'clone', 12)];

  test('stable releases took over that flush_tlb_range reaches lazy CPUs', async () => {
    const lazy = [line(0, 1, 'noise: x', 'swapper/1'), switchTo(1, 0, 11), switchTo(1, 11, 0)];
    const mremap = 'mremap(addr: 0x7f0000000000, old_len: 0x2000, new_len: 0x2000, flags: 1, new_addr: 0)';
    const move = [enter(10, 0, mremap), exit(10, 0, 'mremap', AT + 2 ** 30)];
    const all = [mmap(10, 0, AT, 0x2000), mmap(10, 0, AT + 0x2000, 0x1000), threads, lazy, touch(10, 0, AT, 2), move];
    const sent = ['switch 0/-1', 'mremap 4/2', 'mremap 3/2'];
    expect(await predictionsOn('6.1.133', ...all)).toEqual(sent);
    const left = ['switch 0/-1', 'mremap 4/2', 'mremap 0/-1', 'mremap 3/2'];
    expect(await predictionsOn('6.1.134', ...all)).toEqual(left);
    expect(await predictionsOn('6.12.95+deb12-amd64', ...all)).toEqual(left);
    expect(await predictionsOn('6.1.0-50-amd64', ...all)).toEqual(sent);
    expect(await predictionsOn('6.1.0-50-amd64 (6.1.176)', ...all)).toEqual(left);
  });

  test('where the recording shows which faults copy, the others do not, whoever held the page before', async () => {
    const copies = line(10, 0, 'wp_page_copy: (wp_page_copy+0x0/0x720) vmf=0x1');
    const shared = [...mmap(10, 0, AT, 0x3000), ...touch(10, 0, AT, 3), ...fork];
    const writes = [fault(10, 0, AT, 7), copies, fault(10, 0, AT + 0x1000, 7)];
    const rest = range(10, 0, 'munmap', AT, 0x3000);
    expect(await predictions(shared, writes, rest)).toEqual(['clone 0 3/-1', 'fault 0 3/1', 'munmap 0 3/3']);
    // It sleeps before it is handled, and goes on afterwards.
    const sleeps = [switchTo(0, 10, 0, 'D'), switchTo(0, 0, 10, 'R', 'swapper/0')];
    expect(await predictions(shared, writes, sleeps, rest)).toEqual(['clone 0 3/-1', 'fault 0 3/1', 'munmap 0 3/3']);
    expect(await predictions(shared, writes, sleeps, copies, rest)).toEqual([
      'clone 0 3/-1',
      'fault 0 3/1',
      'fault 0 3/1',
      'munmap 0 3/3',
    ]);
    // Nobody knows who mapped this page, and how: a write goes on in it.
    const first = fault(10, 0, AT + 0x2000, 7);
    const unknown = fault(10, 0, 2 * AT, 7);
    expect(await predictions(shared, first, copies, unknown)).toEqual(['clone 0 3/-1', 'fault 0 3/1']);
  });

  test('a fault that another task takes the CPU from goes on afterwards, and asks who runs then', async () => {
    const shared = [...mmap(10, 0, AT, 0x1000), ...touch(10, 0, AT, 1), ...threads, ...fork];
    const away = [switchTo(0, 10, 0, 'R+'), line(0, 1, 'noise: x', 'swapper/1'), switchTo(1, 0, 11)];
    const back = switchTo(0, 0, 10, 'R', 'swapper/0');
    const asks = line(10, 0, 'csd_queue_cpu: cpu=1 callsite=on_each_cpu_cond_mask+0x24/0x40 func=flush_tlb_func csd=1');
    const all = [shared, fault(10, 0, AT, 7), away, back, asks, range(10, 0, 'brk', 0, 0)];
    await run(...all);
    const { mismatches, interrupts } = await replay(join(folder, 'trace.txt'), { exact: true });
    const flushes = mismatches.map(({ operation, cpu, predicted }) => `${operation} ${cpu} ${predicted!.reason}`);
    expect(flushes).toEqual(['clone 0 3', 'switch 1 0', 'fault 0 4', 'fault 1 1', 'fault 0 3']);
    expect(interrupts).toMatchObject({ matched: 1, mismatches: [] });
  });

  test('a switch is under way until a probe shows that it is over: a CPU may be asked before', async () => {
    const flushed = async (...probes: Line[]): Promise<number> => {
      const idle = [line(0, 1, 'noise: x', 'swapper/1'), switchTo(1, 0, 11), switchTo(1, 11, 0)];
      const [enters, exits] = range(10, 0, 'mprotect', AT, 0x1000, ', prot: 1');
      const asks = line(10, 0, 'csd_queue_cpu: cpu=1 callsite=on_each_cpu_cond_mask func=flush_tlb_func csd=1');
      const noise = Array.from({ length: 4 }, () => line(0, 2, 'noise: x', 'swapper/2'));
      await run(mmap(10, 0, AT, 0x1000), touch(10, 0, AT, 1), threads, idle, noise, enters!, probes, asks, exits!);
      return (await replay(join(folder, 'trace.txt'))).interrupts!.missed;
    };
    const probe = line(11, 1, 'enter_lazy_tlb: (enter_lazy_tlb+0x0/0x30) mm=0x1', 'task', 'd..2.');
    expect(await flushed()).toBe(1);
    expect(await flushed(probe)).toBe(0);
  });

  test('an interrupt that nobody was thought to send: its CPU is between two address spaces, and leaves the mask', async () => {
    const shared = [
      ...mmap(10, 0, AT, 0x2000),
      ...touch(10, 0, AT, 2),
      ...threads,
      line(0, 1, 'noise: x', 'swapper/1'),
    ];
    const ran = [switchTo(1, 0, 11), switchTo(1, 11, 13)];
    const [enters, exits] = range(10, 0, 'mprotect', AT, 0x1000, ', prot: 1');
    const asks = line(10, 0, 'csd_queue_cpu: cpu=1 callsite=on_each_cpu_cond_mask+0x20/0x60 func=flush_tlb_func csd=1');
    const arrives = line(13, 1, 'csd_function_entry: func=flush_tlb_func, csd=1', 'task', 'd.h..');
    const again = range(10, 0, 'mprotect', AT + 0x1000, 0x1000, ', prot: 1');
    const protect = async (...between: Line[]): Promise<string> => {
      const flushes = await predictions(shared, ran, enters!, between, exits!, again);
      const own = flushes.filter((flush) => flush.startsWith('mprotect'));
      return own.map((flush) => flush.replace('mprotect ', '')).join(', ');
    };
    expect(await protect()).toBe('0 4/1, 0 3/1, 0 4/1, 0 3/1');
    expect(await protect(asks)).toBe('0 4/1, 0 3/1, 0 4/1, 0 3/1');
    expect(await protect(asks, arrives)).toBe('0 4/1, 0 3/1, 1 5/0, 0 3/1');
    const { adjustments } = await replay(join(folder, 'trace.txt'));
    expect(adjustments.stray).toBe(1);
    // Another kernel than the one that was recorded is not told whom that one asked.
    const whatIf = { x86: { ceiling: 32 } };
    expect((await replay(join(folder, 'trace.txt'), { whatIf })).adjustments.stray).toBe(0);
  });

  test('a request has its answer, recorded or not, where the next one is queued', async () => {
    // Two tables, so it flushes for each: two pages, then one. Then what is left of the old place goes.
    const at = AT + 0x1fe000;
    const shared = [mmap(10, 0, at, 0x3000), touch(10, 0, at, 3), threads];
    const runs = [line(0, 1, 'noise: x', 'swapper/1'), switchTo(1, 0, 11)];
    const mremap = `mremap(addr: 0x${at.toString(16)}, old_len: 0x3000, new_len: 0x3000, flags: 1, new_addr: 0)`;
    const asks = line(10, 0, 'csd_queue_cpu: cpu=1 callsite=on_each_cpu_cond_mask+0x20/0x60 func=flush_tlb_func csd=1');
    const arrives = line(11, 1, 'csd_function_entry: func=flush_tlb_func, csd=1', 'task', 'd.h..');
    const moved = exit(10, 0, 'mremap', at + 2 ** 30);
    const away = switchTo(1, 11, 99, 'R', 'task', 'other');
    const remote = async (...between: Line[]): Promise<string> => {
      const flushes = await predictions(...shared, runs, enter(10, 0, mremap), between, asks, arrives, away, moved);
      const on1 = flushes.filter((flush) => flush.startsWith('mremap 1'));
      return on1.map((flush) => flush.replace('mremap 1 ', '')).join(', ');
    };
    expect(await remote(asks, arrives, asks, arrives)).toBe('1/2, 1/1, 1/1');
    // The first one finds a task that the recording leaves out, and has no line.
    const back = switchTo(1, 99, 11, 'R', 'other', 'task');
    expect(await remote(asks, away, back, asks, arrives)).toBe('1/1, 1/1');
    // The sender is preempted after its answer: the second request is not sent yet.
    const preempted = [switchTo(0, 10, 98, 'R', 'task', 'other'), switchTo(0, 98, 10, 'R', 'other', 'task')];
    expect(await remote(asks, arrives, ...preempted, away, back, asks, arrives)).toBe('1/2, 1/1, 1/1');
  });

  test('a page that process_vm_writev may have copied for the other process: a write copies, or not', async () => {
    const writev = [
      enter(10, 0, 'process_vm_writev(pid: c, lvec: 0x1000, liovcnt: 1, rvec: 0x2000, riovcnt: 1, flags: 0)'),
      exit(10, 0, 'process_vm_writev', 64),
    ];
    const shared = [...mmap(10, 0, AT, 4096), ...touch(10, 0, AT, 1), ...fork];
    const spurious = async (...between: Line[]): Promise<number> => {
      await run(shared, between, fault(10, 0, AT, 7), range(10, 0, 'brk', 0, 0));
      const { byReason } = await replay(join(folder, 'trace.txt'));
      return byReason[3]!.spurious;
    };
    // The fork's flush, and that of the copy.
    expect(await spurious()).toBe(2);
    expect(await spurious(...writev)).toBe(1);
  });

  test('MADV_FREE once more of the same memory: it may have been written to without a fault', async () => {
    const free = (at: number): Line[] => range(10, 0, 'madvise', at, 0x2000, ', behavior: 8');
    const flushed = (pages: number): Line =>
      line(10, 0, `tlb_flush: pages:${pages} reason:local MM shootdown (3)`, 'task', 'd..2.');
    const missed = async (...lines: Line[]): Promise<number> => {
      await run(mmap(10, 0, AT, 0x8000), touch(10, 0, AT, 8), lines);
      return (await replay(join(folder, 'trace.txt'))).missed;
    };
    const [enters, exits] = free(AT);
    const again = [...free(AT + 0x1000), enters!];
    expect(await missed(...again, flushed(2), exits!)).toBe(0);
    expect(await missed(...again, flushed(7), exits!)).toBe(1);
    expect(await missed(...free(AT + 0x4000), enters!, flushed(-1), exits!)).toBe(1);
  });

  test('a page that another thread is about to copy is away for a moment, and not gone', async () => {
    const child = [enter(10, 0, 'clone(flags: 0)'), newtask(10, 0, 12, 0), exit(10, 0, 'clone', 12)];
    const mapped = [...mmap(10, 0, AT, 2 * 4096), ...touch(10, 0, AT, 2), ...threads, ...child, switchTo(1, 0, 11)];
    const copy = fault(10, 0, AT, 7);
    const below = line(10, 0, 'rss_stat: mm_id=1 curr=1 type=MM_ANONPAGES size=8192B');
    const [read, write] = [fault(11, 1, AT, 4), fault(11, 1, AT, 7)];
    const copied = await predictions(mapped, copy);
    expect(await predictions(mapped, copy, read, below, write)).toEqual(copied);
    // Once the copy is over, it is another page that is read: that of zeroes.
    const again = ['fault 1 4/1', 'fault 0 1/1', 'fault 1 3/1'];
    expect(await predictions(mapped, copy, below, read, write)).toEqual([...copied, ...again]);
  });

  describe('userfaultfd', () => {
    const ioctl = (pid: number, cpu: number, request: number): Line[] => [
      enter(pid, cpu, `ioctl(fd: 4, cmd: 0xc028aa${request.toString(16).padStart(2, '0')}, arg: 0x7fff0000)`),
      exit(pid, cpu, 'ioctl'),
    ];
    // Events of one process say so by its id, which `line` takes for the task's own.
    const of = (process: number, lines: (Line | Line[])[]): Line[] =>
      lines.flat().map((make) => (time) => make(time).replace(/\( +\d+\)/, `(${process})`));
    const start = of(10, [mmap(10, 0, AT, 4 * 4096), ioctl(10, 0, 0), threads]);
    const other = of(10, [line(0, 1, 'noise: x', 'swapper/1'), switchTo(1, 0, 11)]);
    const sleeps = of(10, [fault(10, 0, AT, 6), switchTo(0, 10, 0)]);
    const wakes = of(10, [switchTo(0, 0, 10, 'R'), range(10, 0, 'munmap', AT, 0x4000)]);
    const between = (...requests: number[]): Line[] =>
      of(
        10,
        requests.flatMap((request) => ioctl(11, 1, request)),
      );
    const unmap = ['munmap 0 4/1', 'munmap 1 1/1', 'munmap 0 3/1'];

    test('a fault that waits says which page an ioctl is for', async () => {
      expect(await predictions(start, other, sleeps, between(3), wakes)).toEqual(['switch 1 0/-1', ...unmap]);
      // A page of zeroes is there, so the write that goes on copies.
      const copies = ['fault 0 4/1', 'fault 1 1/1', 'fault 0 3/1'];
      expect(await predictions(start, other, sleeps, between(4), wakes)).toEqual([
        'switch 1 0/-1',
        ...copies,
        ...unmap,
      ]);
    });

    test('a second wait finds the page write-protected, and the answer flushes', async () => {
      const again = of(10, [switchTo(0, 0, 10, 'R'), switchTo(0, 10, 0)]);
      const answer = ['ioctl 1 4/1', 'ioctl 1 3/1'];
      expect(await predictions(start, other, sleeps, between(3), again, between(6), wakes)).toEqual([
        'switch 1 0/-1',
        ...answer,
        'switch 0 0/-1',
        ...unmap,
      ]);
    });

    test('nobody waits: all of the mapping loses its rights, and a note says what is not known', async () => {
      const more = of(10, [
        switchTo(0, 0, 10, 'R'),
        touch(10, 0, AT + 4096, 2),
        enter(10, 0, 'brk(brk: 0)'),
        exit(10, 0, 'brk', AT * 2),
      ]);
      const report = await run(start, other, sleeps, between(3), more, of(10, ioctl(10, 0, 6)));
      const protect = report.mismatches.filter(({ operation }) => operation === 'ioctl');
      expect(protect.map(({ predicted }) => predicted)).toMatchObject([{ pages: 3 }, { pages: 3 }, { pages: 3 }]);
      expect(protect[0]!.cause).toBe('which pages an ioctl of userfaultfd is for is not recorded');
    });

    const denied = (at: number): Line[] => of(10, [fault(10, 0, at, 7), switchTo(0, 10, 0)]);
    const answered = (): Line[] => [...between(6), ...of(10, [switchTo(0, 0, 10, 'R')])];
    const ready = of(10, [switchTo(0, 0, 10, 'R'), touch(10, 0, AT + 4096, 3), enter(10, 0, 'brk(brk: 0)')]);

    test('nobody waits: writes that wait later on tell which pages lost their rights', async () => {
      const call = of(10, [exit(10, 0, 'brk', AT * 2), ioctl(10, 0, 6)]);
      const report = await run(
        start,
        other,
        sleeps,
        between(3),
        ready,
        call,
        denied(AT + 4096),
        answered(),
        denied(AT + 8192),
      );
      const own = report.mismatches.filter(
        ({ operation, cpu, pid }) => operation === 'ioctl' && cpu === 0 && pid === 10,
      );
      expect(own.map(({ predicted }) => predicted)).toEqual([
        { reason: 4, pages: 2 },
        { reason: 3, pages: 2 },
      ]);
    });

    test('of several calls in a row they tell the sum, and each has an equal part of it', async () => {
      const calls = of(10, [exit(10, 0, 'brk', AT * 2), ioctl(10, 0, 6), ioctl(10, 0, 6)]);
      const writes = [AT, AT + 4096, AT + 8192].flatMap((at) => [...denied(at), ...answered()]);
      const report = await run(start, other, sleeps, between(3), ready, calls, writes);
      const sent = report.mismatches.filter(({ pid, predicted }) => pid === 10 && predicted!.reason === 4);
      expect(sent.map(({ predicted }) => predicted!.pages)).toEqual([1, 2]);
    });

    test('a fault of a process without it does not wait, whatever its task does next', async () => {
      const plain = of(10, [mmap(10, 0, AT, 4 * 4096), threads]);
      expect(await predictions(plain, other, sleeps, wakes)).toEqual(['switch 1 0/-1', ...unmap]);
    });
  });

  test('threads share: the other CPU is interrupted if it runs one, and not if it is idle', async () => {
    const start = [...mmap(10, 0, AT, 4096 * 8), ...threads, line(0, 1, 'noise: x', 'swapper/1'), switchTo(1, 0, 11)];
    const shrink = [...touch(10, 0, AT, 2), ...range(10, 0, 'madvise', AT, 4096 * 8, ', behavior: 4')];
    expect(await predictions(start, shrink)).toEqual([
      'switch 1 0/-1',
      'madvise 0 4/2',
      'madvise 1 1/2',
      'madvise 0 3/2',
    ]);
    expect(await predictions(start, switchTo(1, 11, 0), shrink)).toEqual([
      'switch 1 0/-1',
      'madvise 0 4/2',
      'madvise 0 3/2',
    ]);
  });

  test('an interrupt takes effect where its arrival is recorded: the CPU has become idle', async () => {
    const start = [...mmap(10, 0, AT, 4096 * 8), ...threads, line(0, 1, 'noise: x', 'swapper/1'), switchTo(1, 0, 11)];
    const shrink = [
      ...touch(10, 0, AT, 2),
      enter(10, 0, `madvise(start: 0x${AT.toString(16)}, len: 0x8000, behavior: 4)`),
      line(10, 0, 'csd_queue_cpu: cpu=1 callsite=x func=flush_tlb_func csd=0000000000000001'),
      switchTo(1, 11, 0),
      line(0, 1, 'csd_function_entry: func=flush_tlb_func, csd=0000000000000001', 'swapper/1', 'd.h1.'),
      exit(10, 0, 'madvise'),
    ];
    expect(await predictions(start, shrink)).toEqual([
      'switch 1 0/-1',
      'madvise 0 4/2',
      'madvise 0 3/2',
      'madvise 1 0/-1',
    ]);
  });

  test('two operations at once: the second waits for the lock of the first, and finds a gather open', async () => {
    const start = [...mmap(10, 0, AT, 4096 * 8), ...threads, line(0, 1, 'noise: x', 'swapper/1'), switchTo(1, 0, 11)];
    const report = await run(
      start,
      touch(10, 0, AT, 4),
      enter(10, 0, `madvise(start: 0x${AT.toString(16)}, len: 0x2000, behavior: 4)`),
      line(10, 0, 'csd_queue_cpu: cpu=1 callsite=x func=flush_tlb_func csd=0000000000000001'),
      // On CPU 1 another thread's call ends while the first waits for CPU 1.
      enter(11, 1, `madvise(start: 0x${(AT + 0x4000).toString(16)}, len: 0x2000, behavior: 4)`),
      exit(11, 1, 'madvise'),
      exit(10, 0, 'madvise'),
    );
    // The second emptied nothing, but the first one's gather is open: it flushes the whole mm.
    const second = report.mismatches.filter(({ pid, predicted }) => pid === 11 && predicted?.reason === 4);
    expect(second.map(({ predicted }) => predicted!.pages)).toEqual([-1]);
    expect(report.adjustments.stuck).toBe(0);
  });

  test('fork flushes the parent; then either side copies, and the last one does not', async () => {
    expect(
      await predictions(
        mmap(10, 0, AT, 4096),
        touch(10, 0, AT, 1),
        fork,
        fault(10, 0, AT, 7),
        switchTo(0, 10, 12),
        fault(12, 0, AT, 7),
      ),
    ).toEqual(['clone 0 3/-1', 'fault 0 3/1', 'switch 0 0/-1']);
  });

  test('more address spaces than slots: each switch flushes', async () => {
    const forks = [20, 21, 22, 23, 24, 25, 26].flatMap((child) => [
      enter(10, 0, 'clone(clone_flags: 0x1200011)'),
      newtask(10, 0, child, 0x1200000),
      exit(10, 0, 'clone', child),
    ]);
    const ring = (n: number): Line[] => {
      const pids = [10, 20, 21, 22, 23, 24, 25, 26].slice(0, n);
      return pids.map((pid, i) => switchTo(0, pid, pids[(i + 1) % n]!));
    };
    const switches = async (n: number): Promise<string[]> => {
      const all = await predictions(mmap(10, 0, AT, 4096), touch(10, 0, AT, 1), forks, ring(n), ring(n));
      return all.filter((text) => text.startsWith('switch')).slice(n);
    };
    expect(new Set(await switches(6))).toEqual(new Set(['switch 0 0/0']));
    expect(new Set(await switches(7))).toEqual(new Set(['switch 0 0/-1']));
  });

  test('a dead task may be preempted and come back', async () => {
    const vfork = [enter(10, 0, 'vfork()'), newtask(10, 0, 13, 0x4100)];
    expect(
      await predictions(
        mmap(10, 0, AT, 4096),
        vfork,
        switchTo(0, 10, 13, 'D'),
        line(13, 0, 'sched_process_exit: comm=task pid=13 prio=120 group_dead=true'),
        switchTo(0, 13, 10, 'R+'),
        exit(10, 0, 'vfork', 13),
        switchTo(0, 10, 13),
        switchTo(0, 13, 10, 'Z'),
      ),
    ).toEqual([]);
  });

  test('tasks that the recorder leaves out take slots, and their flushes have no line', async () => {
    const others = [31, 32, 33, 34, 35, 36].flatMap((pid) => [
      switchTo(0, 10, pid, 'S', 'task', 'other'),
      switchTo(0, pid, 10, 'S', 'other', 'task'),
    ]);
    const all = await predictions(mmap(10, 0, AT, 4096), others);
    // The first five find a free slot, then the own one is taken.
    expect(all).toEqual([...Array.from({ length: 5 }, () => 'switch 0 0/0'), 'switch 0 0/-1']);
  });

  test('kernel threads borrow: nothing is flushed', async () => {
    expect(
      await predictions(
        mmap(10, 0, AT, 4096),
        switchTo(0, 10, 40, 'S', 'task', 'kworker/0:1'),
        switchTo(0, 40, 10, 'I', 'kworker/0:1', 'task'),
      ),
    ).toEqual([]);
  });

  test('threads from before the recording share an address space, once their process is known', async () => {
    const of =
      (pid: number, tgid: number, cpu: number, text: string): Line =>
      (time) =>
        line(pid, cpu, text)(time).replace(`(${String(pid).padStart(7)})`, `(${String(tgid).padStart(7)})`);
    const all = await predictions(
      of(50, 50, 0, 'noise: x'),
      of(50, 50, 0, 'noise: y'),
      switchTo(0, 50, 51),
      of(51, 50, 0, 'noise: z'),
      switchTo(0, 51, 50),
    );
    expect(all.slice(1)).toEqual([]);
  });

  test('a task whose end was not recorded leaves no address space behind', async () => {
    const spaces = async (...lines: (Line | Line[])[]): Promise<number> => {
      await run(mmap(10, 0, AT, 4096), ...lines);
      let host: Host | undefined;
      const observer = { begin: (begun: Host) => (host = begun), read() {}, workload() {} };
      await replayWatched(join(folder, 'trace.txt'), { observer });
      expect(host!.direct.complaints).toEqual([]);
      return host!.direct.arena.live('mm');
    };
    const dies = (pid: number): Line[] => [switchTo(0, 10, pid), switchTo(0, pid, 10, 'Z')];
    const none = await spaces(dies(31));
    expect(await spaces(dies(31), dies(32), dies(33))).toBe(none);
    // Nobody saw it leave, and its id names a new one.
    const other = [line(0, 1, 'noise: x', 'swapper/1'), switchTo(1, 0, 12, 'R', 'swapper/1')];
    expect(await spaces(dies(31), fork)).toBe(none + 1);
    expect(await spaces(dies(31), fork, fork, fork)).toBe(none + 1);
    expect(await spaces(dies(31), fork, other, fork, touch(12, 1, AT, 1))).toBe(none + 1);
  });
});
