/**
 * Counterexamples as HTML pages.
 *
 * @packageDocumentation
 */
export { type CounterexamplePage, counterexamplePage, type NeighbourFilm } from './page.ts';
export { type IndexEntry, indexPage } from './index-page.ts';
