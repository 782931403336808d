// node replaying.ts FILE read|replay: one recording in a process of its own. Prints events, its CPU time, and the most memory that it had.
import { readFileSync } from 'node:fs';
import { openTrace, replay } from '@mmu-gather/replay';

const [file, what] = process.argv.slice(2) as [string, 'read' | 'replay'];
let events = 0;
if (what === 'read') for await (const batch of (await openTrace(file)).batches()) events += batch.length;
else ({ events } = await replay(file));
const { userCPUTime, systemCPUTime } = process.resourceUsage();
// What getrusage says of memory includes the process that forked this one.
const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))!;
console.log(
  JSON.stringify({ events, seconds: (userCPUTime + systemCPUTime) / 1e6, mebibytes: Number(kibibytes) / 1024 }),
);
