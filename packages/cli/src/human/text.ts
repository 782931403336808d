/**
 * Text: numbers and sentences.
 */

/** `1,234,567`; from ten million on `12.3 M`. */
export function number(value: number): string {
  return value < 10_000_000 ? value.toLocaleString('en-US') : `${(value / 1e6).toFixed(1)} M`;
}

/** `0.4 ms`, `12 ms`, `1.9 s`, `75 s`, `12 min`. */
export function time(milliseconds: number): string {
  if (milliseconds < 9.95) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 999.5) return `${milliseconds.toFixed(0)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 99.5) return `${seconds.toFixed(seconds < 9.95 ? 1 : 0)} s`;
  return `${(seconds / 60).toFixed(0)} min`;
}

/** `1 twin`, `2 twins`. */
export function plural(count: number, noun: string): string {
  return `${number(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** `3`, or `1 to 3`. */
export function range(values: readonly number[]): string {
  const low = Math.min(...values);
  const high = Math.max(...values);
  return low === high ? `${low}` : `${low} to ${high}`;
}

/** Breaks a sentence into lines of at most so many columns. */
export function wrap(text: string, columns: number, indent = ''): string {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(' ')) {
    if (line.length > indent.length && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = indent;
    }
    line += line.length > indent.length ? ` ${word}` : word;
  }
  return [...lines, line].join('\n');
}
