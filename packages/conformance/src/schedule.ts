/**
 * Schedule: the executions of a scenario that are counted. No search: they are fixed, so that profiles can be compared.
 *
 *     fair          the CPUs take turns, one step each
 *     sequential    a CPU goes on until it is done or has to wait; then the first that can
 *     unlucky       the same, and user code finds what it needs in no TLB, or an older entry, as long as that can be
 *
 * Stores leave their buffers and interrupts run to their end as soon as they can, and a step with several outcomes has the first. Profiles
 * are compared on the first two.
 */
import type { Machine, Path } from '@mmu-gather/checker';

/** Which of them. */
export type Schedule = 'fair' | 'sequential' | 'unlucky';

/** How often in a row an access misses or faults that need not. */
const BAD_LUCK = 2;

/** An execution that takes more steps does not end. */
const MOST_STEPS = 100_000;

/** An execution that does not end. Where all CPUs take turns, this is wrong in itself; where one goes on alone, it may wait for another one. */
export class EndlessExecution extends Error {
  /** Name in messages. */
  override readonly name = 'EndlessExecution';
  /** Which of them. */
  readonly schedule: Schedule;
  /** Steps that were taken. */
  readonly steps: number = MOST_STEPS;

  /** @param schedule which of them */
  constructor(schedule: Schedule) {
    super(`the ${schedule} execution goes on for more than ${MOST_STEPS} steps`);
    this.schedule = schedule;
  }
}

/**
 * The execution, up to its end or to what it violates. The machine is back in its first state afterwards.
 * @throws EndlessExecution if it does not end
 */
export function scheduled(machine: Machine, schedule: Schedule): Path {
  const cpus = machine.actors / 3;
  const path: [actor: number, choice: number][] = [];
  const start = machine.mark();
  let last = -1;
  const misfortunes = Array.from({ length: cpus }, () => 0);
  /** The last outcome of an access of user code is that it misses or faults, if it may. */
  const outcome = (cpu: number): number => {
    const kind = machine.view.stepKind(cpu);
    if (schedule !== 'unlucky' || (kind !== 'userRead' && kind !== 'userWrite')) return 0;
    const outcomes = machine.choices(cpu);
    const unlucky = outcomes > 1 && misfortunes[cpu]! < BAD_LUCK;
    misfortunes[cpu] = unlucky ? misfortunes[cpu]! + 1 : 0;
    return unlucky ? outcomes - 1 : 0;
  };
  const next = (): number => {
    // Drains first, then interrupts and their handlers, then main code.
    for (let actor = 3 * cpus - 1; actor >= cpus; actor--) if (machine.choices(actor) > 0) return actor;
    if (schedule !== 'fair' && last >= 0 && machine.choices(last) > 0) return last;
    const first = schedule === 'fair' ? last + 1 : 0;
    for (let i = 0; i < cpus; i++) {
      const cpu = (first + i) % cpus;
      if (machine.choices(cpu) > 0) return (last = cpu);
    }
    return -1;
  };
  try {
    for (let actor = next(); actor >= 0 && machine.violation === undefined; actor = next()) {
      const choice = actor < cpus ? outcome(actor) : 0;
      path.push([actor, choice]);
      machine.perform(actor, choice);
      if (path.length > MOST_STEPS) throw new EndlessExecution(schedule);
    }
    return path;
  } finally {
    machine.undo(start);
  }
}
