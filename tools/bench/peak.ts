// node peak.ts PROGRAM OPTIONS: one search in a process of its own. Prints what it found, its CPU time, and the most memory that the process had.
import { search } from '@mmu-gather/checker';
import { PROGRAMS } from './programs.ts';
import { once } from './table.ts';

const [name, options, forgets] = process.argv.slice(2) as [string, string, string];
const machine = PROGRAMS.find((program) => program.name === name)!.machine('sc', forgets === 'forgets');
const { milliseconds, result } = once(() => search(machine, JSON.parse(options) as object));
const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
console.log(
  JSON.stringify({
    count: result.executions ?? result.states,
    search: milliseconds,
    process: (userCPUTime + systemCPUTime) / 1000,
    mebibytes: maxRSS / 1024,
  }),
);
