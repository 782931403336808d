/// <reference lib="dom" />
/**
 * What is shown of a what-if report: the page in a real browser, and the trace by the rules of its format.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, browserOf, type Page } from '@mmu-gather/browser';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type ChromeEvent,
  type ChromeTrace,
  perfettoTrace,
  type WhatIfReport,
  whatIf,
  whatIfPage,
} from '../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'mmu-gather-show-'));
afterAll(() => rmSync(folder, { recursive: true }));

let report: WhatIfReport;
let trace: ChromeTrace;
beforeAll(async () => {
  report = await whatIf(join(import.meta.dirname, 'fixtures', 'm02-lazy.trace.txt.gz'), {
    alternatives: [{ name: 'one CPU', arch: 'x86', cpus: 1, facts: { cpus: 1 } }],
    onSlices: (slices, ticks) => (trace = perfettoTrace(slices, ticks)),
  });
}, 60_000);

describe('the page', () => {
  test('is one file: it names nothing that would be loaded, and its policy forbids it', () => {
    const html = whatIfPage(report);
    expect(html).not.toMatch(/\b(?:src|href)="(?!data:,")/);
    expect(html).not.toMatch(/url\(|@import|https?:/);
    expect(html).toContain("default-src 'none'");
  });

  test('text is text, wherever it comes from', () => {
    const evil = '</script><img src=x onerror=alert(1)>"&';
    const operations = report.operations.map((each) => ({ ...each, process: evil, operation: evil }));
    const recorded = { ...report.recorded, name: evil, assumes: [evil] };
    const html = whatIfPage({ ...report, operations, recorded, replay: { ...report.replay, file: evil } });
    expect(html).not.toContain('<img');
    expect(html.match(/<\/script>/g)).toHaveLength(3);
    expect(html).toContain('&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&amp;');
  });

  const found = browserOf();
  describe.skipIf(typeof found === 'string')(
    `in a browser${typeof found === 'string' ? ` (skipped: ${found})` : ''}`,
    { timeout: 120_000 },
    () => {
      let browser: Browser;
      let page: Page;
      const said: string[] = [];
      beforeAll(async () => {
        if (typeof found === 'string') return;
        const path = join(folder, 'page.html');
        writeFileSync(path, whatIfPage(report));
        browser = await found.launch();
        page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
        page.on('console', (message) => said.push(message.text()));
        page.on('pageerror', (error) => said.push(error.message));
        page.on('request', (request) => {
          if (!/^(file|data):/.test(request.url())) said.push(`it loads ${request.url()}`);
        });
        await page.goto(pathToFileURL(path).href);
      }, 120_000);
      afterAll(() => browser?.close());

      /** How much of a chart is painted with the colour of its bars or lines. */
      const painted = (id: string): Promise<number> =>
        page.locator(`#${id} canvas`).evaluate((element) => {
          const canvas = element as HTMLCanvasElement;
          const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
          let coloured = 0;
          for (let i = 0; i < data.length; i += 4) if (data[i + 3]! > 0 && data[i] !== data[i + 2]) coloured++;
          return coloured;
        });

      test('charts are drawn, each with its legend', async () => {
        for (const id of ['over', 'systems', 'histogram']) expect(await painted(id)).toBeGreaterThan(200);
        const labels = await page.locator('#over .u-label').allInnerTexts();
        const kinds = Object.entries(report.over.kinds).filter(([, counts]) => counts.some((count) => count > 0));
        expect(labels).toEqual(['seconds', ...kinds.map(([kind]) => kind)]);
      });

      test('tables hold what the report does', async () => {
        const rows = page
          .locator('section')
          .filter({ hasText: /^Modelled time/ })
          .locator('.scroll tbody tr');
        expect(await rows.count()).toBe(2);
        const { flushes, ipis } = report.recorded;
        expect(await rows.first().innerText()).toMatch(new RegExp(`^recorded\\s+${flushes}\\s+\\d+\\s+${ipis}\\s`));
        const who = page.locator('section').filter({ hasText: /^Who/ }).locator('tbody tr');
        expect(await who.count()).toBe(new Set(report.operations.map(({ pid }) => pid)).size);
        const mismatches = page
          .locator('section')
          .filter({ hasText: /^Mismatches/ })
          .locator('.scroll tbody tr');
        expect(await mismatches.count()).toBe(report.replay.mismatches.length);
      });

      test('nothing was said in any console, and nothing loaded', () => {
        expect(said).toEqual([]);
      });
    },
  );
});

describe('the trace', () => {
  const of = (ph: ChromeEvent['ph']): ChromeEvent[] => trace.traceEvents.filter((event) => event.ph === ph);

  test('is JSON, and every event has what its kind must have', () => {
    expect(JSON.parse(JSON.stringify(trace))).toEqual(trace);
    for (const { ph, ts, dur, id, pid, tid, name, args } of trace.traceEvents) {
      expect(name).not.toBe('');
      expect([pid, Number.isInteger(tid), Number.isFinite(ts)]).toEqual([0, true, true]);
      if (ph === 'X') expect(dur).toBeGreaterThanOrEqual(0);
      else expect(dur).toBeUndefined();
      expect(id !== undefined).toBe(ph === 's' || ph === 'f');
      if (ph === 'M') expect(args!['name']).toEqual(expect.any(String));
    }
    expect(of('M').map(({ args }) => args!['name'])).toEqual(['TLB flushes', 'CPU 0', 'CPU 1']);
  });

  test('slices of a track do not overlap', () => {
    const ends = new Map<number, number>();
    for (const { tid, ts, dur } of of('X')) {
      expect(ts).toBeGreaterThanOrEqual((ends.get(tid) ?? 0) - 1e-6);
      ends.set(tid, ts + dur!);
    }
  });

  test('each flow begins in a slice of the CPU that sends, and ends in one of the CPU that flushes', () => {
    const [begins, ends] = [of('s'), of('f')];
    expect(begins.map(({ id }) => id)).toEqual(ends.map(({ id }) => id));
    expect(begins.length).toBe(of('X').filter(({ name }) => name.endsWith('interrupted CPU')).length);
    expect(begins.length).toBeGreaterThan(30);
    const around = ({ tid, ts }: ChromeEvent): ChromeEvent | undefined =>
      of('X').find((slice) => slice.tid === tid && slice.ts <= ts && ts <= slice.ts + slice.dur!);
    begins.slice(0, 20).forEach((begin, i) => {
      const end = ends[i]!;
      expect(end.ts).toBeGreaterThanOrEqual(begin.ts);
      expect(around(begin)?.cat).toBe('ipi');
      expect(around(end)?.cat).toBe('flush');
      expect(begin.tid).not.toBe(end.tid);
    });
  });
});
