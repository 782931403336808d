/**
 * Model: the machine that was recorded, rebuilt from the steps of its recording.
 */
import type { SchedSwitch } from '../read/event.ts';
import type { Machine } from '../facts.ts';
import type { Action, Step } from '../schedule/action.ts';
import { Faults } from './faults.ts';
import { Files } from './files.ts';
import { Host } from './host.ts';
import type { Ledger } from './ledger.ts';
import { Spaces } from './space.ts';
import { changesSpace, type Context, runSyscall } from './syscalls.ts';
import { OTHER, type Task, Tasks } from './tasks.ts';

/** How often the model had to be brought to where the recording shows the machine to be. */
export interface Adjustments {
  /** Switches that the recording lacks, by how their moment was chosen. */
  readonly hidden: Record<'wake' | 'interrupt' | 'seen', number>;
  /** Actions of a task on a CPU that, for all that was known, ran another one. */
  elsewhere: number;
}

/** Runs steps. */
export class Model {
  readonly host: Host;
  readonly adjustments: Adjustments = { hidden: { wake: 0, interrupt: 0, seen: 0 }, elsewhere: 0 };
  readonly #ledger: Ledger;
  readonly #tasks: Tasks;
  readonly #files: Files;
  readonly #spaces: Spaces;
  readonly #faults: Faults;
  readonly #context: Context;
  readonly #ticks: number;
  #early = true;

  constructor(machine: Machine, ledger: Ledger, ticksPerSecond: number) {
    this.#ledger = ledger;
    this.#ticks = ticksPerSecond;
    this.host = new Host(machine, ledger);
    this.host.age(machine.boot.backend.isa.asids);
    this.#files = new Files();
    this.#tasks = new Tasks(this.host);
    this.#spaces = new Spaces(this.host, this.#files);
    this.#faults = new Faults(this.host, this.#files);
    this.#context = { host: this.host, files: this.#files, spaces: this.#spaces };
  }

  /** The workload proper has begun. */
  get begun(): boolean {
    return !this.#early;
  }

  /** Everything from here on is the workload proper. */
  begin(): void {
    this.#early = false;
  }

  /** Runs a step. */
  take(step: Step): void {
    const { event } = step;
    if (event.cpu >= this.host.machine.cpus.length) return;
    if (event.kind === 'mark') this.begin();
    this.host.at(event.time, this.#ticks, this.#early);
    if (this.#tasks.current(event.cpu) === null) {
      this.#tasks.settle(event.cpu, this.#tasks.task(event.cpu, event.pid, event.comm));
    }
    if (step.before !== null) for (const action of step.before) this.#act(event.cpu, action);
    if (event.kind === 'schedSwitch') {
      this.#switch(event, step);
    } else if (event.kind === 'tlbFlush') {
      const { time, cpu, reason, pages } = event;
      this.#ledger.record(step.operation!, { time, cpu, reason, pages, early: this.#early });
    }
    if (step.after !== null) for (const action of step.after) this.#act(event.cpu, action);
  }

  #switch(event: SchedSwitch, step: Step): void {
    const { cpu } = event;
    const next = this.#tasks.task(cpu, event.nextPid, event.nextComm);
    const prev = this.#tasks.current(cpu);
    if (prev !== null && prev.pid !== event.prevPid) {
      this.adjustments.elsewhere++;
      this.#tasks.settle(cpu, this.#tasks.task(cpu, event.prevPid, event.prevComm));
    }
    // The recorder looks at the next task: what the switch to one that it leaves out flushes is left out, too.
    if (event.nextComm === OTHER) this.host.quietly(() => this.#tasks.switchTo(cpu, next));
    else this.host.run(step.operation!, () => this.#tasks.switchTo(cpu, next));
  }

  #act(cpu: number, action: Action): void {
    if (action.kind === 'hidden') {
      this.adjustments.hidden[action.placed]++;
      this.#tasks.settle(action.cpu, this.#tasks.task(action.cpu, action.pid, action.comm));
      return;
    }
    if (action.kind === 'syscall' && !changesSpace(action.name)) return;
    const task = this.#tasks.task(cpu, action.pid, '');
    if (!this.#tasks.settle(cpu, task)) this.adjustments.elsewhere++;
    this.host.run(action.operation, () => this.#run(cpu, task, action));
  }

  #run(cpu: number, task: Task, action: Exclude<Action, { kind: 'hidden' }>): void {
    const port = this.host.cpu(cpu);
    switch (action.kind) {
      case 'syscall':
        runSyscall(this.#context, port, this.#tasks.userMm(cpu, task), action.name, action.args, action.ret);
        return;
      case 'fault':
        this.#faults.handle(port, this.#tasks.userMm(cpu, task), action);
        return;
      case 'clone': {
        const copy = this.#tasks.clone(cpu, task, action.child, action.flags);
        if (copy !== null) this.#spaces.fork(task.mm!, copy);
        return;
      }
      case 'exec':
        this.#tasks.userMm(cpu, task);
        this.#tasks.exec(cpu, task, this.#spaces.exec(port));
        return;
      case 'exit':
        this.#tasks.exit(cpu, task);
        return;
    }
  }
}
