/// <reference lib="dom" />
/**
 * The page in a real browser: right code runs, and a bug is found.
 */
import { type Browser, browserOf, type Found, type Page } from '@mmu-gather/browser';
import type { ViteDevServer } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serve } from '../server.ts';

const found = browserOf();
const why = typeof found === 'string' ? ` (skipped: ${found})` : '';
const LONG = 120_000;

describe.skipIf(typeof found === 'string')(`in a browser${why}`, { timeout: LONG }, () => {
  let server: ViteDevServer;
  let browser: Browser;
  let page: Page;
  const errors: string[] = [];

  beforeAll(async () => {
    server = await serve(0);
    browser = await (found as Found).launch();
    page = await browser.newPage();
    page.on('pageerror', (error) => errors.push(error.message));
    await page.goto(server.resolvedUrls!.local[0]!);
  }, LONG);
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  test('it is isolated, and right code races until it is stopped', async () => {
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
    await page.click('#start');
    await page.waitForFunction(
      () => / [1-9]\d* operations/.test(document.querySelector('#verdict')!.textContent),
      null,
      {
        timeout: LONG,
      },
    );
    await page.click('#stop');
    await page.waitForSelector('#verdict[data-outcome="stopped"]', { timeout: LONG });
    expect(await page.locator('#cpus progress').count()).toBe(3);
    expect(errors).toEqual([]);
  });

  test('a bug is put in, and the canary dies', async () => {
    await page.selectOption('#bug', 'no-ipi-wait');
    await page.click('#start');
    await page.waitForSelector('#verdict[data-outcome="violation"]', { timeout: LONG });
    expect(await page.textContent('#verdict')).toMatch(/^The canary is dead\. O\d+ on CPU \d: /);
    expect(await page.textContent('#events')).toContain('CPU');
    expect(errors).toEqual([]);
  });
});
