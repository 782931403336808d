/**
 * The index of the pages of one run.
 */
import { document, escaped } from './html.ts';

/** A page of the run. */
export interface IndexEntry {
  /** Its file, in the folder of the index. */
  readonly file: string;
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
  /** The oracle that is violated. */
  readonly oracle: string;
  /** What it found, in one line. */
  readonly message: string;
  /** Whether this was to be expected. */
  readonly expected: boolean;
}

/** The index of some pages, as one HTML document: what was not to be expected first. */
export function indexPage(entries: readonly IndexEntry[]): string {
  const unexpected = entries.filter(({ expected }) => !expected);
  const twins = entries.filter(({ expected }) => expected);
  return document(
    'mmu-gather: counterexamples',
    `<header>
<p class="kind">mmu-gather</p>
<h1>Counterexamples</h1>
<p>${unexpected.length} not as expected${twins.length > 0 ? `, ${twins.length} of wrong twins` : ''}</p>
</header>
${list('Not as expected', unexpected)}${list('Wrong twins, refuted', twins)}`,
  );
}

function list(heading: string, entries: readonly IndexEntry[]): string {
  if (entries.length === 0) return '';
  const rows = entries.map(
    ({ file, scenario, title, arch, profile, memoryModel, oracle, message }) => `<tr>
<td><a href="${escaped(encodeURIComponent(file))}"><code>${escaped(scenario)}</code></a><small>${escaped(title)}</small></td>
<td>${escaped(arch)}</td><td>${escaped(profile)}</td><td>${escaped(memoryModel)}</td>
<td><strong>${escaped(oracle)}</strong> ${escaped(message)}</td>
</tr>`,
  );
  return `<section class="index"><h2>${heading}</h2>
<table><thead><tr><th>scenario</th><th>architecture</th><th>profile</th><th>model</th><th>violates</th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table></section>
`;
}
