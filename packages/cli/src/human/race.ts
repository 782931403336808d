/**
 * Race: one violation explained: which cell, what is wrong with it, the race diagram, how to see it again.
 */
import type { CellResult } from '@mmu-gather/conformance';
import type { PlannedCell } from '../suite/request.ts';
import { verdictText } from './results.ts';
import type { Paint, Terminal } from './terminal.ts';
import { plural, wrap } from './text.ts';

/** What somebody should know who looks at one cell. `command` is the one that reruns an id. */
export function race(cell: PlannedCell, result: CellResult, command: string, { columns, paint }: Terminal): string {
  const { counterexample } = result;
  const lines = [
    `${paint.bold(cell.id)} on ${cell.arch}, ${cell.profile}, ${cell.memoryModel}: ${verdictText(result)}, ${comment(cell, result)}`,
    paint.dim(wrap(cell.title, columns, '  ')),
  ];
  if (counterexample !== undefined) {
    const { id, steps, preemptions, note } = counterexample;
    lines.push(
      colourDiagram(counterexample.diagram, paint),
      '',
      wrap(
        `${plural(steps, 'step')}, ${plural(preemptions, 'preemption')}${note === undefined ? '' : ` (${note})`}; all of it again:`,
        columns,
        '  ',
      ),
      `  ${paint.cyan(`${command} --rerun ${id} --full`)}`,
    );
  }
  return lines.join('\n');
}

function comment(cell: PlannedCell, result: CellResult): string {
  if (result.ok) return 'as expected';
  if (result.verdict === 'incomplete')
    return result.strategy === 'rerun' ? 'this execution violates nothing' : 'not all was explored';
  if (cell.expected === 'holds') return 'but it should hold';
  return `but it should be violated by ${cell.oracles.join(' or ')}`;
}

/** Colours that say what is what: CPUs, sites, the violation. */
function colourDiagram(diagram: string, paint: Paint): string {
  let violated = false;
  return diagram
    .split('\n')
    .map((line, i) => {
      if (i === 0) return paint.bold(line);
      if (/^ +\(\d+ steps? th/.test(line)) return paint.dim(line);
      violated ||= /^ +(O\d+s?|deadlock|livelock|race|assert): /.test(line);
      if (violated) return paint.red(line);
      return line.replace(
        /( )((?:[\w$.]+ )?[\w./@-]+\.[cm]?[jt]s:\d+)$/,
        (_, blank: string, site: string) => blank + paint.dim(site),
      );
    })
    .join('\n');
}
