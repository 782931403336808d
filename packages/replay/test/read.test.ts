import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { assert, asyncProperty, nat, uint8Array } from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TraceError } from '../src/read/error.ts';
import type { TraceEvent } from '../src/read/event.ts';
import { fieldsOf } from '../src/read/fields.ts';
import { openTrace } from '../src/read/open.ts';

const fixtures = join(import.meta.dirname, 'fixtures');

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mmu-gather-read-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A file of the given content; a text gets its last line end. */
async function fileOf(content: string | Buffer, name = 'trace.txt'): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, typeof content === 'string' ? `${content}\n` : content);
  return path;
}

async function eventsOf(path: string): Promise<TraceEvent[]> {
  const events: TraceEvent[] = [];
  for await (const event of await openTrace(path)) events.push(event);
  return events;
}

async function read(...lines: string[]): Promise<TraceEvent[]> {
  return eventsOf(await fileOf(lines.join('\n')));
}

/** What one line gives. */
async function one(text: string): Promise<TraceEvent> {
  const events = await read(text);
  expect(events).toHaveLength(1);
  return events[0]!;
}

/** What is thrown when a file is read to its end. */
async function failure(path: string): Promise<TraceError> {
  const error = await eventsOf(path).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(TraceError);
  expect((error as TraceError).message).not.toContain('\n');
  return error as TraceError;
}

/** A line of tracefs text with the given event. */
function line(event: string): string {
  return `             mmw-10029   (  10029) [001] d..2.  2203.283345: ${event}`;
}

const head = { line: 1, time: 2203283345, cpu: 1, pid: 10029, tgid: 10029, comm: 'mmw', flags: 'd..2.' };

describe('heads', () => {
  const event = 'tlb_flush: pages:1 reason:local MM shootdown (3)';
  const flush = { kind: 'tlbFlush', reason: 3, pages: 1 };

  test.each([
    ['tracefs', `             mmw-10029   (  10029) [001] d..2.  2203.283345: ${event}`, head],
    [
      'no tgid',
      `          <idle>-0       (-------) [000] d.h1.  5692.206071: ${event}`,
      { time: 5692206071, cpu: 0, pid: 0, tgid: null, comm: '<idle>', flags: 'd.h1.' },
    ],
    ['no tgid column', `             mmw-10029   [001] d..2.  2203.283345: ${event}`, { ...head, tgid: null }],
    [
      'more than 999 CPUs',
      `             mmw-10029   [1023] d..2.  2203.283345: ${event}`,
      { ...head, tgid: null, cpu: 1023 },
    ],
    [
      'counting clock',
      `             mmw-10988   (  10988) [001] ..... 18056631327487: ${event}`,
      { time: 18056631327487, pid: 10988, tgid: 10988, flags: '.....' },
    ],
    [
      'spaces in the name',
      `    Web Content 2-77      (     70) [000] .....     1.000001: ${event}`,
      { comm: 'Web Content 2', pid: 77, tgid: 70, time: 1000001 },
    ],
    [
      'dashes, colons',
      `kworker/u8:1-ev-77      (     77) [000] .....     1.000001: ${event}`,
      { comm: 'kworker/u8:1-ev', pid: 77 },
    ],
    [
      'a name like a head',
      `  a-1 [0] 1.5: b-77      (     77) [000] .....     1.000001: ${event}`,
      { comm: 'a-1 [0] 1.5: b', pid: 77 },
    ],
    [
      'brackets in the name',
      `           x [3]-77      (     77) [000] .....     1.000001: ${event}`,
      { comm: 'x [3]', pid: 77 },
    ],
    [
      'name that is not ASCII',
      `          h\xc3\xb6he-77      (     77) [000] .....     1.000001: ${event}`,
      { comm: 'höhe', pid: 77 },
    ],
    [
      'trace-cmd',
      `             mmw-8926  [001]  6917.734445: tlb_flush:            pages=1 reason=local mm shootdown (3)`,
      { comm: 'mmw', pid: 8926, tgid: null, flags: '' },
    ],
    [
      'trace-cmd, flags',
      `             mmw-8926  [001] d..1.  6917.734445: tlb_flush:            pages=1 reason=local mm shootdown (3)`,
      { pid: 8926, flags: 'd..1.' },
    ],
    [
      'trace-cmd, instance',
      `rec:        a: b c: d-8926  [001]  6917.734445: tlb_flush:            pages=1 reason= (3)`,
      { comm: 'a: b c: d', pid: 8926 },
    ],
    [
      'trace-cmd -R',
      `             mmw-8926  [001]  6917.734445: tlb_flush:             reason=3 pages=1`,
      { pid: 8926 },
    ],
    [
      'trace-cmd -t',
      `             mmw-8926  [001]  6917.734445123: tlb_flush:            pages=1 reason=local mm shootdown (3)`,
      { time: 6917734445123 },
    ],
    [
      'perf',
      `             mmw 10362/10363 [000]  6951.624888739:                 tlb:tlb_flush: pages:1 reason:local MM shootdown (3)`,
      { time: 6951624888739, pid: 10363, tgid: 10362, cpu: 0, comm: 'mmw' },
    ],
    [
      'perf without tgid',
      `      my prog 10363 [000]  6951.624888:                 tlb:tlb_flush: pages:1 reason:local MM shootdown (3)`,
      { pid: 10363, tgid: null, comm: 'my prog' },
    ],
    ['line ends of Windows', `${line(event)}\r`, head],
  ])('%s', async (_, text, expected) => {
    const path = await fileOf(Buffer.from(`${text}\n`, 'latin1'));
    expect(await eventsOf(path)).toEqual([expect.objectContaining({ ...flush, ...expected })]);
  });

  test('the clock is told by its digits', async () => {
    const ticks = async (text: string): Promise<number | null> =>
      (await openTrace(await fileOf(text))).clock.ticksPerSecond;
    expect(await ticks(line(event))).toBe(1e6);
    expect(await ticks(`             mmw 1/1 [000]  6951.624888739: tlb:tlb_flush: pages:1 reason:x (3)`)).toBe(1e9);
    expect(await ticks(`             mmw-1       (      1) [001] ..... 18056631327487: ${event}`)).toBeNull();
  });

  test('time that goes back on a CPU', async () => {
    const later = line(event).replace('2203.283345', '2203.283346');
    const other = line(event).replace('[001]', '[000]');
    expect(await read(later, other, later)).toHaveLength(3);
    expect(await failure(await fileOf([later, other, line(event)].join('\n')))).toMatchObject({
      line: 3,
      what: expect.stringContaining('time goes back on CPU 1'),
      mend: 'give the lines in the order in which they were recorded',
    });
  });

  test('two clocks in one file', async () => {
    const error = await failure(
      await fileOf(`${line(event)}\n             mmw-1       [001] ..... 18056631327487: ${event}`),
    );
    expect(error).toMatchObject({ line: 2, what: expect.stringContaining('another clock') });
  });
});

describe('events', () => {
  test.each<[string, object]>([
    // system calls: 6.18 with 0x, 6.1 and 6.12 without, trace-cmd padded
    [
      'sys_mmap(addr: 0, len: 0x2000, prot: 3, flags: 0x22, fd: 0xffffffff, off: 0)',
      { kind: 'sysEnter', name: 'mmap', args: [0, 0x2000, 3, 0x22, 0xffffffff, 0] },
    ],
    [
      'sys_mmap(addr: 0, len: 801000, prot: 0, flags: 20022, fd: ffffffff, off: 0)',
      { kind: 'sysEnter', name: 'mmap', args: [0, 0x801000, 0, 0x20022, 0xffffffff, 0] },
    ],
    [
      'sys_enter_mmap:       addr: 0x00000000, len: 0x00002000, prot: 0x00000003',
      { kind: 'sysEnter', name: 'mmap', args: [0, 0x2000, 3] },
    ],
    ['sys_vfork()', { kind: 'sysEnter', name: 'vfork', args: [] }],
    ['sys_enter_vfork:', { kind: 'sysEnter', name: 'vfork', args: [] }],
    [
      'sys_execve(filename: 0x7ffe "a, b: 1", argv: 0x10, envp: 0x20)',
      { kind: 'sysEnter', name: 'execve', args: [0x7ffe, 0x10, 0x20] },
    ],
    [
      'sys_madvise(start: ffff800000000000, len_in: 1000, behavior: 4)',
      { kind: 'sysEnter', name: 'madvise', args: [-0x800000000000, 0x1000, 4] },
    ],
    ['sys_mmap -> 0x7ffff7fc0000', { kind: 'sysExit', name: 'mmap', ret: 0x7ffff7fc0000 }],
    ['sys_exit_mmap:        0x7ffff7fc0000', { kind: 'sysExit', name: 'mmap', ret: 0x7ffff7fc0000 }],
    ['sys_process_madvise -> 0xffffffffffffffea', { kind: 'sysExit', name: 'process_madvise', ret: -22 }],
    [
      'page_fault_user: address=0x7ffff7fe4b70 ip=0x7ffff7fe4b71 error_code=0x14',
      { kind: 'pageFault', mode: 'user', address: 0x7ffff7fe4b70, ip: '0x7ffff7fe4b71', errorCode: 0x14 },
    ],
    [
      'page_fault_kernel: address=0x55555555f224 ip=elf_load error_code=0x2',
      { kind: 'pageFault', mode: 'kernel', address: 0x55555555f224, ip: 'elf_load', errorCode: 2 },
    ],
    [
      'page_fault_kernel: address=0xffff888108bdf0c0 ip=memcpy+0x1/0x2 error_code=0x0',
      {
        kind: 'pageFault',
        mode: 'kernel',
        address: Number(BigInt.asIntN(64, 0xffff888108bdf0c0n)),
        ip: 'memcpy+0x1/0x2',
        errorCode: 0,
      },
    ],
    // the reason is its number, however it is spelled
    ['tlb_flush: pages:-1 reason:flush on task switch (0)', { kind: 'tlbFlush', pages: -1, reason: 0 }],
    ['tlb_flush: pages:34 reason:remote ipi send (4)', { kind: 'tlbFlush', pages: 34, reason: 4 }],
    ['tlb_flush: pages:34 reason:remote IPI send (4)', { kind: 'tlbFlush', pages: 34, reason: 4 }],
    ['tlb_flush:            pages=34 reason= (4)', { kind: 'tlbFlush', pages: 34, reason: 4 }],
    [
      'sched_switch: prev_comm=a b prev_pid=1 x prev_pid=7 prev_prio=120 prev_state=R+ ==> next_comm=c ==> d next_pid=8 next_prio=100',
      {
        kind: 'schedSwitch',
        prevComm: 'a b prev_pid=1 x',
        prevPid: 7,
        prevState: 'R+',
        nextComm: 'c ==> d',
        nextPid: 8,
      },
    ],
    [
      'sched_switch: prev_comm=launch prev_pid=7821 prev_prio=100 prev_state=D ==> next_comm=kworker/u8:1 next_pid=9 next_prio=120',
      {
        kind: 'schedSwitch',
        prevComm: 'launch',
        prevPid: 7821,
        prevPrio: 100,
        prevState: 'D',
        nextComm: 'kworker/u8:1',
        nextPid: 9,
        nextPrio: 120,
      },
    ],
    [
      'sched_switch:         kworker/u8:1:44 [100] D ==> my prog:8543 [120]',
      {
        kind: 'schedSwitch',
        prevComm: 'kworker/u8:1',
        prevPid: 44,
        prevPrio: 100,
        prevState: 'D',
        nextComm: 'my prog',
        nextPid: 8543,
        nextPrio: 120,
      },
    ],
    [
      'sched_migrate_task: comm=my prog pid=8 prio=100 orig_cpu=1 dest_cpu=0',
      { kind: 'schedMigrateTask', taskComm: 'my prog', taskPid: 8, prio: 100, origCpu: 1, destCpu: 0 },
    ],
    [
      'task_newtask: pid=8934 comm=my prog clone_flags=3d0f00 oom_score_adj=0',
      { kind: 'taskNewtask', childPid: 8934, childComm: 'my prog', cloneFlags: 0x3d0f00 },
    ],
    [
      'sched_process_fork: comm=my prog pid=1 child_comm=my child child_pid=2',
      { kind: 'schedProcessFork', parentComm: 'my prog', parentPid: 1, childComm: 'my child', childPid: 2 },
    ],
    [
      'sched_process_exec: filename=./a dir/prog pid=3 old_pid=4',
      { kind: 'schedProcessExec', filename: './a dir/prog', taskPid: 3, oldPid: 4 },
    ],
    [
      'sched_process_exit: comm=mmw pid=8934 prio=100 group_dead=false',
      { kind: 'schedProcessExit', taskComm: 'mmw', taskPid: 8934, prio: 100, groupDead: false },
    ],
    ['sched_process_exit: comm=timeout pid=149 prio=120', { kind: 'schedProcessExit', taskPid: 149, groupDead: null }],
    ['exit_mmap: mt_mod 00000000dec1782b, DESTROY', { kind: 'exitMmap', mm: '00000000dec1782b' }],
    ['exit_mmap: (exit_mmap+0x0/0x310) mm=0xffff888006210000', { kind: 'exitMmap', mm: '0xffff888006210000' }],
    [
      'csd_queue_cpu: cpu=1 callsite=on_each_cpu_cond_mask+0x20/0x60 func=flush_tlb_func csd=00000000b1746c17',
      { kind: 'csdQueueCpu', target: 1, callsite: 'on_each_cpu_cond_mask+0x20/0x60', func: 'flush_tlb_func' },
    ],
    [
      'csd_function_entry: func=flush_tlb_func, csd=0000000000000000',
      { kind: 'csdFunctionEntry', func: 'flush_tlb_func' },
    ],
    [
      'csd_function_exit: func=flush_tlb_func, csd=0000000000000000',
      { kind: 'csdFunctionExit', func: 'flush_tlb_func' },
    ],
    [
      'ipi_send_cpu: cpu=1 callsite=wakeup_preempt+0x55/0xa0 callback=0x0',
      { kind: 'ipiSend', targets: [1], callsite: 'wakeup_preempt+0x55/0xa0', callback: '0x0' },
    ],
    [
      'ipi_send_cpumask: cpumask=00000001,80000012 callsite=f+0x1/0x2 callback=g+0x0/0x20',
      { kind: 'ipiSend', targets: [1, 4, 31, 32], callsite: 'f+0x1/0x2', callback: 'g+0x0/0x20' },
    ],
    ['call_function_single_entry: vector=251', { kind: 'callFunctionEntry', single: true, vector: 251 }],
    ['call_function_exit: vector=252', { kind: 'callFunctionExit', single: false, vector: 252 }],
    [
      'rss_stat: mm_id=2197276777 curr=1 type=MM_ANONPAGES size=53248B',
      { kind: 'rssStat', mmId: 2197276777, current: true, type: 'MM_ANONPAGES', bytes: 53248 },
    ],
    [
      'mm_collapse_huge_page: mm=00000000794335db, isolated=1, status=succeeded',
      { kind: 'mmCollapseHugePage', mm: '00000000794335db', isolated: 1, status: 'succeeded' },
    ],
    ['tracing_mark_write: phase: a=1 (x)', { kind: 'mark', text: 'phase: a=1 (x)' }],
    ['print:                tracing_mark_write: begin', { kind: 'mark', text: 'begin' }],
    ['print:                some_function: hello', { kind: 'other', name: 'print', text: 'some_function: hello' }],
    // nobody has promised us that these are all
    [
      'vm_unmapped_area: addr=0x7f err=0 total_vm=0x12c',
      { kind: 'other', name: 'vm_unmapped_area', text: 'addr=0x7f err=0 total_vm=0x12c' },
    ],
    [
      'tlb_flush: (tlb_flush+0x0/0x10) mm=0x5',
      { kind: 'other', name: 'tlb_flush', text: '(tlb_flush+0x0/0x10) mm=0x5' },
    ],
    ['<stack trace>', { kind: 'stack', user: false, frames: [] }],
    ['<user stack trace>', { kind: 'stack', user: true, frames: [] }],
    ['user_stack:           \t=> 0x7ff2425e18f7', { kind: 'stack', user: true, frames: ['0x7ff2425e18f7'] }],
  ])('%s', async (text, expected) => {
    expect(await one(line(text))).toMatchObject({ ...head, ...expected });
  });

  test('the fields of an event without a kind', () => {
    expect(fieldsOf('(flush+0x0/0x10) mm=0x5 start=0x0, isolated: 3')).toEqual({
      mm: '0x5',
      start: '0x0',
      isolated: '3',
    });
  });
});

describe('lines that are no events', () => {
  test('comments, the empty line of vm_unmapped_area, call stacks, the rest of a mark', async () => {
    const events = await read(
      '# tracer: nop',
      '#',
      line('vm_unmapped_area: addr=0x7f err=0'),
      '',
      '##### CPU 1 buffer started ####',
      line('<stack trace>'),
      ' => vfs_write',
      ' => do_syscall_64',
      line('tracing_mark_write: two'),
      'lines',
      line('exit_mmap: mt_mod 1, DESTROY'),
    );
    expect(events.map((event) => [event.line, event.kind])).toEqual([
      [3, 'other'],
      [6, 'stack'],
      [9, 'mark'],
      [11, 'exitMmap'],
    ]);
  });

  test('stacks of tracefs and trace-cmd', async () => {
    const events = await read(
      line('exit_mmap: mt_mod 1, DESTROY'),
      line('<user stack trace>'),
      ' =>  <00007fb20dd1fa07>',
      line('<stack trace>'),
      ' => flush_tlb_mm_range',
      ' => do_vmi_munmap',
      line('user_stack:           \t=> 0x7ff2425e18f7'),
      '\t=> 0x7ff242735249',
      '\t=> 0x0',
      line('kernel_stack:         <stack trace >'),
      '=> switch_mm_irqs_off (ffffffff81342356)',
    );
    expect(events.map((event) => ('frames' in event ? event.frames : event.kind))).toEqual([
      'exitMmap',
      ['0x7fb20dd1fa07'],
      ['flush_tlb_mm_range', 'do_vmi_munmap'],
      ['0x7ff2425e18f7', '0x7ff242735249'],
      ['switch_mm_irqs_off'],
    ]);
  });

  test('stacks of perf script: the kernel and the program in one', async () => {
    const events = await read(
      'app 10/10 [000]  1.000000001: tlb:tlb_flush: pages:1 reason:local MM shootdown (3)',
      '\tffffffff813426ac flush_tlb_func+0x1c ([kernel.kallsyms])',
      '\tffffffff8163c0ee do_madvise ([kernel.kallsyms])',
      '\t          101b07 __madvise+0x7 (/usr/lib/x86_64-linux-gnu/libc.so.6)',
      '\t            127e [unknown] (/tmp/app)',
      '',
    );
    expect(events).toMatchObject([
      { kind: 'tlbFlush' },
      { kind: 'stack', user: true, frames: ['__madvise+0x7 (libc.so.6)', '0x127e'] },
      { kind: 'stack', user: false, frames: ['flush_tlb_func', 'do_madvise'] },
    ]);
  });

  test('lost events', async () => {
    expect(await read(line('sys_vfork()'), 'CPU:1 [LOST 15 EVENTS]', 'CPU:0 [LOST EVENTS]')).toMatchObject([
      { kind: 'sysEnter' },
      { kind: 'lost', line: 2, cpu: 1, count: 15 },
      { kind: 'lost', line: 3, cpu: 0, count: null },
    ]);
    expect(
      await read(
        'CPU 1 is empty',
        'cpus=2',
        '             mmw-1  [000]     1.000001: sys_enter_vfork: ',
        'CPU:0 [7 EVENTS DROPPED]',
      ),
    ).toMatchObject([
      { kind: 'lost', line: 1, cpu: 1, count: 0 },
      { kind: 'sysEnter', line: 3 },
      { kind: 'lost', line: 4, cpu: 0, count: 7 },
    ]);
    expect(await read('             mmw     1/1     [002]     1.000001: PERF_RECORD_LOST lost 5')).toEqual([
      { kind: 'lost', line: 1, cpu: 2, count: 5 },
    ]);
  });
});

describe('files that are no traces', () => {
  test('garbage', async () => {
    const bytes = Buffer.from(Array.from({ length: 3000 }, (_, i) => (i * 7919 + (i >> 3)) & 255));
    const error = await failure(await fileOf(bytes, 'garbage.bin'));
    expect(error.message).toMatch(/garbage\.bin:1: this is no text: .*; give a trace.dat, tracefs text/);
  });

  test('text of something else', async () => {
    const path = await fileOf('total 12\ndrwxr-xr-x 4 root root 4096');
    expect((await failure(path)).message).toBe(
      `${path}:1: no event of a trace: "total 12"; give a trace.dat, tracefs text (the file "trace"), or what trace-cmd report, perf script or strace -f -ttt print`,
    );
  });

  test('garbage in the middle comes after what is good', async () => {
    const trace = await openTrace(
      await fileOf([line('sys_vfork()'), line('sys_vfork -> 0x5'), 'oops \x1b[2J'].join('\n')),
    );
    const kinds: string[] = [];
    await expect(
      (async () => {
        for await (const event of trace) kinds.push(event.kind);
      })(),
    ).rejects.toMatchObject({ name: 'TraceError', line: 3, what: 'no event of a trace: "oops \\u001b[2J"' });
    expect(kinds).toEqual(['sysEnter', 'sysExit']);
  });

  test.each([
    'tlb_flush: pages:x reason:y',
    'sched_switch: prev_comm=a ==> next_comm=b',
    'sys_mmap(addr: 0, len: ',
    'sys_mmap -> ',
    'page_fault_user: address=0x1',
    'rss_stat: nothing',
    'no event',
  ])('an event without its values: %s', async (event) => {
    expect(await failure(await fileOf([line('sys_vfork()'), line(event)].join('\n')))).toMatchObject({
      line: 2,
      what: expect.stringContaining('without its values'),
    });
  });

  test('empty', async () => {
    expect((await failure(await fileOf(Buffer.alloc(0), 'empty'))).message).toMatch(
      /empty: an empty file; record again/,
    );
    expect((await failure(await fileOf(gzipSync(''), 'empty.gz'))).message).toMatch(
      /empty\.gz: an empty file; record again/,
    );
    expect(await read('# tracer: nop', '#')).toEqual([]);
  });

  test('missing, or a folder', async () => {
    expect((await failure(join(folder, 'nowhere'))).message).toMatch(/nowhere: no such file; give the path/);
    expect((await failure(folder)).message).toMatch(/is a directory; give the path/);
  });

  test.each([
    ['perf.data', 'PERFILE2\x68\0', 'perf script'],
    ['xz', '\xfd7zXZ\0\0', 'xz -d'],
    ['bpftrace', 'Attaching 15 probes...\n6949855018990 0 10304 10304 tlb_flush reason=3 pages=1\n', 'bpftrace'],
    ['strace', '10323 brk(NULL)       = 0x55e144295000\n', 'strace -f -ttt'],
    ['latency', '# tracer: nop\n#\n# nop latency trace v1.1.5 on 6.18\n', 'latency-format 0'],
  ])('another kind of recording: %s', async (name, content, mend) => {
    expect((await failure(await fileOf(Buffer.from(content, 'latin1'), name))).mend).toContain(mend);
  });

  test('one endless line', async () => {
    expect((await failure(await fileOf(Buffer.alloc(200_000, 'x')))).message).toMatch(
      /:1: a line of more than 65536 bytes/,
    );
  });

  test('damaged gzip data', async () => {
    const packed = gzipSync(
      Array.from({ length: 20_000 }, (_, i) => line(`sys_brk(brk: ${i.toString(16)})`)).join('\n'),
    );
    packed.fill(0xff, packed.length >> 1, (packed.length >> 1) + 64);
    expect((await failure(await fileOf(packed, 'damaged.gz'))).message).toMatch(/damaged\.gz: damaged gzip data/);
  });
});

describe('noise', () => {
  /** A hundred lines of each form. */
  const forms: Record<string, () => Promise<Buffer>> = {
    tracefs: async () => gunzipSync(await readFile(join(fixtures, 'm02-lazy.trace.txt.gz'))).subarray(0, 12_000),
    'trace-cmd': async () =>
      gunzipSync(await readFile(join(fixtures, 'f01-ceiling.report.txt.gz'))).subarray(0, 12_000),
    perf: async () =>
      Buffer.from('   mmw 1/1 [000]  1.000001:  tlb:tlb_flush: pages:1 reason:local MM shootdown (3)\n'.repeat(100)),
  };

  test.each(Object.keys(forms))('in %s: events, or one line at its place', async (form) => {
    const whole = await forms[form]!();
    let refused = 0;
    const property = asyncProperty(
      nat(whole.length - 1),
      uint8Array({ minLength: 1, maxLength: 40 }),
      nat(2),
      (at, noise, way) =>
        survives(
          Buffer.concat([
            whole.subarray(0, at),
            noise,
            whole.subarray(way === 0 ? at : way === 1 ? at + noise.length : whole.length),
          ]),
        ),
    );
    async function survives(bytes: Buffer): Promise<void> {
      const path = await fileOf(bytes, 'noise.txt');
      const error = await eventsOf(path).then(
        () => null,
        (thrown: unknown) => thrown,
      );
      if (error === null) return;
      refused++;
      expect(error).toBeInstanceOf(TraceError);
      expect((error as TraceError).message).toMatch(/^[^\n]*noise\.txt:\d+: [^\n]*$/);
    }
    await assert(property, { numRuns: 100, seed: 6 });
    expect(refused).toBeGreaterThan(10);
  });
});

describe('files cut off', () => {
  const lines = ['# tracer: nop', line('sys_vfork()'), line('sys_vfork -> 0x15')];

  test('in the last line', async () => {
    // 0x1 would be a good value: that it is half of one can only be told by the missing line end
    const path = await fileOf(Buffer.from(lines.join('\n').slice(0, -1)));
    expect(await eventsOf(path)).toMatchObject([
      { kind: 'sysEnter', line: 2 },
      { kind: 'truncated', line: 3 },
    ]);
  });

  test('nothing but the last line end is missing, says the header', async () => {
    const path = await fileOf(Buffer.from(['# entries-in-buffer/entries-written: 2/2   #P:2', ...lines].join('\n')));
    expect(await eventsOf(path)).toMatchObject([{ kind: 'sysEnter' }, { kind: 'sysExit', ret: 0x15 }]);
  });

  test('between two lines: the header knows', async () => {
    const events = await read('# entries-in-buffer/entries-written: 3/500   #P:2', ...lines);
    expect(events.at(-1)).toEqual({ kind: 'truncated', line: 4, what: 'the header names 3 entries, here are 2' });
  });

  test.each([20, 1000, 10_000, 15_000, 18_000])('gzip, after %i bytes', async (size) => {
    const whole = await readFile(join(fixtures, 'm02-lazy.trace.txt.gz'));
    const path = await fileOf(whole.subarray(0, size), 'cut.gz');
    const events = await eventsOf(path);
    const last = events.pop()!;
    expect(last).toMatchObject({ kind: 'truncated' });
    const complete = await eventsOf(join(fixtures, 'm02-lazy.trace.txt.gz'));
    expect(events).toEqual(complete.slice(0, events.length));
    if (size >= 1000) expect(events.length).toBeGreaterThan((complete.length * size) / whole.length / 10);
    expect(last.line).toBeGreaterThan(events.at(-1)?.line ?? 0);
  });
});

/** Counts of the recordings' own index: kinds by its names of events. */
const counts: Record<string, { events: Record<string, number>; reasons: Record<number, number>; entries: number }> = {
  'm01-ceiling.trace.txt.gz': {
    entries: 25758,
    events: {
      rssStat: 8872,
      'pageFault user': 8507,
      'pageFault kernel': 3,
      tlbFlush: 1552,
      csdFunctionEntry: 1029,
      csdFunctionExit: 1029,
      ipiSend: 517,
      callFunctionEntry: 516,
      callFunctionExit: 516,
      csdQueueCpu: 515,
      mark: 449,
      'sysEnter mmap': 393,
      'sysExit mmap': 393,
      'sysEnter munmap': 385,
      'sysExit munmap': 385,
      'sysEnter madvise': 193,
      'sysExit madvise': 193,
      'sysEnter mprotect': 132,
      'sysExit mprotect': 132,
      schedSwitch: 21,
      'sysEnter brk': 3,
      'sysExit brk': 3,
      exitMmap: 2,
      'sysEnter sched_setaffinity': 2,
      'sysExit sched_setaffinity': 2,
      'sysExit clone3': 2,
      schedMigrateTask: 2,
      schedProcessExit: 2,
      'sysEnter execve': 1,
      schedProcessExec: 1,
      'sysExit execve': 1,
      'sysEnter clone3': 1,
      taskNewtask: 1,
      schedProcessFork: 1,
      'sysEnter exit': 1,
      'sysEnter exit_group': 1,
    },
    reasons: { 3: 523, 4: 513, 1: 512, 0: 4 },
  },
  'm02-lazy.trace.txt.gz': {
    entries: 3212,
    events: {
      schedSwitch: 602,
      tlbFlush: 451,
      csdFunctionEntry: 309,
      csdFunctionExit: 309,
      rssStat: 278,
      'pageFault user': 208,
      'pageFault kernel': 3,
      'sysEnter mprotect': 172,
      'sysExit mprotect': 172,
      callFunctionEntry: 116,
      callFunctionExit: 116,
      ipiSend: 116,
      csdQueueCpu: 115,
      mark: 97,
      'sysEnter mmap': 34,
      'sysExit mmap': 34,
      'sysEnter munmap': 25,
      'sysExit munmap': 25,
      schedMigrateTask: 4,
      'sysEnter brk': 3,
      'sysExit brk': 3,
      exitMmap: 2,
      'sysEnter sched_setaffinity': 2,
      'sysExit sched_setaffinity': 2,
      'sysExit clone3': 2,
      schedProcessExit: 2,
      'sysEnter execve': 1,
      schedProcessExec: 1,
      'sysExit execve': 1,
      'sysEnter clone3': 1,
      taskNewtask: 1,
      schedProcessFork: 1,
      'sysEnter madvise': 1,
      'sysExit madvise': 1,
      'sysEnter exit': 1,
      'sysEnter exit_group': 1,
    },
    reasons: { 3: 203, 4: 193, 1: 36, 0: 19 },
  },
  'm10-pcid8.trace.txt.gz': {
    entries: 2631,
    events: {
      tlbFlush: 871,
      schedSwitch: 783,
      rssStat: 499,
      'pageFault user': 273,
      'pageFault kernel': 29,
      mark: 41,
      'sysEnter mmap': 16,
      'sysExit mmap': 16,
      'sysExit clone': 16,
      exitMmap: 10,
      'sysEnter exit_group': 9,
      schedProcessExit: 9,
      'sysEnter clone': 8,
      taskNewtask: 8,
      schedProcessFork: 8,
      callFunctionEntry: 3,
      csdFunctionEntry: 3,
      csdFunctionExit: 3,
      callFunctionExit: 3,
      'sysEnter brk': 3,
      'sysExit brk': 3,
      'sysEnter mprotect': 3,
      'sysExit mprotect': 3,
      csdQueueCpu: 2,
      ipiSend: 2,
      'sysEnter execve': 1,
      schedProcessExec: 1,
      'sysExit execve': 1,
      'sysEnter munmap': 1,
      'sysExit munmap': 1,
      'sysEnter sched_setaffinity': 1,
      'sysExit sched_setaffinity': 1,
    },
    reasons: { 0: 788, 3: 83 },
  },
  // what trace-cmd report prints of a trace.dat; the counts are those of the same run's tracefs text
  'f01-ceiling.report.txt.gz': {
    entries: 4511,
    events: {
      rssStat: 1353,
      'pageFault user': 1236,
      'pageFault kernel': 3,
      tlbFlush: 355,
      csdFunctionEntry: 226,
      csdFunctionExit: 226,
      ipiSend: 115,
      csdQueueCpu: 113,
      callFunctionEntry: 113,
      callFunctionExit: 113,
      mark: 99,
      'sysEnter mmap': 93,
      'sysExit mmap': 93,
      'sysEnter munmap': 85,
      'sysExit munmap': 85,
      'sysEnter madvise': 43,
      'sysExit madvise': 43,
      'sysEnter mprotect': 32,
      'sysExit mprotect': 32,
      schedSwitch: 27,
      'sysEnter brk': 3,
      'sysExit brk': 3,
      exitMmap: 2,
      'sysEnter sched_setaffinity': 2,
      'sysExit sched_setaffinity': 2,
      'sysExit clone3': 2,
      schedMigrateTask: 2,
      schedProcessExit: 2,
      'sysEnter execve': 1,
      schedProcessExec: 1,
      'sysExit execve': 1,
      'sysEnter clone3': 1,
      taskNewtask: 1,
      schedProcessFork: 1,
      'sysEnter exit': 1,
      'sysEnter exit_group': 1,
    },
    reasons: { 3: 123, 4: 113, 1: 111, 0: 8 },
  },
};

describe('recordings', () => {
  test.each(Object.entries(counts))('%s', async (name, expected) => {
    const events = await eventsOf(join(fixtures, name));
    const kinds: Record<string, number> = {};
    const reasons: Record<number, number> = {};
    for (const event of events) {
      const kind =
        event.kind === 'pageFault'
          ? `pageFault ${event.mode}`
          : 'name' in event
            ? `${event.kind} ${event.name}`
            : event.kind;
      kinds[kind] = (kinds[kind] ?? 0) + 1;
      if (event.kind === 'tlbFlush') reasons[event.reason] = (reasons[event.reason] ?? 0) + 1;
    }
    expect(events).toHaveLength(expected.entries);
    expect(kinds).toEqual(expected.events);
    expect(reasons).toEqual(expected.reasons);
  });

  test('what the header says', async () => {
    const trace = await openTrace(join(fixtures, 'm02-lazy.trace.txt.gz'));
    expect(trace).toMatchObject({
      format: 'tracefs',
      clock: { ticksPerSecond: 1e6 },
      header: { tracer: 'nop', inBuffer: 3212, written: 3212, cpus: 2 },
    });
    const report = await openTrace(join(fixtures, 'f01-ceiling.report.txt.gz'));
    expect(report).toMatchObject({
      format: 'trace-cmd',
      clock: { ticksPerSecond: 1e6 },
      header: { cpus: 2, inBuffer: null },
    });
  });

  test('batches hold the same events', async () => {
    const path = join(fixtures, 'm10-pcid8.trace.txt.gz');
    const batches: TraceEvent[][] = [];
    for await (const batch of (await openTrace(path)).batches()) batches.push(batch);
    expect(batches.flat()).toEqual(await eventsOf(path));
  });

  test('packed or not, the same', async () => {
    const path = join(fixtures, 'm10-pcid8.trace.txt.gz');
    const unpacked = await fileOf(gunzipSync(await readFile(path)), 'unpacked.txt');
    expect(await eventsOf(unpacked)).toEqual(await eventsOf(path));
  });
});
