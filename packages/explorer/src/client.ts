/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The code of a page. Its functions are put into the page as text, so they may use nothing but each other, the browser, and their arguments.
 *
 *     reels    the film of the violation, and that of its passing neighbour
 *     shown    which of them, and which frame: 0 is before the first step
 *
 * Forward and back go from one shown step to the next; steps that concern one CPU only are shown when somebody asks for them.
 */
import type { Film, FilmedCpu, FilmedEntry, FilmedTable } from '@mmu-gather/checker';

/** A film with its name. */
interface Reel {
  readonly name: string;
  readonly film: Film;
  /** Of a neighbour: number of steps that it has in common with the violation. */
  readonly common?: number;
}

/** Which frame of which reel is seen. */
interface Shown {
  reel: number;
  frame: number;
  all: boolean;
}

/** Makes an element. */
function el(tag: string, className: string, ...children: (Node | string)[]): HTMLElement {
  const element = document.createElement(tag);
  if (className !== '') element.className = className;
  element.append(...children);
  return element;
}

/** Frames that forward and back stop at: the first, those behind a step that is shown, and the last. */
function stops({ film }: Reel, all: boolean): number[] {
  const behind = film.steps.flatMap((step, i) => (all || step.shared ? [i + 1] : []));
  return [...new Set([0, ...behind, film.steps.length])].toSorted((a, b) => a - b);
}

/** The lanes: one row a step, one column a CPU. */
function drawRace({ film, common }: Reel, { frame, all }: Shown, go: (frame: number) => void): HTMLElement {
  const cpus = film.frames[0]!.cpus.length;
  const head = el('tr', '', el('th', 'number', 'step'));
  for (let cpu = 0; cpu < cpus; cpu++) head.append(el('th', '', `CPU ${cpu}`));
  head.append(el('th', 'place', 'where'));
  const body = el('tbody', '');
  film.steps.forEach((step, i) => {
    if (common === i) body.append(wide(cpus, 'parting', `here it parts from the execution that violates`));
    if (!all && !step.shared && i + 1 !== film.steps.length) return;
    const state = i + 1 === frame ? 'now' : i + 1 < frame ? 'past' : 'future';
    const row = el('tr', `step ${state}`, el('td', 'number', `${step.step}`));
    row.dataset['frame'] = `${i + 1}`;
    for (let cpu = 0; cpu < cpus; cpu++)
      row.append(el('td', cpu === step.cpu ? `lane ${step.side}` : 'lane', cpu === step.cpu ? step.text : ''));
    row.append(el('td', 'place', step.fn, el('small', '', step.site)));
    row.addEventListener('click', () => go(i + 1));
    body.append(row);
  });
  const { violation } = film;
  if (violation !== undefined) {
    const row = wide(
      cpus,
      frame === film.steps.length ? 'violation reached' : 'violation',
      `${violation.oracle}: ${violation.message}`,
    );
    body.append(row);
  } else body.append(wide(cpus, 'passes', 'ends, and no oracle is violated'));
  return el('table', 'lanes', el('thead', '', head), body);
}

/** A row across all columns. */
function wide(cpus: number, className: string, text: string): HTMLElement {
  const cell = el('td', '', text);
  cell.setAttribute('colspan', `${cpus + 2}`);
  return el('tr', className, cell);
}

/** `page 0`, `pages 0–1`. */
function pagesText(first: number, count: number): string {
  return count === 1 ? `page ${first}` : `pages ${first}–${first + count - 1}`;
}

/** A CPU: its mode, what it has loaded, what waits in its store buffer, what its TLB may hold. */
function drawCpu(cpu: FilmedCpu, number: number, steps: boolean, over: boolean): HTMLElement {
  const head = el('h3', '', `CPU ${number} `, el('span', `chip ${cpu.mode}`, cpu.mode));
  if (cpu.interruptsOff) head.append(' ', el('span', 'chip', 'interrupts off'));
  if (cpu.queued > 0)
    head.append(' ', el('span', 'chip waiting', `${cpu.queued} waiting interrupt${cpu.queued > 1 ? 's' : ''}`));
  const card = el('div', steps ? 'card steps' : 'card', head);
  card.append(line('loaded', cpu.context === '' ? 'no user table' : cpu.context));
  const idle = cpu.mode === 'user' ? 'user code: may use all that its TLB holds' : 'nothing';
  if (!(steps && over)) card.append(line('next', cpu.next ?? idle));
  if (cpu.buffer.length > 0) card.append(line('store buffer', cpu.buffer.join(' · ')));
  const table = el('table', 'held');
  for (const entry of cpu.held) table.append(drawHeld(entry, cpu.mode === 'user'));
  card.append(el('p', 'label', cpu.held.length === 0 ? 'The TLB holds nothing' : 'The TLB may hold'), table);
  return card;
}

/** A name and a value. */
function line(name: string, value: string): HTMLElement {
  return el('p', 'line', el('span', 'label', name), el('code', '', value));
}

/** An entry that a CPU may hold; one that user code may use although memory has it no more stands out. */
function drawHeld(entry: FilmedEntry, inUser: boolean): HTMLElement {
  const bad = entry.old || entry.freed;
  const className = `${entry.live ? '' : 'away '}${bad ? 'old ' : ''}${bad && entry.live && inUser && entry.leaf ? 'usable' : ''}`;
  const marks = el('td', 'marks');
  if (!entry.leaf) marks.append(el('span', 'chip', 'walk cache'), ' ');
  if (entry.freed) marks.append(el('span', 'chip freed', 'freed'));
  if (entry.old) marks.append(' ', el('span', 'chip stale', 'not in memory'));
  const place = pagesText(entry.page, entry.pages);
  const text = entry.leaf ? entry.text : `→ ${entry.text}`;
  return el(
    'tr',
    className.trim(),
    el('td', 'tag', entry.tag),
    el('td', '', place),
    el('td', '', el('code', '', text)),
    marks,
  );
}

/** A page table, with what the step has changed. */
function drawTable(table: FilmedTable, before: readonly FilmedTable[]): HTMLElement {
  const old = before.find(({ name }) => name === table.name);
  const head = el(
    'h3',
    '',
    `${table.name} `,
    el('small', '', table.of),
    table.freed ? el('span', 'chip freed', 'freed') : '',
  );
  const rows = el('table', 'slots');
  table.slots.forEach((slot, i) => {
    const changed = old !== undefined && old.slots[i]?.text !== slot.text;
    const text = slot.text === '' ? 'none' : slot.text;
    rows.append(
      el(
        'tr',
        changed ? 'changed' : '',
        el('td', '', pagesText(slot.page, slot.pages)),
        el('td', slot.text === '' ? 'empty' : '', el('code', '', text)),
      ),
    );
  });
  return el('div', 'card', head, rows);
}

/** The words that change, by the object that they belong to. */
function drawWords({ words, frames }: Film, frame: number): HTMLElement {
  const groups = new Map<string, HTMLElement>();
  words.forEach((name, i) => {
    const dot = name.lastIndexOf('.');
    const object = dot < 0 ? '' : name.slice(0, dot);
    if (!groups.has(object)) groups.set(object, el('table', 'words'));
    const value = frames[frame]!.words[i]!;
    const old = frames[Math.max(0, frame - 1)]!.words[i]!;
    const shown = value === old ? value : `${old} → ${value}`;
    groups
      .get(object)!
      .append(
        el(
          'tr',
          value === old ? '' : 'changed',
          el('td', '', name.slice(dot + 1)),
          el('td', '', el('code', '', shown)),
        ),
      );
  });
  const box = el('div', 'grid');
  for (const [object, table] of groups)
    box.append(el('div', 'card', el('h3', '', object === '' ? 'words' : object), table));
  return box;
}

/** Everything around a step. */
function drawState({ film }: Reel, frame: number): HTMLElement {
  const { cpus, tables } = film.frames[frame]!;
  const before = film.frames[Math.max(0, frame - 1)]!.tables;
  const over = film.violation !== undefined && frame === film.steps.length;
  const who = frame === 0 ? -1 : film.steps[frame - 1]!.cpu;
  const state = el('div', '');
  state.append(
    el('h2', '', 'CPUs and their TLBs'),
    el('div', 'stack', ...cpus.map((cpu, n) => drawCpu(cpu, n, n === who, over))),
  );
  state.append(
    el('h2', '', 'Page tables in memory'),
    el('div', 'grid', ...tables.map((table) => drawTable(table, before))),
  );
  if (film.words.length > 0) state.append(el('h2', '', 'Generations, masks and other words'), drawWords(film, frame));
  return state;
}

/** Shows the page. */
function show(): void {
  const reels = JSON.parse(document.querySelector('#reels')!.textContent) as Reel[];
  const [race, state] = [document.querySelector('.race')!, document.querySelector('.state')!];
  const [slider, output] = [
    document.querySelector<HTMLInputElement>('input[type=range]')!,
    document.querySelector('output')!,
  ];
  const every = document.querySelector<HTMLInputElement>('input[name=all]')!;
  const verdict = document.querySelector<HTMLElement>('[data-violation]')!;
  const shown: Shown = { reel: 0, frame: 0, all: false };
  const tabs = reels.map(({ name }, i) => {
    const tab = el('button', '', name);
    tab.setAttribute('role', 'tab');
    tab.addEventListener('click', () => {
      shown.reel = i;
      shown.frame = Math.min(shown.frame, reels[i]!.film.steps.length);
      draw();
    });
    return tab;
  });
  if (tabs.length > 1) document.querySelector('.tabs')!.append(...tabs);

  const goTo = (frame: number): void => {
    shown.frame = frame;
    draw();
  };
  const draw = (): void => {
    const reel = reels[shown.reel]!;
    const { steps, violation } = reel.film;
    slider.max = `${steps.length}`;
    slider.value = `${shown.frame}`;
    output.textContent =
      shown.frame === 0 ? `before step 1 of ${steps.length}` : `step ${shown.frame} of ${steps.length}`;
    race.replaceChildren(drawRace(reel, shown, goTo));
    state.replaceChildren(drawState(reel, shown.frame));
    verdict.classList.toggle('reached', violation !== undefined && shown.frame === steps.length);
    for (const [i, tab] of tabs.entries()) tab.setAttribute('aria-selected', `${i === shown.reel}`);
    race.querySelector('.now')?.scrollIntoView({ block: 'nearest' });
  };
  const go = (where: string): void => {
    const at = stops(reels[shown.reel]!, shown.all);
    if (where === 'first') goTo(0);
    else if (where === 'last') goTo(at.at(-1)!);
    else if (where === 'back') goTo(at.findLast((frame) => frame < shown.frame) ?? 0);
    else goTo(at.find((frame) => frame > shown.frame) ?? at.at(-1)!);
  };
  const keys: Readonly<Record<string, string>> = {
    ArrowRight: 'forward',
    ArrowLeft: 'back',
    Home: 'first',
    End: 'last',
  };

  for (const button of document.querySelectorAll<HTMLElement>('[data-go]'))
    button.addEventListener('click', () => go(button.dataset['go']!));
  slider.addEventListener('input', () => goTo(Number(slider.value)));
  every.addEventListener('change', () => {
    shown.all = every.checked;
    draw();
  });
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === 'a') every.click();
    const where = keys[event.key];
    if (where === undefined) return;
    event.preventDefault();
    go(where);
  });
  draw();
}

/** The code of a page as text. */
export const CLIENT: string = [
  ...[el, stops, drawRace, wide, pagesText, drawCpu, line, drawHeld, drawTable, drawWords, drawState, show].map(String),
  'show();',
].join('\n');
