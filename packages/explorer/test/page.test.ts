/**
 * Pages in a real browser: stepped through, with what each step must show, and nothing in the console.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, browserOf, type Page } from '@mmu-gather/browser';
import { draw, explain, film, neighbour } from '@mmu-gather/checker';
import { ARCHITECTURES, type Cell, cells, explore, machineOf, SCENARIOS } from '@mmu-gather/conformance';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CounterexamplePage, counterexamplePage, indexPage } from '../src/index.ts';

/** What becomes of a twin's shortest violation. */
function pageOf(scenario: string): CounterexamplePage {
  const selection = { archs: ['x86'], profiles: ['linux-6.18'], scenarios: [scenario] };
  const cell: Cell = cells(SCENARIOS, ARCHITECTURES, selection)[0]!;
  const { path, violation } = explore(cell, {}).shortest!;
  const machine = machineOf(cell);
  const beside = neighbour(machine, path);
  return {
    scenario,
    title: cell.title,
    arch: 'x86',
    profile: 'linux-6.18',
    memoryModel: cell.memoryModel,
    oracle: violation!.oracle,
    message: violation!.message,
    says: 'no CPU can access a page that was freed',
    expected: true,
    diagram: draw(explain(machine, path)),
    command: 'mmu-gather conformance --rerun x',
    film: film(machine, path),
    ...(beside === undefined ? {} : { neighbour: { film: film(machine, beside.path), common: beside.common } }),
  };
}

const folder = mkdtempSync(join(tmpdir(), 'mmu-gather-pages-'));
afterAll(() => rmSync(folder, { recursive: true }));
const race = pageOf('bug:B13/buggy');
const last = race.film.steps.length;

/** A page as a file. */
function written(name: string, html: string): string {
  const path = join(folder, name);
  writeFileSync(path, html);
  return pathToFileURL(path).href;
}

test('a page is one file: it names nothing that would be loaded, and its policy forbids it', () => {
  const html = counterexamplePage(race);
  expect(html).not.toMatch(/\b(?:src|href)="(?!data:,")/);
  expect(html).not.toMatch(/url\(|@import|https?:/);
  expect(html).toContain("default-src 'none'");
});

test('text is text, wherever it comes from', () => {
  const evil = '</script><img src=x onerror=alert(1)>"&';
  const html = counterexamplePage({
    ...race,
    scenario: evil,
    title: evil,
    message: evil,
    diagram: evil,
    film: { ...race.film, words: [evil] },
  });
  expect(html).not.toContain('<img');
  expect(html.match(/<\/script>/g)).toHaveLength(2);
  expect(html).toContain('&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&amp;');
});

const found = browserOf();
describe.skipIf(typeof found === 'string')(
  `in a browser${typeof found === 'string' ? ` (skipped: ${found})` : ''}`,
  { timeout: 60_000 },
  () => {
    let browser: Browser;
    const said: string[] = [];
    beforeAll(async () => {
      if (typeof found !== 'string') browser = await found.launch();
    }, 60_000);
    afterAll(() => browser.close());

    /** Opens a page and listens. */
    async function open(url: string, scheme: 'light' | 'dark' = 'light'): Promise<Page> {
      const page = await browser.newPage({ colorScheme: scheme, viewport: { width: 1500, height: 1000 } });
      page.on('console', (message) => said.push(message.text()));
      page.on('pageerror', (error) => said.push(error.message));
      page.on('request', (request) => {
        if (!/^(file|data):/.test(request.url())) said.push(`it loads ${request.url()}`);
      });
      await page.goto(url);
      return page;
    }
    const text = (page: Page, selector: string): Promise<string> => page.locator(selector).innerText();
    const isReached = (page: Page): Promise<number> => page.locator('.verdict.reached').count();

    test('the violated oracle is reached at the last step, and not before', async () => {
      const page = await open(written('race.html', counterexamplePage(race)));
      expect(await text(page, 'output')).toBe(`before step 1 of ${last}`);
      const seen = new Set<string>();
      for (let i = 0; i <= last; i++) {
        const at = await text(page, 'output');
        if (seen.has(at)) break;
        seen.add(at);
        expect(await isReached(page)).toBe(at === `step ${last} of ${last}` ? 1 : 0);
        await page.keyboard.press('ArrowRight');
      }
      expect(seen.size).toBe(race.film.steps.filter((step) => step.shared).length + 1);
      expect(await text(page, 'output')).toBe(`step ${last} of ${last}`);
      expect(await text(page, '.verdict')).toContain(`${race.oracle} ${race.message}`);
      expect(await text(page, '.violation.reached')).toBe(`${race.oracle}: ${race.message}`);
      // CPU 1 may use what memory does not have any more.
      expect(await text(page, '.card.steps .usable')).toMatch(/page 0\s+page0 RW dirty\s+freed not in memory/);
      expect(await text(page, '.state')).toMatch(/Page tables in memory\s+table0 mm0/);
      expect(await text(page, '.words >> nth=0')).not.toBe('');
    });

    test('back and forward, buttons, keys, slider and rows lead to the same places', async () => {
      const page = await open(written('race.html', counterexamplePage(race)));
      const at = (): Promise<string> => text(page, 'output');
      await page.getByLabel('Last step').click();
      expect(await at()).toBe(`step ${last} of ${last}`);
      await page.getByLabel('Back').click();
      const before = await at();
      await page.getByLabel('Forward').click();
      expect(await at()).toBe(`step ${last} of ${last}`);
      await page.keyboard.press('ArrowLeft');
      expect(await at()).toBe(before);
      await page.keyboard.press('Home');
      expect(await at()).toBe(`before step 1 of ${last}`);
      await page.getByRole('slider').fill('2');
      expect(await at()).toBe(`step 2 of ${last}`);
      await page.locator('.step >> nth=3').click();
      expect(await page.locator('.step.now').count()).toBe(1);
      expect(await page.locator('.step').count()).toBeLessThan(last);
      await page.keyboard.press('a');
      expect(await page.locator('.step').count()).toBe(last);
    });

    test('a step marks what it changes', async () => {
      const page = await open(written('race.html', counterexamplePage(race)));
      const cleared = race.film.steps.find((step) => step.text.startsWith('xchg table1[0] := none'))!;
      await page.getByRole('slider').fill(`${cleared.step}`);
      expect(await text(page, '.slots .changed')).toMatch(/page 0\s+none/);
      const bumped = race.film.steps.find((step) => step.text.startsWith('mm0.tlbGen += 1'))!;
      await page.getByRole('slider').fill(`${bumped.step}`);
      const words = await page.locator('.words .changed').allInnerTexts();
      expect(words.some((word) => /^tlbGen\s+0 → 1$/.test(word))).toBe(true);
    });

    test('the passing neighbour says where it parts, and ends well', async () => {
      const page = await open(written('race.html', counterexamplePage(race)));
      await page.getByRole('tab', { name: 'Passes' }).click();
      await page.keyboard.press('End');
      expect(await text(page, '.parting')).toBe('here it parts from the execution that violates');
      expect(await text(page, '.passes')).toBe('ends, and no oracle is violated');
      expect(await isReached(page)).toBe(0);
      await page.getByRole('tab', { name: 'Violates' }).click();
      await page.keyboard.press('End');
      expect(await isReached(page)).toBe(1);
    });

    test('where there is no neighbour, there is nothing to choose', async () => {
      const { neighbour: _, ...alone } = race;
      const page = await open(written('alone.html', counterexamplePage(alone)));
      expect(await page.getByRole('tab').count()).toBe(0);
    });

    test('it is readable in light and in dark', async () => {
      const url = written('race.html', counterexamplePage(race));
      for (const scheme of ['light', 'dark'] as const) {
        const page = await open(url, scheme);
        await page.keyboard.press('End');
        expect(await page.evaluate(LEAST_CONTRAST)).toBeGreaterThanOrEqual(4.5);
      }
    });

    test('the index leads to pages', async () => {
      written('a b.html', counterexamplePage(race));
      const { scenario, title, arch, profile, memoryModel, oracle, message } = race;
      const entry = { file: 'a b.html', scenario, title, arch, profile, memoryModel, oracle, message };
      const page = await open(
        written(
          'index.html',
          indexPage([
            { ...entry, expected: true },
            { ...entry, expected: false },
          ]),
        ),
      );
      expect(await page.getByRole('heading', { level: 2 }).allInnerTexts()).toEqual([
        'Not as expected',
        'Wrong twins, refuted',
      ]);
      await page.getByRole('link').first().click();
      expect(await text(page, 'h1')).toContain(scenario);
    });

    test('nothing was said in any console, and nothing loaded', () => {
      expect(said).toEqual([]);
    });
  },
);

/** The least contrast of any text with what is behind it (WCAG 2), as code for the browser. */
const LEAST_CONTRAST = `(() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const back = (element) => {
    for (let e = element; e !== null; e = e.parentElement) {
      const c = channels(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
  };
  const faint = (element) => { let o = 1; for (let e = element; e !== null; e = e.parentElement) o *= getComputedStyle(e).opacity; return o; };
  let least = 21;
  for (const element of document.body.querySelectorAll('*')) {
    if (![...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim() !== '') || element.checkVisibility() === false) continue;
    const b = back(element);
    const o = faint(element);
    const f = channels(getComputedStyle(element).color).slice(0, 3).map((c, i) => c * o + b[i] * (1 - o));
    const [x, y] = [light(f), light(b)].sort((p, q) => q - p);
    least = Math.min(least, (x + 0.05) / (y + 0.05));
  }
  return least;
})()`;
