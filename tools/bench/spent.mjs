// node --import spent.mjs PROGRAM: what the process has spent when it ends, with all its threads, as JSON on file descriptor 3.
import { readFileSync, writeSync } from 'node:fs';

process.on('exit', () => {
  const { userCPUTime, systemCPUTime } = process.resourceUsage();
  // What getrusage says of memory includes the process that forked this one.
  const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  writeSync(3, JSON.stringify({ cpu: (userCPUTime + systemCPUTime) / 1e6, mebibytes: Number(kibibytes) / 1024 }));
});
