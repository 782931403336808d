/**
 * A recording that cannot be read: which file, which place, what is wrong and how to mend it, in one line of text.
 */
export class TraceError extends Error {
  /** The file. */
  readonly file: string;
  /** Line of the uncompressed text, from 1; null if it is about the file as a whole, or about a binary one. */
  readonly line: number | null;
  /** What is wrong. */
  readonly what: string;
  /** How to mend it. */
  readonly mend: string;
  /** Byte of the uncompressed binary file; null if it is about the file as a whole, or about text. */
  readonly offset: number | null;

  constructor(file: string, line: number | null, what: string, mend: string, offset: number | null = null) {
    const place = line === null ? (offset === null ? '' : `, byte ${offset}`) : `:${line}`;
    super(`${file}${place}: ${what}; ${mend}`);
    this.name = 'TraceError';
    this.file = file;
    this.line = line;
    this.what = what;
    this.mend = mend;
    this.offset = offset;
  }
}

/** As much of a line as an error message has room for. */
const EXCERPT = 60;

/** A piece of the file as it may stand in a one-line message. */
export function excerpt(text: string): string {
  const short = text.length > EXCERPT ? `${text.slice(0, EXCERPT)}...` : text;
  return JSON.stringify(short).replace(/[\x7f-\xff]/g, (c) => `\\x${c.charCodeAt(0).toString(16)}`);
}
