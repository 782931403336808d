/**
 * `node --import @mmu-gather/stepped/register`: Node, and every worker thread it starts, loads stepped TypeScript sources
 * in their direct form. It does for plain Node what the Vite plugin does for Vite.
 *
 * @packageDocumentation
 */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { mayBeStepped, steppedSuffix, toDirect } from './transform.ts';

const ourselves = new URL('.', import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    if (specifier.startsWith('.') || !specifier.endsWith(steppedSuffix)) return found;
    // An installed package has a direct build of its own.
    return found.url.includes('/node_modules/') ? next(specifier.slice(0, -steppedSuffix.length), context) : found;
  },
  load(url, context, next) {
    const ours = url.startsWith('file:') && !url.includes('/node_modules/') && !url.startsWith(ourselves);
    if (!ours || !/\.[cm]?ts$/.test(url)) return next(url, context);
    const file = fileURLToPath(url);
    const code = readFileSync(file, 'utf8');
    if (!mayBeStepped(code)) return next(url, context);
    return { format: 'module-typescript', shortCircuit: true, source: toDirect(file, code, { cut: () => false }) };
  },
});
