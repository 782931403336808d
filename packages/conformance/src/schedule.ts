/**
 * Schedule: the two executions of a scenario that are counted. No search: both are fixed, so that profiles can be compared.
 *
 *     fair          the CPUs take turns, one step each
 *     sequential    a CPU goes on until it is done or has to wait; then the first that can
 *
 * In both, stores leave their buffers and interrupts run to their end as soon as they can, and a step with several outcomes has the
 * first.
 */
import type { Machine, Path } from '@mmu-gather/checker';

/** Which of the two. */
export type Schedule = 'fair' | 'sequential';

/** An execution that takes more steps does not end. */
const MOST_STEPS = 100_000;

/** An execution that does not end. Where all CPUs take turns, this is wrong in itself; where one goes on alone, it may wait for another one. */
export class EndlessExecution extends Error {
  /** Name in messages. */
  override readonly name = 'EndlessExecution';
  /** Which of the two. */
  readonly schedule: Schedule;
  /** Steps that were taken. */
  readonly steps: number = MOST_STEPS;

  /** @param schedule which of the two */
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
  const next = (): number => {
    // Drains first, then interrupts and their handlers, then main code.
    for (let actor = 3 * cpus - 1; actor >= cpus; actor--) if (machine.choices(actor) > 0) return actor;
    if (schedule === 'sequential' && last >= 0 && machine.choices(last) > 0) return last;
    const first = schedule === 'fair' ? last + 1 : 0;
    for (let i = 0; i < cpus; i++) {
      const cpu = (first + i) % cpus;
      if (machine.choices(cpu) > 0) return (last = cpu);
    }
    return -1;
  };
  try {
    for (let actor = next(); actor >= 0 && machine.violation === undefined; actor = next()) {
      path.push([actor, 0]);
      machine.perform(actor, 0);
      if (path.length > MOST_STEPS) throw new EndlessExecution(schedule);
    }
    return path;
  } finally {
    machine.undo(start);
  }
}
