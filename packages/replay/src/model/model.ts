/**
 * Model: the machine that was recorded, rebuilt from the steps of its recording.
 */
import type { Mm } from '@mmu-gather/core';
import type { CsdQueueCpu, SchedSwitch, TlbFlush, TraceEvent } from '../read/event.ts';
import type { RecordedProcess } from '../read/recorder-notes.ts';
import type { Machine } from '../facts.ts';
import type { Action, Operation, Step } from '../schedule/action.ts';
import { isInSwitch, leavesForGood, queuesFlush, runsFlush } from '../schedule/context.ts';
import { type Alternatives, alternativesOf, MEMBERS } from './allowed.ts';
import { type Answers, answersTo } from './answers.ts';
import { Attached } from './attached.ts';
import { Contention } from './contention.ts';
import { Faults } from './faults.ts';
import { filesWritten } from './file-syscalls.ts';
import { Files } from './files.ts';
import { Host } from './host.ts';
import { Inherited } from './inherited.ts';
import { INTERRUPT } from './flush.ts';
import type { Ledger } from './ledger.ts';
import { LazyFree } from './lazy-free.ts';
import type { Build, Job } from './library.ts';
import { Moves } from './moves.ts';
import { mostOf, partsOf } from './parts.ts';
import { Runner } from './runner.ts';
import { Slots } from './slots.ts';
import { Spaces } from './space.ts';
import { changesSpace, type Context, rangeOf, syscallCalls } from './syscalls.ts';
import { CLONE_VM, OTHER, type Task, Tasks } from './tasks.ts';
import { Twins } from './twins.ts';
import { Userfaults } from './userfaults.ts';

const NEVER: readonly number[] = [];

/** Error code of a fault that may copy: the page was present, and the access a write. */
const COPIES = 3;
/** Error code: the page was present. */
const PRESENT = 1;

/** How often the model had to be brought to where the recording shows the machine to be. */
export interface Adjustments {
  /** Switches that the recording lacks, by how their moment was chosen. */
  readonly hidden: Record<'wake' | 'interrupt' | 'seen', number>;
  /** Actions of a task on a CPU that, for all that was known, ran another one. */
  elsewhere: number;
  /** Interrupts whose arrival was not recorded. */
  readonly unseen: number;
  /** Interrupts that arrived, and that the model did not send. */
  readonly stray: number;
  /** Operations that still waited for a lock when their task went on. */
  readonly stuck: number;
}

const BEFORE = 'the address space was there before the recording, which does not hold what it had mapped';

/** What is open of an operation, as far as it shows before it runs. */
interface Opened {
  readonly until: Operation;
  readonly copies: boolean;
  readonly slots: boolean;
  readonly freed: number;
  readonly most: number;
  /** Bit n: CPU n may hold entries of its address space; null where all CPUs are few. */
  readonly mask: number | null;
}

/** Runs steps. */
export class Model {
  readonly host: Host;
  readonly #hidden = { wake: 0, interrupt: 0, seen: 0 };
  #elsewhere = 0;
  #stray = 0;
  readonly #ledger: Ledger;
  readonly #tasks: Tasks;
  readonly #files: Files;
  readonly #spaces: Spaces;
  readonly #faults: Faults;
  readonly #userfaults = new Userfaults();
  readonly #inherited: Inherited;
  readonly #attached: Attached;
  readonly #twins: Twins;
  readonly #runner: Runner;
  readonly #context: Context;
  readonly #contention = new Contention();
  readonly #moves: Moves;
  readonly #slots: Slots;
  /** Operations that may copy a page, or load an address space where slots are not known. */
  readonly #open = new Map<number, Opened>();
  readonly #lazyFree = new LazyFree();
  #early = true;

  /**
   * @param interrupts takes requests to flush, as `ledger` takes flushes
   * @param before processes that were there before the recording, if it says so
   */
  constructor(
    machine: Machine,
    ledger: Ledger,
    interrupts: Ledger,
    ticksPerSecond: number,
    build: Build,
    before: readonly RecordedProcess[],
  ) {
    this.#ledger = ledger;
    this.host = new Host(machine, ledger, interrupts, ticksPerSecond);
    this.#moves = new Moves(this.host.cpus);
    this.#slots = new Slots(this.host.cpus, machine.arch.slots ? machine.boot.backend.isa.asids : 0);
    this.host.onSlot = (cpu) => this.#slots.took(cpu);
    this.#files = new Files(machine.disk);
    this.#attached = new Attached(this.#files);
    this.#twins = new Twins(this.host, this.#files);
    this.#spaces = new Spaces(this.host, this.#files, machine.aslr);
    this.#inherited = new Inherited(this.host, this.#files, this.#spaces);
    this.#tasks = new Tasks(this.host, this.#inherited, before, (mm) => this.#forgetMm(mm));
    this.#faults = new Faults(this.host, this.#files);
    this.#runner = new Runner(this.host, this.#files, build, (cpu) => this.#tasks.isSilent(cpu));
    this.#context = { host: this.host, files: this.#files, spaces: this.#spaces, userfaults: this.#userfaults };
  }

  /** The workload proper has begun. */
  get begun(): boolean {
    return !this.#early;
  }

  /** Events were lost: who shares which page is not known since. */
  #gaps = false;
  /** Address spaces that another process wrote to (process_vm_writev), at addresses that are not recorded. */
  readonly #written = new Set<number>();
  /** Time of each CPU's last step. */
  readonly #seen: number[] = [];

  /** Time of the last step. */
  now: number = -Infinity;

  /** Everything from here on is the workload proper. */
  begin(): void {
    this.#early = false;
  }

  /** How often the model was brought to where the recording shows the machine to be. */
  get adjustments(): Adjustments {
    const { unseen, stuck } = this.#runner;
    return { hidden: this.#hidden, elsewhere: this.#elsewhere, unseen, stray: this.#stray, stuck };
  }

  /** Learns from events before they take effect what does not change: whether addresses are randomised. */
  learn(events: readonly TraceEvent[]): void {
    for (const event of events) {
      if (this.#spaces.knows) return;
      if (event.kind === 'pageFault' && event.mode === 'user') this.#spaces.learn(event.address);
    }
  }

  /** What the recording leaves open of an operation that is over. */
  alternatives(operation: Operation): Alternatives {
    const { copies = false, slots = false, freed = 0, most = 0, mask = null } = this.#open.get(operation.id) ?? {};
    return alternativesOf({
      contended: this.#contention.overlaps(operation),
      moved: this.#moves.during(operation),
      copies,
      freed,
      most,
      slots,
      cpu: operation.cpu,
      others: this.#others(operation.cpu, mask),
    });
  }

  /** CPUs that an operation may ask. */
  #others(cpu: number, mask: number | null): number[] {
    const all = Array.from({ length: this.host.cpus }, (_, id) => id);
    return all.filter((id) => id !== cpu && (mask === null || (mask & (1 << id)) !== 0));
  }

  /** Operations that ended before a time are not asked for any more. */
  forget(before: number): void {
    this.#contention.forget(before);
    this.#moves.forget(before);
    for (const [id, { until }] of this.#open) if (until.until < before) this.#open.delete(id);
  }

  /** An address space is gone: nothing that is known of it is true of the next one in its memory. */
  #forgetMm(mm: Mm): void {
    this.#spaces.forget(mm);
    this.#inherited.forget(mm);
    this.#lazyFree.forget(mm.address);
    this.#attached.forget(mm);
    this.#userfaults.forget(mm);
    this.#faults.forget(mm);
    this.#slots.forget(mm.address);
    this.#written.delete(mm.address);
  }

  #opens(operation: Operation, what: Partial<Opened>): void {
    const closed = { until: operation, copies: false, slots: false, freed: 0, most: 0, mask: null };
    this.#open.set(operation.id, { ...(this.#open.get(operation.id) ?? closed), ...what });
  }

  /** No more steps will come. */
  end(): void {
    this.#runner.end();
  }

  /** Runs a step. */
  take(step: Step): void {
    const { event, kind, pid, cpu, inTask, own } = step;
    if (cpu >= this.host.cpus) return;
    if (kind === 'rssStat' && step.before === null && step.after === null) return;
    if (kind === 'mark') this.begin();
    const { time } = event;
    this.now = time;
    this.host.at(time, this.#early);
    if (step.lost !== null) for (const losing of step.lost) this.#lose(losing, time);
    this.#seen[cpu] = time;
    const current = this.#tasks.current(cpu);
    if (current === null) this.#tasks.settle(cpu, this.#tasks.task(cpu, pid, event.comm));
    else if (current.met && current.pid === pid && event.tgid !== null) {
      this.#tasks.join(cpu, current, event.tgid);
    }
    if (own) this.#goesOn(step);
    if (step.before !== null) for (const action of step.before) this.#act(step, action);
    // A fault begins with its event; whatever else stands at an event of its own task ends with it.
    if (own && kind !== 'pageFault') this.#goesOn(step);
    if (kind === 'schedSwitch') this.#switch(event, step);
    else if (kind === 'tlbFlush') this.#record(event, step);
    else if (kind === 'csdQueueCpu' && queuesFlush(event) && inTask) this.#recordInterrupt(event, step);
    else if (kind === 'other' && isInSwitch(event)) this.#moves.note(cpu, time);
    else if (kind === 'csdFunctionEntry' && runsFlush(event) && (!inTask || pid === 0)) this.#arrive(step);
    if (step.after !== null) for (const action of step.after) this.#act(step, action);
  }

  /** Events of a CPU were lost: what waits there is over, and somebody runs there whom the next event names. */
  #lose(cpu: number, now: number): void {
    if (cpu >= this.host.cpus) return;
    this.#gaps = true;
    this.#contention.lost(this.#seen[cpu] ?? -Infinity, now);
    this.#runner.end();
    this.#tasks.lose(cpu);
  }

  #goesOn({ pid, kind }: Step): void {
    if (!this.#runner.atRest) this.#runner.goesOn(pid, kind === 'schedSwitch');
  }

  #record({ time, cpu, reason, pages, where }: TlbFlush, step: Step): void {
    this.#ledger.record(step.operation!, { time, cpu, reason, pages, where, early: this.#early });
  }

  /** A request to flush begins to run. If the model sent none, the CPU was asked all the same, and runs what the sender asked of others. */
  #arrive({ cpu, operation }: Step): void {
    if (this.#runner.arrive(cpu) || operation === null) return;
    if (this.host.interrupts.predicted(operation, { reason: INTERRUPT, pages: cpu })) return;
    this.host.run(operation, false, () => {
      if (this.host.stray(cpu, operation)) this.#stray++;
    });
  }

  #recordInterrupt({ time, cpu, target }: CsdQueueCpu, { operation }: Step): void {
    this.#runner.queues(cpu, target);
    if (operation === null) return;
    this.host.interrupts.record(operation, { time, cpu, reason: INTERRUPT, pages: target, early: this.#early });
  }

  #switch(event: SchedSwitch, step: Step): void {
    const { cpu } = event;
    this.#moves.note(cpu, event.time);
    const next = this.#tasks.task(cpu, event.nextPid, event.nextComm);
    const prev = this.#tasks.current(cpu);
    if (prev !== null && prev.pid !== event.prevPid) {
      this.#elsewhere++;
      this.#tasks.settle(cpu, this.#tasks.task(cpu, event.prevPid, event.prevComm));
    }
    // The recorder looks at the next task: what the switch to one that it leaves out flushes is left out, too.
    const quiet = event.nextComm === OTHER || this.#tasks.mayBeLoaded(cpu, next);
    if (next.mm !== null && this.#slots.loads(cpu, next.mm.address, next.met))
      this.#opens(step.operation!, { slots: true });
    this.host.run(step.operation, quiet, () => this.#tasks.switchTo(cpu, next));
    if (leavesForGood(event))
      this.#runner.run(step.operation!, cpu, event.prevPid, this.#tasks.forget(event.prevPid), false, null);
  }

  #act(step: Step, action: Action): void {
    const { cpu } = step;
    if (action.kind === 'hidden') {
      this.#moves.note(action.cpu, step.event.time, action.until);
      this.#hidden[action.placed]++;
      this.#tasks.settle(action.cpu, this.#tasks.task(action.cpu, action.pid, action.comm));
      return;
    }
    if (action.kind === 'syscall' && !changesSpace(action.name)) return;
    const task = this.#tasks.task(cpu, action.pid, '');
    if (!this.#tasks.settle(cpu, task)) this.#elsewhere++;
    this.#inherit(cpu, task, action);
    this.#regard(cpu, task, action);
    this.host.pauses(cpu, action.kind === 'syscall' ? action.pauses : NEVER);
    if (action.kind === 'exit' || action.kind === 'exec') this.#moves.note(cpu, step.event.time, action.until);
    const job = this.#job(cpu, task, action);
    const { operation, pid, interrupts } = action;
    this.host.trims(cpu, operation.trims);
    operation.trims = false;
    this.#runner.run(operation, cpu, pid, job, interrupts, interrupts ? this.#answers(step, action) : null);
  }

  /** What is recorded to answer an action's requests, if nothing else happens before. */
  #answers(step: Step, action: Exclude<Action, { kind: 'hidden' }>): Answers | null {
    if (step.before?.at(-1) !== action || step.after !== null) return null;
    return answersTo(step, action.pid, (next) => {
      const current = next.cpu < this.host.cpus ? this.#tasks.current(next.cpu) : null;
      return current === null || (current.met && current.pid === next.pid && next.event.tgid !== null);
    });
  }

  /** What was there before the recording, where an action looks at it. */
  #inherit(cpu: number, task: Task, action: Exclude<Action, { kind: 'hidden' }>): void {
    const { mm } = task;
    if (mm === null) return;
    const port = this.host.cpu(cpu);
    const { pageSize } = this.host;
    if ((action.kind === 'fault' || action.kind === 'miss') && this.#tasks.isFirst(mm)) {
      const twin = this.#tasks.twinOf(task);
      if (twin !== null) this.#twins.resemble(port, mm, twin, action.address - (action.address % pageSize));
    }
    if (action.kind === 'fault') {
      const page = action.address - (action.address % pageSize);
      this.#spaces.touch(mm, page);
      this.#inherited.touch(port, mm, page, page + pageSize, action.unknown || (action.errorCode & PRESENT) !== 0);
    } else if (action.kind === 'syscall') {
      const range = rangeOf(action, this.#spaces.brk(mm));
      this.#inherited.touch(port, mm, range.start, range.end);
    } else if (action.kind === 'clone' && (action.flags & CLONE_VM) === 0) {
      this.#inherited.touch(port, mm, 0, this.host.taskSize);
    }
  }

  /** What is open of an action before it runs. */
  #regard(cpu: number, task: Task, action: Exclude<Action, { kind: 'hidden' }>): void {
    const { operation } = action;
    const mm = task.mm;
    if (mm === null) return;
    if (action.kind === 'miss' || action.kind === 'wait') return;
    if (action.kind !== 'fault' || (action.errorCode & COPIES) === COPIES) {
      this.#contention.note(operation, mm.address);
      // Of many CPUs a set can name those alone that the address space was on.
      if (this.host.cpus > MEMBERS) this.#opens(operation, { mask: this.host.cpu(cpu).readOnce(mm.cpumask) });
    }
    if (action.kind === 'fault') {
      const copies = (action.errorCode & COPIES) === COPIES;
      const writes = copies || (action.unknown && (action.errorCode & COPIES) !== 0);
      const shared = (this.#gaps && copies) || (this.#written.size > 0 && writes);
      if (shared || this.#faults.mayCopy(this.host.cpu(cpu), mm, action)) this.#opens(operation, { copies: true });
    }
    if (action.kind === 'syscall' && action.name === 'process_vm_writev' && action.ret > 0) {
      this.#opens(operation, { copies: true });
      const written = this.#tasks.known(action.args[0] ?? 0)?.mm;
      if (written !== undefined && written !== null) this.#written.add(written.address);
    }
    const leaves = action.kind === 'exit' || action.kind === 'exec';
    if (leaves) this.#written.delete(mm.address);
    if (leaves && this.#tasks.isUnknown(mm)) this.host.note(operation, BEFORE);
    const freed = action.kind === 'syscall' ? this.#lazyFree.note(mm.address, action) : 0;
    if (freed > 0) this.#opens(operation, { freed: Math.ceil(freed / this.host.pageSize) });
    const parts = action.kind === 'syscall' && action.ret >= 0 ? partsOf(action, this.host.pageSize) : null;
    if (parts !== null) this.#opens(operation, { most: mostOf(parts) });
    if (leaves && this.#slots.loads(cpu, this.host.initMm, true)) this.#opens(operation, { slots: true });
  }

  #job(cpu: number, task: Task, action: Exclude<Action, { kind: 'hidden' }>): Job {
    const port = this.host.cpu(cpu);
    switch (action.kind) {
      case 'syscall':
        return {
          calls: syscallCalls(this.#context, { cpu: port, mm: this.#tasks.userMm(cpu, task), fds: task.fds }, action),
        };
      case 'fault':
        return this.#faults.handle(port, this.#tasks.userMm(cpu, task), action);
      case 'writeback':
        return {
          calls: filesWritten(
            this.#context,
            port,
            action.hindsight.faults,
            (pid) => this.#tasks.known(pid)?.mm ?? null,
          ),
        };
      case 'attach': {
        const mm = this.#tasks.userMm(cpu, task);
        return action.area === null
          ? this.#attached.detach(mm)
          : this.#attached.attach(port, mm, action.area.start, action.area.length);
      }
      case 'wait':
        return this.#userfaults.wait(
          port,
          this.#tasks.userMm(cpu, task),
          action.address - (action.address % this.host.pageSize),
        );
      case 'miss':
        return this.#faults.miss(port, this.#tasks.userMm(cpu, task), action);
      case 'clone':
        return this.#tasks.clone(task, action, (copy) => {
          this.#spaces.fork(task.mm!, copy);
          this.#inherited.forget(copy);
          this.#lazyFree.forget(copy.address);
          this.#attached.fork(task.mm!, copy);
          this.#userfaults.forget(copy);
        });
      case 'exec': {
        this.#tasks.userMm(cpu, task);
        const { mm, after } = this.#spaces.exec(port, action.shift);
        this.#inherited.forget(mm);
        this.#lazyFree.forget(mm.address);
        this.#attached.forget(mm);
        this.#userfaults.forget(mm);
        return this.#tasks.exec(task, mm, after);
      }
      case 'exit':
        return this.#tasks.exit(task);
    }
  }
}
