// When things take effect, and to which operation a recorded flush belongs.
import { describe, expect, test } from 'vitest';
import type { TaskEvent } from '../src/read/event.ts';
import type { Action, Step } from '../src/schedule/action.ts';
import { tellsOfFlush } from '../src/schedule/context.ts';
import { Probes } from '../src/schedule/probes.ts';
import { Schedule } from '../src/schedule/schedule.ts';

type Fields = Partial<TaskEvent> & { kind: TaskEvent['kind'] } & Record<string, unknown>;

let line = 0;
/** An event of task 10 on CPU 0, unless its fields say otherwise. */
function event(fields: Fields): TaskEvent {
  line++;
  return {
    line,
    time: line,
    cpu: 0,
    pid: 10,
    tgid: 10,
    comm: 'task',
    flags: '.....',
    ...fields,
  } as unknown as TaskEvent;
}

const switchTo = (cpu: number, pid: number, nextPid: number, prevState = 'S'): TaskEvent =>
  event({ kind: 'schedSwitch', cpu, pid, prevPid: pid, nextPid, prevComm: 'a', nextComm: 'b', prevState });
const enter = (name: string, ...args: number[]): TaskEvent => event({ kind: 'sysEnter', name, args });
const exit = (name: string, ret = 0): TaskEvent => event({ kind: 'sysExit', name, ret });
const queue = (target: number, func = 'flush_tlb_func'): TaskEvent => event({ kind: 'csdQueueCpu', target, func });
const runs = (cpu: number, pid: number, flags: string): TaskEvent =>
  event({ kind: 'csdFunctionEntry', func: 'flush_tlb_func', cpu, pid, flags });
const flush = (cpu: number, pid: number, reason: number, flags = '.....'): TaskEvent =>
  event({ kind: 'tlbFlush', cpu, pid, reason, pages: 1, flags });
const fault = (address: number, errorCode: number): TaskEvent =>
  event({ kind: 'pageFault', mode: 'user', address, errorCode, ip: '' });

/** All steps of some events. */
function stepsOf(...events: TaskEvent[]): Step[] {
  const schedule = new Schedule();
  schedule.take(events);
  schedule.end();
  const steps: Step[] = [];
  for (let step = schedule.next(true); step !== null; step = schedule.next(true)) steps.push(step);
  return steps;
}

/** What takes effect at each event, `kind` before it and `(kind)` after it. */
function actions(steps: readonly Step[]): string[] {
  const kinds = (list: Action[] | null): string[] => (list ?? []).map(({ kind }) => kind);
  return steps.map(({ before, after }) => [...kinds(before), ...kinds(after).map((kind) => `(${kind})`)].join(' '));
}

test('a fault lasts as long as events from below it show, not until its task is heard of again', () => {
  const rss = event({ kind: 'rssStat', mmId: 1, current: true, type: 'MM_ANONPAGES', bytes: 4096 });
  const of = (...events: TaskEvent[]): number => {
    const [first] = stepsOf(...events);
    const [action] = first!.before!;
    return action?.kind === 'fault' ? action.operation.until - action.operation.time : NaN;
  };
  const start = fault(4096, 7);
  expect(of(start, { ...rss, time: start.time + 5 }, { ...enter('brk', 0), time: start.time + 5000 })).toBe(5);
  expect(of(start, { ...enter('brk', 0), time: start.time + 5000 })).toBe(0);
});

describe('when operations take effect', () => {
  test('a system call: where it returns', () => {
    expect(actions(stepsOf(enter('munmap', 4096, 4096), exit('munmap')))).toEqual(['', 'syscall']);
  });

  test('a system call that interrupts others: where it does so first', () => {
    const steps = stepsOf(enter('munmap', 4096, 4096), queue(1), queue(2), runs(0, 10, '.....'), exit('munmap'));
    expect(actions(steps)).toEqual(['', 'syscall', '', '', '']);
    expect(steps[1]!.before![0]).toMatchObject({ interrupts: true, ret: 0 });
  });

  test('a fault: where it begins, or where it interrupts others', () => {
    expect(actions(stepsOf(fault(4096, 6), enter('brk', 0)))).toEqual(['fault', '']);
    expect(actions(stepsOf(fault(4096, 7), queue(1), enter('brk', 0)))).toEqual(['', 'fault', '']);
  });

  test('a fault that maps what was absent does not flush: the call around it does', () => {
    const steps = stepsOf(enter('munmap', 4096, 4096), fault(8192, 4), queue(1), exit('munmap'));
    expect(actions(steps)).toEqual(['', 'fault', 'syscall', '']);
  });

  test('the pages that a fault mapped are known behind it', () => {
    const rss = (bytes: number): TaskEvent =>
      event({ kind: 'rssStat', mmId: 7, current: true, type: 'MM_FILEPAGES', bytes });
    const steps = stepsOf(rss(4096), fault(4096, 4), rss(5 * 4096), enter('brk', 0));
    expect(steps[1]!.before![0]).toMatchObject({ kind: 'fault', filePages: 4 });
  });

  test('fork: before the child is there, with its flags', () => {
    const child = event({ kind: 'taskNewtask', childPid: 11, childComm: 'task', cloneFlags: 0x1200000 });
    const steps = stepsOf(enter('clone'), child, exit('clone', 11));
    expect(actions(steps)).toEqual(['', 'clone', '']);
    expect(steps[1]!.before![0]).toMatchObject({ child: 11, flags: 0x1200000 });
  });

  test('exec: at the first write after its switch; not if it fails', () => {
    const done = event({ kind: 'schedProcessExec', filename: 'x', taskPid: 10, oldPid: 10 });
    const write = fault(8192, 2);
    expect(actions(stepsOf(enter('execve', 0), fault(4096, 0), write, done, exit('execve')))).toEqual([
      '',
      'fault',
      'exec fault',
      '',
      '',
    ]);
    expect(actions(stepsOf(enter('execve', 0), exit('execve', -2)))).toEqual(['', '']);
  });

  test('a system call that its task does not return from holds nothing back', () => {
    const schedule = new Schedule();
    schedule.take([enter('exit_group'), event({ kind: 'schedProcessExit', taskPid: 10, groupDead: true })]);
    schedule.take([runs(0, 10, '.....'), runs(0, 10, '.....'), switchTo(0, 10, 0, 'Z')]);
    const passed = Array.from({ length: 6 }, () => schedule.next()?.event.kind);
    expect(passed).toEqual([
      'sysEnter',
      'schedProcessExit',
      'csdFunctionEntry',
      'csdFunctionEntry',
      'schedSwitch',
      undefined,
    ]);
  });

  test('exit: where it begins, or where it interrupts others', () => {
    const gone = (): TaskEvent => event({ kind: 'schedProcessExit', taskPid: 10, groupDead: true });
    expect(actions(stepsOf(gone(), switchTo(0, 10, 0, 'Z')))).toEqual(['exit', '']);
    expect(actions(stepsOf(gone(), queue(1), switchTo(0, 10, 0, 'Z')))).toEqual(['', 'exit', '']);
  });

  test("exit of a kernel that says so only when it is over: where pages go of what is the task's no more", () => {
    const rss = (mmId: number, current: boolean): TaskEvent =>
      event({ kind: 'rssStat', mmId, current, type: 'MM_ANONPAGES', bytes: 0 });
    const over = event({ kind: 'schedProcessExit', taskPid: 10, groupDead: true });
    const killed = (id: number): string[] =>
      actions(stepsOf(rss(7, true), rss(id, false), rss(id, false), over, switchTo(0, 10, 0, 'Z')));
    expect(killed(7)).toEqual(['', 'exit', '', '', '']);
    // Of another address space anybody may unmap pages.
    expect(killed(8)).toEqual(['', '', '', 'exit', '']);
  });
});

describe('which operation a flush belongs to', () => {
  const owner = (steps: readonly Step[]): string[] =>
    steps
      .filter((step) => step.event.kind === 'tlbFlush')
      .map(({ operation }) => `${operation!.name} ${operation!.pid}`);

  test('call, fault, switch', () => {
    expect(owner(stepsOf(enter('munmap'), flush(0, 10, 3), exit('munmap')))).toEqual(['munmap 10']);
    expect(owner(stepsOf(fault(4096, 7), flush(0, 10, 3)))).toEqual(['fault 10']);
    expect(owner(stepsOf(enter('read'), fault(4096, 7), flush(0, 10, 3)))).toEqual(['read 10']);
    expect(owner(stepsOf(switchTo(0, 10, 11), flush(0, 10, 0)))).toEqual(['switch 10']);
  });

  test('in an interrupt: the one that asked, in order', () => {
    const steps = stepsOf(
      enter('munmap'),
      queue(1),
      runs(1, 20, 'd.h..'),
      flush(1, 20, 1, 'd.h..'),
      exit('munmap'),
      enter('mprotect'),
      queue(1),
      runs(1, 0, 'd.h..'),
      flush(1, 0, 0, 'd.h..'),
      exit('mprotect'),
    );
    expect(owner(steps)).toEqual(['munmap 10', 'mprotect 10']);
  });

  test('an interrupt whose arrival is not shown is not taken for the next one', () => {
    const steps = stepsOf(
      enter('munmap'),
      queue(1),
      exit('munmap'),
      enter('madvise'),
      queue(1),
      runs(1, 20, 'd.h..'),
      flush(1, 20, 1, 'd.h..'),
    );
    expect(owner(steps)).toEqual(['madvise 10']);
  });

  test('idle without an interrupt, without csd events: the one that said it would send', () => {
    const steps = stepsOf(enter('munmap'), flush(0, 10, 4), flush(1, 0, 0, 'dN.1.'));
    expect(owner(steps)).toEqual(['munmap 10', 'munmap 10']);
  });

  test('probes between a switch and its flush, in the name of the task that leaves', () => {
    const probe = event({ kind: 'other', name: 'switch_mm_irqs_off', text: '' });
    const steps = stepsOf(
      switchTo(0, 10, 11),
      probe,
      flush(0, 10, 0),
      event({ kind: 'sysEnter', name: 'read', args: [], pid: 11 }),
    );
    expect(owner(steps)).toEqual(['switch 10']);
    // They do not say that the task is back.
    expect(actions(steps)).toEqual(['', '', '', '']);
  });

  test('nobody', () => {
    expect(stepsOf(flush(0, 99, 3))[0]!.operation!.kind).toBe('unknown');
  });
});

describe('hidden switches', () => {
  const ran = (cpu: number, pid: number): TaskEvent => event({ kind: 'sysEnter', name: 'read', args: [], cpu, pid });
  const idleOn1 = (): TaskEvent => switchTo(1, 20, 0);

  test('where they are seen, if nothing tells more', () => {
    expect(actions(stepsOf(idleOn1(), enter('read'), ran(1, 21)))).toEqual(['', '', 'hidden']);
  });

  test('where the CPU was woken', () => {
    const steps = stepsOf(idleOn1(), queue(1, 'sched_ttwu_pending'), enter('read'), ran(1, 21));
    expect(actions(steps)).toEqual(['', '(hidden)', '', '']);
    // It was some time until then.
    const until = steps[3]!.event.time;
    expect(steps[1]!.after![0]).toMatchObject({ cpu: 1, pid: 21, placed: 'wake', until });
  });

  test('where the CPU was woken, and before it was found at work', () => {
    const sent = event({ kind: 'ipiSend', targets: [1], callsite: '', callback: 'generic' });
    const woken = [idleOn1(), queue(1, 'sched_ttwu_pending'), enter('munmap'), queue(1), sent, exit('munmap')];
    const steps = stepsOf(...woken, ran(1, 21));
    expect(steps[1]!.after![0]).toMatchObject({ placed: 'wake', until: steps[3]!.event.time });
  });

  test('before the flush that interrupted it, which takes effect then', () => {
    const sent = event({ kind: 'ipiSend', targets: [1], callsite: '', callback: 'generic' });
    const steps = stepsOf(idleOn1(), enter('munmap'), queue(1), sent, exit('munmap'), ran(1, 21));
    expect(actions(steps)).toEqual(['', '', 'hidden syscall', '', '', '']);
  });

  test('not before it, if it found the CPU idle', () => {
    const steps = stepsOf(idleOn1(), enter('munmap'), queue(1), runs(1, 0, 'd.h..'), exit('munmap'), ran(1, 21));
    expect(actions(steps)).toEqual(['', '', 'syscall', '', '', 'hidden']);
  });

  test('a recorded flush shows nothing', () => {
    expect(actions(stepsOf(idleOn1(), flush(1, 21, 3), ran(1, 21)))).toEqual(['', '', 'hidden']);
  });
});

describe('probes in place of csd events', () => {
  const probe = (name: string): TaskEvent => event({ kind: 'other', name, text: '' });

  test('show when a call asks other CPUs, and when a request runs', () => {
    const probes = new Probes();
    const asks = probes.complete(probe('native_flush_tlb_multi'));
    const ran = probes.complete(probe('flush_tlb_func'));
    expect(asks).toMatchObject({ kind: 'flushCall', asks: true });
    expect(ran).toMatchObject({ kind: 'csdFunctionEntry', func: 'flush_tlb_func' });
    expect([asks, ran].every(tellsOfFlush)).toBe(true);
    const [call] = stepsOf(enter('munmap', 0, 1), asks, exit('munmap')).flatMap(({ before }) => before ?? []);
    expect(call).toMatchObject({ kind: 'syscall', interrupts: true });
  });

  test('say nothing more where there are csd events', () => {
    const probes = new Probes();
    probes.pass(queue(1).kind);
    expect(probes.complete(probe('flush_tlb_func')).kind).toBe('other');
    expect(probes.complete(probe('native_flush_tlb_multi')).kind).toBe('other');
  });
});

test('a CPU that is asked to leave an address space: the operation that flushes trims its mask', () => {
  const call = event({ kind: 'flushCall', asks: false });
  const leaves = event({ kind: 'trimArrives', cpu: 1, pid: 0, flags: 'd.h..' });
  const trims = (...events: TaskEvent[]): boolean[] =>
    stepsOf(...events).flatMap(({ before }) =>
      (before ?? []).map((action) => action.kind === 'syscall' && action.operation.trims),
    );
  const [first, second] = [
    [enter('munmap', 0, 1), call],
    [enter('munmap', 0, 1), call],
  ];
  expect(trims(...first, leaves, exit('munmap'), ...second, exit('munmap'))).toEqual([true, false]);
  expect(tellsOfFlush(leaves)).toBe(true);
});
