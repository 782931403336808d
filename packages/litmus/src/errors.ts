/**
 * Errors: what is wrong with a test, in one line that says where.
 */

/** A test that cannot be read: bad input. */
export class LitmusError extends Error {
  /** Name in messages. */
  override readonly name: string = 'LitmusError';

  /** @param line in the file, from 1 on; 0: the file as a whole */
  constructor(file: string, line: number, message: string) {
    super(`${file}${line > 0 ? `:${line}` : ''}: ${oneLine(message)}`);
  }
}

/** A test that is well formed, as far as can be seen, and uses what this project has no meaning for: it is counted, never guessed. */
export class Unsupported extends LitmusError {
  /** Name in messages. */
  override readonly name: string = 'Unsupported';
}

/** Longest message. */
const LONGEST = 200;

/** What a file holds may be quoted: in one line, and not all of it. */
function oneLine(message: string): string {
  const line = message.replaceAll(/\s+/g, ' ');
  return line.length <= LONGEST ? line : `${line.slice(0, LONGEST)}…`;
}
