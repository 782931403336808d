// Which answers to requests are known ahead, and which of them an operation gets.
import { describe, expect, test } from 'vitest';
import { type Answers, answersTo, Rounds } from '../src/model/answers.ts';
import type { TaskEvent } from '../src/read/event.ts';
import type { Step } from '../src/schedule/action.ts';
import { stepOf } from '../src/schedule/window.ts';

type More = Partial<Omit<Step, 'event' | 'kind' | 'next'>>;

/** A step of task 10 on CPU 0, unless its fields say otherwise. */
function step(kind: TaskEvent['kind'], fields: object = {}, more: More = {}): Step {
  const event = { line: 1, cpu: 0, pid: 10, tgid: 10, comm: 'task', flags: '.....', kind, ...fields };
  return Object.assign(stepOf(event as TaskEvent, null), more);
}

const queue = (): Step => step('csdQueueCpu', { func: 'flush_tlb_func', target: 1 });
const arrival = (cpu: number, pid = 20, flags = 'd.h1.'): Step =>
  step('csdFunctionEntry', { func: 'flush_tlb_func', cpu, pid, flags });
const end = (more: More = {}): Step => step('sysExit', { name: 'munmap', ret: 0 }, more);

/** What follows the first of some steps, whose times count from 0. */
function answers(...steps: Step[]): Answers | null {
  for (const [at, each] of steps.entries()) {
    each.event.time = at;
    each.next = steps[at + 1] ?? null;
  }
  return answersTo(steps[0]!, 10, () => false);
}

describe('answers that are known', () => {
  test('requests that begin to run, in order, up to the next event of the task', () => {
    const steps = [queue(), arrival(0, 10, '.....'), arrival(2), arrival(1, 0, '.....'), end(), arrival(3)];
    expect(answers(...steps)).toEqual({
      arrivals: [
        { cpu: 2, time: 2 },
        { cpu: 1, time: 3 },
      ],
      until: 4,
    });
  });

  test.each<[string, Step]>([
    ['a switch', step('schedSwitch', { cpu: 1, pid: 20, nextPid: 30 })],
    ['a mark', step('mark', { cpu: 1, pid: 20 })],
    ['an action', step('sysExit', { cpu: 1, pid: 20 }, { before: [] })],
    ['one behind an event', step('csdFunctionExit', { cpu: 1, pid: 20 }, { after: [] })],
    ['something that is still open', step('pageFault', { cpu: 1, pid: 20 }, { holds: 1 })],
    ['lost events', step('rssStat', { cpu: 1, pid: 20 }, { lost: [1] })],
  ])('none with %s in between', (_, disturbance) => {
    expect(answers(queue(), disturbance, arrival(1), end())).toBeNull();
    expect(answers(queue(), arrival(1), end(), disturbance)).not.toBeNull();
  });

  test('none where the end is not read yet, or far away', () => {
    expect(answers(queue(), arrival(1))).toBeNull();
    const others = Array.from({ length: 1000 }, () => step('rssStat', { cpu: 1, pid: 20 }));
    expect(answers(queue(), ...others, end())).toBeNull();
  });

  test('the end of the operation may itself be held, or bring an action', () => {
    expect(answers(queue(), end({ holds: 1, before: [] }))).toEqual({ arrivals: [], until: 1 });
  });

  test('none where the model changes', () => {
    const first = queue();
    first.next = end();
    expect(answersTo(first, 10, () => true)).toBeNull();
  });
});

describe('rounds', () => {
  const recorded: Answers = {
    arrivals: [
      { cpu: 1, time: 10 },
      { cpu: 1, time: 11 },
      { cpu: 2, time: 12 },
      { cpu: 1, time: 13 },
    ],
    until: 20,
  };

  test('each takes the first arrivals of its CPUs; what came before its end is not for the next', () => {
    const rounds = new Rounds(recorded);
    expect([rounds.arrival(1), rounds.arrival(2)]).toEqual([
      { time: 10, seen: true },
      { time: 12, seen: true },
    ]);
    rounds.end();
    expect(rounds.arrival(1)).toEqual({ time: 13, seen: true });
  });

  test('who is not seen to answer does so when the task goes on, and all later ones then, too', () => {
    const rounds = new Rounds(recorded);
    expect(rounds.arrival(3)).toEqual({ time: 20, seen: false });
    rounds.end();
    expect(rounds.arrival(1)).toEqual({ time: 20, seen: false });
  });

  test('a CPU that is asked twice before the wait answers twice', () => {
    const rounds = new Rounds(recorded);
    expect([rounds.arrival(1).time, rounds.arrival(1).time]).toEqual([10, 11]);
  });
});
