/// <reference lib="dom" />
/**
 * The code of a page's charts, which uPlot draws. Its functions are put into the page as text, so they may use nothing but each other, the browser,
 * uPlot, and what is in the page as JSON.
 *
 *     #over         flushes over time, by how they drop entries
 *     #histogram    requests by number of pages, with the ceiling
 *     #systems      modelled time of what ran and of each alternative
 */
import type uPlotClass from 'uplot';

/** uPlot itself, which the page holds. */
declare const uPlot: typeof uPlotClass;

/** What charts show. */
export interface ChartData {
  /** Seconds of the first bin's begin, and of a bin; counts by kind. */
  readonly over: {
    readonly start: number;
    readonly width: number;
    readonly kinds: Readonly<Record<string, readonly number[]>>;
  };
  /** Requests of everything, of 1, 2 ... pages, of more. */
  readonly histogram: readonly number[];
  /** Where everything is flushed instead. */
  readonly ceiling: number;
  /** Names and modelled milliseconds. */
  readonly systems: readonly { readonly name: string; readonly milliseconds: number }[];
}

/** A colour of the page's style. */
function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** An axis in the page's colours. */
function axis(label: string): uPlotClass.Axis {
  const grid = { stroke: colour('--edge'), width: 1 };
  return { label, stroke: colour('--ink'), grid, ticks: grid };
}

/** Draws into a box of the page, as wide as it is. */
function draw(id: string, options: Omit<uPlotClass.Options, 'width' | 'height'>, data: uPlotClass.AlignedData): void {
  const box = document.querySelector<HTMLElement>(`#${id}`)!;
  const chart = new uPlot({ ...options, width: box.clientWidth, height: 280 }, data, box);
  new ResizeObserver(() => chart.setSize({ width: box.clientWidth, height: 280 })).observe(box);
}

/** Flushes over time. */
function drawOver({ over }: ChartData): void {
  const kinds = Object.entries(over.kinds).filter(([, counts]) => counts.some((count) => count > 0));
  const bins = Math.max(1, ...kinds.map(([, counts]) => counts.length));
  const times = Array.from({ length: bins }, (_, bin) => bin * over.width);
  const colours = ['--accent', '--good', '--warn', '--bad', '--dim'];
  const series = kinds.map(([label], i) => ({
    label,
    stroke: colour(colours[i]!),
    width: 1.5,
    points: { show: false },
  }));
  const counts = kinds.map(([, of]) => times.map((_, bin) => of[bin] ?? 0));
  const options = {
    scales: { x: { time: false } },
    axes: [axis('seconds'), axis('flushes')],
    series: [{ label: 'seconds', value: (_: uPlotClass, at: number | null) => at?.toPrecision(4) ?? '' }, ...series],
  };
  draw('over', options, [times, ...counts]);
}

/** Bars, with a name for each. */
function drawBars(id: string, label: string, names: readonly string[], values: readonly number[], mark?: number): void {
  const at = values.map((_, i) => i);
  const bars = uPlot.paths.bars!({ size: [0.8, 100] });
  const line = (chart: uPlotClass): void => {
    if (mark === undefined) return;
    const x = chart.valToPos(mark, 'x', true);
    chart.ctx.fillStyle = colour('--bad');
    chart.ctx.fillRect(x - 1, chart.bbox.top, 2, chart.bbox.height);
  };
  const options: Omit<uPlotClass.Options, 'width' | 'height'> = {
    scales: {
      x: { time: false, range: [-0.7, values.length - 0.3] },
      y: { range: (_, __, most) => [0, Math.max(most, 1e-9) * 1.05] },
    },
    axes: [
      { ...axis(''), splits: () => at, values: () => names.map((name) => name), rotate: -40, size: 90 },
      { ...axis(label), size: 70 },
    ],
    series: [
      { label: 'which', value: (_, i) => (i === null ? '' : names[i]!) },
      { label, stroke: colour('--accent'), fill: colour('--accent'), paths: bars, points: { show: false } },
    ],
    hooks: { draw: [line] },
  };
  draw(id, options, [at, [...values]]);
}

/** Draws all charts. */
function show(): void {
  const data = JSON.parse(document.querySelector('#data')!.textContent) as ChartData;
  drawOver(data);
  const last = data.histogram.length - 1;
  const names = data.histogram.map((_, i) => (i === 0 ? 'everything' : i === last ? `${i} or more` : `${i}`));
  // Names that would touch are left out.
  const shown = names.map((name, i) => (i === 0 || i === last || i === data.ceiling || i % 8 === 0 ? name : ''));
  drawBars('histogram', 'requests', shown, data.histogram, data.ceiling + 0.5);
  drawBars(
    'systems',
    'milliseconds',
    data.systems.map(({ name }) => name),
    data.systems.map(({ milliseconds }) => milliseconds),
  );
}

/** The code as text. */
export const CHARTS: string = [...[colour, axis, draw, drawOver, drawBars, show].map(String), 'show();'].join('\n');
