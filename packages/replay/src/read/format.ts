import { excerpt, TraceError } from './error.ts';

/** Which program wrote it: text of the first three is read alike. */
export type Format = 'tracefs' | 'trace-cmd' | 'perf' | 'trace.dat' | 'mmu-gather' | 'strace';

export const MEND =
  'give a trace.dat, tracefs text (the file "trace"), or what trace-cmd report, perf script or strace -f -ttt print';

interface Foreign {
  what: string;
  begins: RegExp;
  mend: string;
}

/** What people may give instead, and the command that makes of it something that can be read. */
const FOREIGN: readonly Foreign[] = [
  {
    what: 'a binary perf.data',
    begins: /^PERFILE2/,
    mend: 'convert it: perf script --ns -F comm,pid,tid,cpu,time,event,trace -i FILE > FILE.txt',
  },
  { what: 'xz data', begins: /^\xfd7zXZ/, mend: 'unpack it: xz -d FILE' },
  {
    what: 'bpftrace output',
    begins: /^Attaching \d+ probes/,
    mend: 'record with tracefs, trace-cmd or perf: a script of bpftrace prints what it likes',
  },
  {
    what: 'strace output without time stamps',
    begins: /^(\[pid +\d+\] |\d+ +)?(\d\d:\d\d:\d\d(\.\d+)? )?\w+\(.*(\) += |<unfinished \.\.\.>)/,
    mend: 'record with strace -f -ttt -T -o FILE',
  },
  {
    what: 'tracefs text in latency format',
    begins: /^# tracer: .*\n#\n# .* latency trace/,
    mend: 'record with options/latency-format 0',
  },
];

/** Throws if this is the beginning of a file of another kind. */
export function refuseForeign(file: string, beginning: string): void {
  for (const { what, begins, mend } of FOREIGN) {
    if (begins.test(beginning)) throw new TraceError(file, 1, `this is ${what}`, mend);
  }
  if (/[\0-\x08\x0e-\x1a]/.test(beginning.slice(0, 4096))) {
    throw new TraceError(file, 1, `this is no text: it begins with ${excerpt(beginning)}`, MEND);
  }
}

/** `first` is the first line of the file, `event` the first one that is an event. */
export function formatOf(first: string, event: string | undefined): Format {
  if (first.startsWith('#') || event === undefined) return 'tracefs';
  if (/^(version = |CPU \d+ is empty|cpus=)/.test(first) || /^\S+: +\S/.test(event)) return 'trace-cmd';
  if (/^\s*\S.*? +\d+(\/\d+)? +\[\d+\] /.test(event)) return 'perf';
  return /: sys_enter_\w+: | tlb_flush: +pages=/.test(event) ? 'trace-cmd' : 'tracefs';
}
