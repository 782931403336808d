/**
 * Event log: what one and the same small workload asks of the hardware on each architecture, with its real constants and page tables.
 *
 * Two CPUs run threads of one mm. Operations run one after another on CPU 0, on the counting machine: what is shown is what the running code
 * does, in its order. Tracepoints stand in the kernel's own words, where its architecture has some.
 */
import {
  type BootOptions,
  type Cpu,
  EVERYTHING,
  finish,
  type Mm,
  type Scope,
  type Steps,
  VM_READ,
  VM_WRITE,
} from '@mmu-gather/core/stepped';
import { CountingMachine, type MmuEvent } from '@mmu-gather/counting/stepped';
import {
  contextSwitch,
  dupMm,
  madviseDontneed,
  mmAlloc,
  mmap,
  mmget,
  mmput,
  mprotect,
  munmap,
  userStore,
} from '@mmu-gather/mm/stepped';
import type { Architecture } from './architecture.ts';
import { profileOf, profiles } from './profiles/index.ts';

/** What one operation asked for, in order. */
export interface LoggedOperation {
  /** The operation, in a few words. */
  readonly operation: string;
  /** What CPUs were asked for, one line each: `CPU 1: drop page 0 of ASID 1`. */
  readonly asked: readonly string[];
  /** Tracepoints that fired, each in its own words; many of one name are counted. */
  readonly traced: readonly string[];
}

/** More than the ceilings at which x86 and radix flush everything, fewer than the batches of hash and sparc64 hold. */
const PAGES = 40;

/** Tracepoints of one name that are shown one by one. */
const MANY = 4;

/**
 * Runs the workload on an architecture.
 * @param profileId one that starts from a kernel version which the architecture knows
 */
export function eventLog(arch: Architecture, profileId = 'linux-6.18'): LoggedOperation[] {
  const spec = profiles([profileId], [], [arch])[0]!;
  const backend = arch.backend(arch.kernels[spec.kernel]!);
  const { geometry } = backend.isa;
  const profile = profileOf(spec, arch.config);
  const options: BootOptions = { cpus: 2, geometry, backend, profile };
  const machine = new CountingMachine(options);
  const size = 2 ** geometry.pageShift;
  const [first, second] = machine.cpus as readonly [Cpu, Cpu];
  const run = <T>(steps: Steps<T>): T => finish(steps);

  const mm = run(mmAlloc(first));
  run(contextSwitch(first, mm));
  run(mmap(first, mm, 0, PAGES * size, VM_READ | VM_WRITE));
  for (let page = 0; page < PAGES; page++) run(userStore(first, mm, page * size, 1));
  run(mmget(second, mm));
  run(contextSwitch(second, mm));
  for (let page = 0; page < PAGES; page++) run(userStore(second, mm, page * size, 2));

  let child: Mm | undefined;
  const log: LoggedOperation[] = [];
  const note = <T>(operation: string, steps: Steps<T>): T => {
    const events = new Events(size);
    machine.onMmu = (cpu, event) => events.mmu(cpu, event);
    machine.onTrace = (cpu, event, values) => {
      if (event !== 'csd_queue_cpu') events.trace(cpu, event, values);
    };
    const result = run(steps);
    machine.onMmu = undefined;
    machine.onTrace = () => {};
    log.push({ operation, asked: events.lines(), traced: events.traced() });
    return result;
  };
  note('mprotect of one page: read-only', mprotect(first, mm, 0, size, VM_READ));
  note(
    'fork',
    fork(first, mm, (of) => (child = of)),
  );
  note('the first write after the fork: a copy', userStore(first, mm, 8 * size, 3));
  note('munmap of one page', munmap(first, mm, size, size));
  note('MADV_DONTNEED of three pages', madviseDontneed(first, mm, 2 * size, 3 * size));
  note(`munmap of all ${PAGES} pages, and of their page tables`, munmap(first, mm, 0, PAGES * size));
  note('exit of the child, which never ran', mmput(first, child!));
  note('the other thread goes idle, and comes back', idle(second, mm));
  return log;
}

function* fork(cpu: Cpu, mm: Mm, keep: (child: Mm) => void): Steps<void> {
  keep(yield* dupMm(cpu, mm));
}

function* idle(cpu: Cpu, mm: Mm): Steps<void> {
  yield* contextSwitch(cpu, null);
  yield* contextSwitch(cpu, mm);
}

/** One event: the same again is counted, and pages that follow each other become a range. */
interface Line {
  readonly cpu: number;
  readonly before: string;
  readonly after: string;
  from: number;
  to: number;
  times: number;
}

/** Collects events as lines for people. */
class Events {
  readonly #lines: Line[] = [];
  readonly #traces = new Map<string, string[]>();
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
  }

  add(cpu: number, text: string): void {
    this.#put({ cpu, before: text, after: '', from: -1, to: -1, times: 1 });
  }

  trace(cpu: number, event: string, values: readonly number[]): void {
    const of = this.#traces.get(event);
    const text = `CPU ${cpu}: ${event}(${values.join(', ')})`;
    if (of === undefined) this.#traces.set(event, [text]);
    else of.push(text);
  }

  mmu(cpu: number, event: MmuEvent): void {
    if (event.kind === 'load')
      this.add(
        cpu,
        `load ${event.root === 0 ? 'no table' : `ASID ${event.asid}`}${event.noflush ? '' : ', which is flushed'}`,
      );
    else if (event.kind === 'ipi') this.add(cpu, `interrupt CPU ${event.target}`);
    else if (event.kind === 'barrier') this.add(cpu, 'wait for invalidations');
    else this.#scope(cpu, event.kind === 'change' ? 'change the entry and drop' : 'drop', event.scope);
  }

  #scope(cpu: number, verb: string, scope: Scope): void {
    const { asid, leaves, walks, level } = scope;
    const where = scope.cpus !== undefined ? ` on ${cpuList(scope.cpus)}` : scope.broadcast ? ' everywhere' : '';
    const what = [
      asid < 0 ? ' of all ASIDs' : ` of ASID ${asid}`,
      walks.start < walks.end ? ', walk caches too' : '',
      level === undefined ? '' : `, level ${level} only`,
      where,
    ].join('');
    if (leaves.start >= leaves.end)
      this.add(cpu, `${verb} walk caches${asid < 0 ? ' of all ASIDs' : ` of ASID ${asid}`}${where}`);
    else if (leaves.end === EVERYTHING) this.add(cpu, `${verb} everything${what}`);
    else {
      const from = Math.floor(leaves.start / this.#size);
      this.#put({ cpu, before: `${verb} `, after: what, from, to: Math.ceil(leaves.end / this.#size), times: 1 });
    }
  }

  /** Adds a line, or counts it with the last one if it is the same again, or of the page behind or before. */
  #put(line: Line): void {
    const last = this.#lines.at(-1);
    const alike = last?.cpu === line.cpu && last.before === line.before && last.after === line.after;
    const next = alike && (line.from < 0 || line.from === last.to || line.to === last.from);
    if (!next) {
      this.#lines.push(line);
      return;
    }
    last.from = Math.min(last.from, line.from);
    last.to = Math.max(last.to, line.to);
    last.times++;
  }

  traced(): string[] {
    return [...this.#traces].flatMap(([event, texts]) =>
      texts.length <= MANY ? texts : [`${event}: ${texts.length} times`],
    );
  }

  lines(): string[] {
    return this.#lines.map(({ cpu, before, after, from, to, times }) => {
      const pages = from < 0 ? '' : to - from === 1 ? `page ${from}` : `pages ${from} to ${to - 1}`;
      return `CPU ${cpu}: ${before}${pages}${after}${times === 1 ? '' : ` (${times} times)`}`;
    });
  }
}

function cpuList(mask: number): string {
  const cpus = Array.from({ length: 31 }, (_, cpu) => cpu).filter((cpu) => (mask & (1 << cpu)) !== 0);
  return `CPU ${cpus.join(' and ')}`;
}
