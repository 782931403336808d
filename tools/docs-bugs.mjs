// docs/bugs.md: each bug of the catalogue, how it is shown, and its race as the checker draws it.
//
// Diagrams are searched for only if they are to be written: a check takes those that stand in the page, and compares the rest.
const FENCE = /^### (B\d+) [^]*?\n```text\n([^]*?)\n```$/gm;

/** The diagrams that a page has, by bug. */
function diagramsIn(page) {
  return new Map([...page.matchAll(FENCE)].map(([, id, diagram]) => [id, diagram]));
}

/** The race of a bug's buggy form, on the first architecture where it goes wrong, without numbers of lines, which change every day. */
function diagramOf(suite, { bug, scenarios }) {
  const { ARCHITECTURES, cells, runCell } = suite;
  const all = cells(scenarios, ARCHITECTURES, { scenarios: [`bug:${bug.id}/buggy`] });
  const cell = all.findLast((each) => each.expected === 'violated' && each.arch === wrongOn(all)[0].arch);
  const { counterexample } = runCell(cell, { width: 110 });
  return `${cell.id} on ${cell.arch.id}, ${cell.profile.id}, ${cell.memoryModel}\n${counterexample.diagram.replaceAll(/(\.ts):\d+/g, '$1')}`;
}

const wrongOn = (all) => all.filter((each) => each.expected === 'violated');
const code = (text) => `\`${text}\``;

/** What makes a twin wrong: switches, or threads of its own. */
function wrongBy({ profile = {}, backend = {}, wrong, threads }) {
  const own = Object.entries(profile).map(([key, value]) => `${key}=${value}`);
  const others = Object.entries(backend).flatMap(([arch, switches]) =>
    Object.entries(switches).map(([key, value]) => `${arch}.${key}=${value}`),
  );
  const all = [...own, ...others, ...(wrong === undefined ? [] : [wrong])];
  return all.length === 0 && threads !== undefined ? 'other threads' : all.map(code).join(', ');
}

/** One bug. */
function section(suite, shown, diagrams) {
  const { bug, kind, scenarios, buggy } = shown;
  const { ARCHITECTURES, whyNot } = suite;
  const head = `### ${bug.id} ${bug.title}`;
  const facts = `${bug.year ?? 'no date'}; ${bug.properties.join(' or ')}; ${bug.source}. ${bug.scope[0].toUpperCase()}${bug.scope.slice(1)}.`;
  const story = `${bug.what}\n\n**Mended:** ${bug.fix}`;
  if (kind === 'not modelled') return [head, facts, story, `**Not modelled:** ${bug.notModelled}.`].join('\n\n');
  const archs = ARCHITECTURES.filter((arch) => scenarios.some((each) => whyNot(arch, each) === undefined));
  const forms = buggy.map((twin) => {
    const found = [twin.oracle].flat().join(' or ');
    return `- ${code(twin.id)} (${twin.property}, found by ${found}): ${twin.why}. Wrong by ${wrongBy(twin)}`;
  });
  const here = `**Here** (${kind}), on ${archs.map(({ id }) => id).join(', ')}: ${scenarios.map(({ id }) => code(id)).join(', ')}`;
  const diagram = diagrams?.get(bug.id) ?? diagramOf(suite, shown);
  return [head, facts, story, here, forms.join('\n'), `\`\`\`text\n${diagram}\n\`\`\``].join('\n\n');
}

/** Counts, then each bug, then the controls. @param old the page as it is, whose diagrams are kept; none: they are made anew */
export function bugsPage(suite, old) {
  const { countBugs, PROPERTIES, SCENARIOS, shownBugs } = suite;
  const shown = shownBugs(SCENARIOS);
  const counts = countBugs(shown);
  const diagrams = old === undefined ? undefined : diagramsIn(old);
  const controls = SCENARIOS.filter(({ id }) => id.startsWith('control:'));
  return [
    `${shown.length} bugs: ${counts.code} run on code of this project, ${counts.abstract} at the level of the hardware; not modelled: ${counts['not modelled']}.`,
    Object.entries(PROPERTIES)
      .map(([id, says]) => `- ${id}: ${says}`)
      .join('\n'),
    '## The bugs',
    ...shown.map((each) => section(suite, each, diagrams)),
    '## Controls',
    'What looks like one of them and is none. Each holds, and its twin, which is only a little different, is found:',
    controls
      .map(({ id, title, twins }) => `- ${code(id)}: ${title}. Twin: ${twins.map(({ why }) => why).join('; ')}`)
      .join('\n'),
  ].join('\n\n');
}
