/**
 * What does not apply: for each architecture the scenarios that were left out, by reason, and what that leaves unproven.
 *
 *     12 scenarios do not apply to arm64:
 *       7  on x86 only: only it has interrupts and broadcasts (INVLPGB) to choose from
 *       5  ...
 *     nothing of this applies to s390, riscv; --verbose says why
 */
import type { NotApplicable } from '@mmu-gather/conformance';
import type { PlannedCell } from '../suite/request.ts';
import type { Terminal } from './terminal.ts';
import { number, plural, wrap } from './text.ts';

/** One paragraph an architecture; empty if everything applies. @param verbose name every scenario and twin */
export function notApplicableText(
  left: readonly NotApplicable[],
  cells: readonly PlannedCell[],
  verbose: boolean,
  { columns }: Pick<Terminal, 'columns'>,
): string {
  const archs = [...new Set(left.map(({ arch }) => arch))];
  const runs = new Set(cells.map(({ arch }) => arch));
  const idle = verbose ? [] : archs.filter((arch) => !runs.has(arch));
  const paragraphs = archs.map((arch) => {
    if (idle.includes(arch)) return [];
    const own = left.filter((each) => each.arch === arch);
    const scenarios = own.filter(({ twinOf }) => twinOf === undefined);
    const twins = own.filter(({ twinOf }) => twinOf !== undefined);
    const names = verbose ? '' : `; --verbose names ${twins.length === 1 ? 'it' : 'them'}`;
    const lines = [
      ...(scenarios.length === 0 ? [] : [`${doNotApply(scenarios, 'scenario')} to ${arch}:`, ...reasons(scenarios)]),
      ...(twins.length === 0 ? [] : [`${doNotApply(twins, 'wrong twin')} to ${arch}${verbose ? ':' : names}`]),
      ...(verbose ? reasons(twins) : []),
      ...unproven(twins, cells, arch),
    ];
    return lines;
  });
  const nothing = `nothing of this applies to ${idle.join(', ')}; --verbose says why`;
  return [...paragraphs.flat(), ...(idle.length > 0 ? [wrap(nothing, columns)] : [])].join('\n');

  function reasons(of: readonly NotApplicable[]): string[] {
    const all = [...new Set(of.map(({ why }) => why))];
    const width = Math.max(0, ...all.map((why) => number(of.filter((each) => each.why === why).length).length));
    return all.map((why) => {
      const ids = of.filter((each) => each.why === why).map(({ id }) => id);
      const text = wrap(verbose ? `${why} (${ids.join(', ')})` : why, columns, ' '.repeat(width + 4));
      return `  ${number(ids.length).padStart(width)}  ${text.trimStart()}`;
    });
  }

  function unproven(twins: readonly NotApplicable[], run: readonly PlannedCell[], arch: string): string[] {
    const ids = [...new Set(twins.map(({ twinOf }) => twinOf!))].filter(
      (id) =>
        run.some((cell) => cell.arch === arch && cell.id === id) &&
        !run.some((cell) => cell.arch === arch && cell.twinOf === id),
    );
    const what = ids.length === 1 ? 'This one is' : 'These are';
    return ids.length === 0 ? [] : [wrap(`${what} left without a wrong twin on ${arch}: ${ids.join(', ')}.`, columns)];
  }
}

/** `1 scenario does not apply`, `12 scenarios do not apply`. */
function doNotApply(of: readonly NotApplicable[], noun: string): string {
  const count = new Set(of.map(({ id }) => id)).size;
  return `${plural(count, noun)} ${count === 1 ? 'does' : 'do'} not apply`;
}
