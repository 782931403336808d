/**
 * Hidden switches: a task runs on a CPU and no `sched_switch` said so.
 *
 * Recorders filter by task, and then switches are missing. The next event of the CPU shows who runs; when the switch was
 * is chosen so:
 *
 *     wake        after the last event that woke the CPU, if one came since it was switched
 *     interrupt   before a flush that interrupted it, if the interrupt did not find it idle: idle CPUs are not asked
 *     seen        else before the event that shows it
 *
 * Recorded flushes are never looked at.
 */
import type { TaskEvent } from '../read/event.ts';
import type { HiddenSwitchAction, Step } from './action.ts';
import { inHardirq, isQuiet, queuesFlush, wakesCpu } from './context.ts';
import type { Window } from './window.ts';

/** What was seen of one CPU since its last switch. */
interface CpuView {
  pid: number;
  /** The task that was switched away, as long as events may still carry its id; -1 after. */
  leaving: number;
  /** The last event that woke it. */
  wake: Step | null;
  /** The last event that asked it to flush. */
  asked: Step | null;
  /** An interrupt was sent for that: the CPU does not poll. */
  sent: boolean;
}

/** Finds hidden switches, and puts them into the window. */
export class HiddenSwitches {
  readonly #window: Window;
  /** By CPU. */
  readonly #views: (CpuView | undefined)[] = [];

  constructor(window: Window) {
    this.#window = window;
  }

  /** Takes note of an event. */
  take(step: Step): void {
    const { event, kind, cpu, pid } = step;
    if (kind === 'tlbFlush') return;
    const view = this.#views[cpu];
    // What probes see between the switch and the end of its work.
    if (view !== undefined && pid === view.leaving && isQuiet(kind)) return;
    if (view === undefined) {
      this.#views[cpu] = { pid, leaving: -1, wake: null, asked: null, sent: false };
    } else if (pid !== view.pid) {
      this.#place(view, step);
      view.pid = pid;
      this.#forget(view);
    } else if (pid === 0 && (kind === 'callFunctionEntry' || kind === 'csdFunctionEntry')) {
      // The flush found it idle.
      this.#release(view.asked);
      view.asked = null;
    }
    if (kind === 'schedSwitch') {
      const now = this.#views[cpu]!;
      now.pid = event.nextPid;
      now.leaving = pid;
      this.#forget(now);
    } else if (view !== undefined) {
      view.leaving = -1;
    }
    if (kind === 'csdQueueCpu' || kind === 'csdFunctionExit' || kind === 'ipiSend') this.#takeEvidence(step, event);
  }

  /** Events of a CPU were lost: what was seen of it is no evidence any more. */
  lose(cpu: number): void {
    const view = this.#views[cpu];
    if (view === undefined) return;
    this.#forget(view);
    this.#views[cpu] = undefined;
  }

  #takeEvidence(step: Step, event: TaskEvent): void {
    const wakes = wakesCpu(event);
    const woken = wakes < 0 ? undefined : this.#views[wakes];
    if (woken !== undefined && woken.pid === 0) {
      this.#release(woken.wake);
      woken.wake = step;
      step.holds++;
    }
    if (event.kind === 'csdQueueCpu' && queuesFlush(event)) {
      const asked = this.#views[event.target];
      if (asked === undefined || asked.pid !== 0) return;
      this.#release(asked.asked);
      asked.asked = step;
      asked.sent = false;
      step.holds++;
    } else if (event.kind === 'ipiSend') {
      for (const target of event.targets) {
        const view = this.#views[target];
        if (view !== undefined) view.sent = true;
      }
    }
  }

  #place(view: CpuView, step: Step): void {
    const { event } = step;
    const action = (placed: HiddenSwitchAction['placed'], until: Step): HiddenSwitchAction => ({
      kind: 'hidden',
      cpu: event.cpu,
      pid: event.pid,
      comm: event.comm,
      placed,
      until: until.event.time,
    });
    // Whom an interrupt did not find idle it found at work.
    const asked = view.sent || inHardirq(event) ? view.asked : null;
    if (view.wake !== null) this.#window.after(view.wake, action('wake', asked ?? step), step);
    else if (asked !== null) this.#window.before(asked, action('interrupt', asked), step, true);
    else this.#window.before(step, action('seen', step), step);
  }

  #forget(view: CpuView): void {
    this.#release(view.wake);
    this.#release(view.asked);
    view.wake = null;
    view.asked = null;
    view.sent = false;
  }

  #release(step: Step | null): void {
    if (step !== null) step.holds--;
  }
}
