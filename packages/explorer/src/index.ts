/**
 * Counterexamples as HTML pages, and what other pages are made of.
 *
 * @packageDocumentation
 */
export { type CounterexamplePage, counterexamplePage, type NeighbourFilm } from './page.ts';
export { type IndexEntry, indexPage } from './index-page.ts';
export { document, escaped } from './html.ts';
