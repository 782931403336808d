/**
 * The series of 2021 that scenarios name as their source.
 */

/** Who posted what scenarios call patch n. */
export const RFC = 'RFC 2021, N. Amit';
