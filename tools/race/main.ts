/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The page: starts a stress run of x86 on workers, shows how far each CPU is, and what was found.
 */
import { LINUX_6_18 } from '@mmu-gather/core';
import { type Progress, SEEDED_BUGS, stress, type StressConfig, type StressResult, withBug } from '@mmu-gather/stress';
import { X86_LINUX_6_18 } from '@mmu-gather/x86';

const CPUS = 3;
const TIME = 60_000;
/** Events that are shown of a violation. */
const SHOWN = 30;

const RIGHT: StressConfig = {
  arch: 'x86',
  profile: LINUX_6_18,
  switches: { ...X86_LINUX_6_18, dynAsids: 2 },
  cpus: CPUS,
  seed: 1,
};

const bug = document.querySelector<HTMLSelectElement>('#bug')!;
const start = document.querySelector<HTMLButtonElement>('#start')!;
const stop = document.querySelector<HTMLButtonElement>('#stop')!;
const cpus = document.querySelector('#cpus')!;
const verdict = document.querySelector<HTMLElement>('#verdict')!;
const events = document.querySelector('#events')!;
const bugs = SEEDED_BUGS.filter(({ arch }) => arch === 'x86');
for (const { id, title } of bugs) bug.add(new Option(title, id));

/** A bar for each CPU: what it has done, beside the one that has done most. */
function showProgress({ operations, accesses, seconds, each }: Progress): void {
  const most = Math.max(1, ...each);
  const bars = each.map((done, cpu) => {
    const line = document.createElement('div');
    const bar = Object.assign(document.createElement('progress'), { max: most, value: done });
    line.append(`CPU ${cpu} `, bar, ` ${done} operations`);
    return line;
  });
  cpus.replaceChildren(...bars);
  show('running', `${seconds.toFixed(0)} s: ${operations} operations, ${accesses} accesses, nothing found`);
}

function show(outcome: string, text: string): void {
  verdict.dataset['outcome'] = outcome;
  verdict.textContent = text;
}

function showResult(result: StressResult): void {
  const { outcome, oracle, cpu, message, operations } = result;
  if (outcome === 'violation') show(outcome, `The canary is dead. ${oracle} on CPU ${cpu}: ${message}`);
  else if (outcome === 'failed') show(outcome, message);
  else show(outcome, `Nothing found in ${operations} operations.`);
  const end = result.events.at(-1)?.time ?? 0;
  const last = outcome === 'violation' ? result.events.slice(-SHOWN) : [];
  events.textContent = last.map((e) => `${((e.time - end) / 1000).toFixed(3)} ms  CPU ${e.cpu}  ${e.text}`).join('\n');
}

async function run(): Promise<void> {
  const seeded = bugs.find(({ id }) => id === bug.value);
  const controller = new AbortController();
  const halt = (): void => controller.abort();
  stop.addEventListener('click', halt, { once: true });
  start.disabled = true;
  stop.disabled = false;
  events.textContent = '';
  const seed = 1 + Math.floor(Math.random() * 1_000_000);
  const config = seeded === undefined ? RIGHT : withBug(RIGHT, seeded);
  try {
    showResult(await stress({ ...config, seed }, { time: TIME, signal: controller.signal, onProgress: showProgress }));
  } catch (error) {
    show('failed', error instanceof Error ? error.message : String(error));
  }
  stop.removeEventListener('click', halt);
  start.disabled = false;
  stop.disabled = true;
}

if (crossOriginIsolated) start.addEventListener('click', () => void run());
else {
  start.disabled = true;
  show('failed', 'This page shares memory between workers: serve it cross-origin isolated, as `npm run race` does.');
}
