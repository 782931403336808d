/**
 * The page of a counterexample: what was violated, the execution step by step, and around each step what CPUs, page tables, TLBs and words are.
 *
 *     counterexamplePage({ scenario, ..., film })      one HTML document, which needs no network and no other file
 *
 * The film is in the page as JSON; client.ts is its code. Without JavaScript there is the race as text.
 */
import type { Film } from '@mmu-gather/checker';
import { CLIENT } from './client.ts';
import { document, escaped } from './html.ts';

/** An execution that passes, beside the one that does not. */
export interface NeighbourFilm {
  /** The execution. */
  readonly film: Film;
  /** Number of steps that both begin with. */
  readonly common: number;
}

/** What a page is made of. */
export interface CounterexamplePage {
  /** Id of the scenario or twin. */
  readonly scenario: string;
  /** What it is, in one line. */
  readonly title: string;
  /** Id of the architecture. */
  readonly arch: string;
  /** Id of the profile. */
  readonly profile: string;
  /** The memory model. */
  readonly memoryModel: string;
  /** The oracle that is violated: `O1`, `assert`, `race`. */
  readonly oracle: string;
  /** What it found, in one line. */
  readonly message: string;
  /** What it demands, in one line. */
  readonly says: string;
  /** Whether this was to be expected. */
  readonly expected: boolean;
  /** The race as text. */
  readonly diagram: string;
  /** The command that takes the execution again. */
  readonly command: string;
  /** The execution. */
  readonly film: Film;
  /** The passing execution that has most in common with it, if there is one. */
  readonly neighbour?: NeighbourFilm;
}

/** The page of a counterexample, as one HTML document. */
export function counterexamplePage(page: CounterexamplePage): string {
  const { scenario, arch, neighbour, film } = page;
  const reels = [
    { name: 'Violates', film },
    ...(neighbour === undefined ? [] : [{ name: 'Passes', film: neighbour.film, common: neighbour.common }]),
  ];
  return document(
    `${scenario} on ${arch}: ${page.oracle}`,
    `${header(page)}
<main>
<nav class="controls" aria-label="Steps">
  <span class="tabs" role="tablist"></span>
  <span class="buttons">
    <button type="button" data-go="first" title="First step (Home)" aria-label="First step">|◀</button>
    <button type="button" data-go="back" title="Back (←)" aria-label="Back">◀</button>
    <button type="button" data-go="forward" title="Forward (→)" aria-label="Forward">▶</button>
    <button type="button" data-go="last" title="Last step (End)" aria-label="Last step">▶|</button>
  </span>
  <input type="range" min="0" value="0" aria-label="Step">
  <output></output>
  <label><input type="checkbox" name="all"> every step <kbd>a</kbd></label>
</nav>
<section class="race" aria-label="Execution"></section>
<section class="state" aria-label="State"></section>
</main>
<section class="text">
<h2>The race as text</h2>
<pre>${escaped(page.diagram)}</pre>
<p>All of it again: <code>${escaped(page.command)}</code></p>
</section>
<script type="application/json" id="reels">${JSON.stringify(reels).replaceAll('<', '\\u003c')}</script>
<script>${CLIENT}</script>`,
  );
}

function header({
  scenario,
  title,
  arch,
  profile,
  memoryModel,
  oracle,
  message,
  says,
  expected,
}: CounterexamplePage): string {
  const chips = [arch, profile, memoryModel].map((text) => `<span class="chip">${escaped(text)}</span>`).join(' ');
  return `<header>
<p class="kind">mmu-gather · counterexample${expected ? ' of a wrong twin' : ''}</p>
<h1><code>${escaped(scenario)}</code> ${chips}</h1>
<p>${escaped(title)}</p>
<p class="verdict" data-violation><strong>${escaped(oracle)}</strong> <span>${escaped(message)}</span><small>${escaped(oracle)} says: ${escaped(says)}</small></p>
</header>`;
}
