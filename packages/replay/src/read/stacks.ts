/**
 * Call stacks in text: lines below the event that they belong to.
 *
 *     tracefs, trace-cmd    comm-1 [000] 1.0: <stack trace>          or <user stack trace>; trace-cmd puts kernel_stack: in front
 *                            => do_vmi_munmap                        the kernel's functions
 *                            =>  <00007fb20dd1fa07>                  user mode
 *     perf                          ffffffff81234567 do_vmi_munmap+0x12 ([kernel.kallsyms])
 *                                       7fb20dd1fa07 munmap+0x7 (/usr/lib/libc.so.6)
 */
import type { Stack, TaskEvent } from './event.ts';

const ARROW = /^\s*=>\s+(.*)$/;
const PERF = /^\s+([0-9a-f]{4,16}) (.*)$/;
const ADDRESS = /^<0*([0-9a-f]+)>$/;

/** Collects the lines of stacks. */
export class StackLines {
  /** Stacks whose lines are not over. */
  #open: Stack[] = [];
  /** The last event. */
  #last: TaskEvent | null = null;

  /** An event, which ends the lines of the one before. @returns the stacks that are whole now */
  event(event: TaskEvent): readonly Stack[] {
    const whole = this.end();
    this.#last = event;
    if (event.kind === 'stack') this.#open = [event];
    return whole;
  }

  /** A line that is no event. */
  line(line: string): void {
    const arrow = ARROW.exec(line);
    if (arrow !== null) {
      this.#open.at(-1)?.frames.push(...framesOf(arrow[1]!));
      return;
    }
    const [, address, text] = PERF.exec(line) ?? [];
    if (address === undefined || text === undefined || this.#last === null) return;
    const user = !address.startsWith('ffff');
    let stack = this.#open.at(-1);
    if (stack === undefined || stack.user !== user) this.#open.push((stack = stackAt(this.#last, user)));
    stack.frames.push(user ? userFrame(address, text) : text.replace(/(?:\+0x| \().*$/, ''));
  }

  /** No more lines will come. @returns the stacks that are whole now: what a program says of itself first, as tracefs has it */
  end(): readonly Stack[] {
    const whole = this.#open.length > 1 ? this.#open.toSorted((a, b) => Number(b.user) - Number(a.user)) : this.#open;
    this.#open = [];
    return whole;
  }
}

/** What stands behind an arrow: one frame; none behind the last one, where trace-cmd goes on with zeroes. */
export function framesOf(text: string): string[] {
  const frame = text.replace(ADDRESS, '0x$1').replace(/ \([0-9a-f]+\)$/, '');
  return frame === '0x0' || frame === '0xffffffffffffffff' ? [] : [frame];
}

/** `munmap+0x7 (/usr/lib/libc.so.6)` without the folder; what has no name is its address. */
function userFrame(address: string, text: string): string {
  return text.startsWith('[unknown]') ? `0x${address}` : text.replace(/\(.*\/([^/]*)\)$/, '($1)');
}

/** A stack without frames of an event. */
export function stackAt({ line, time, cpu, pid, tgid, comm, flags }: TaskEvent, user: boolean): Stack {
  return { line, time, cpu, pid, tgid, comm, flags, kind: 'stack', user, frames: [] };
}
