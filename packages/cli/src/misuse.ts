/**
 * Misuse: bad input or usage. Its message is one line that says what is wrong, where, and how to mend it; it ends the
 * command with exit code 2.
 */

/** Something that the user can mend. */
export class Misuse extends Error {
  override readonly name = 'Misuse';

  /** @param message what it quotes may have several lines */
  constructor(message: string, options?: ErrorOptions) {
    super(message.replaceAll(/\s*[\n\r\u2028\u2029]\s*/g, ' '), options);
  }
}

/** The first line of what was thrown. */
export function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const line = text
    .split('\n')
    .map((part) => part.trim())
    .find((part) => part !== '');
  return line ?? (error instanceof Error ? error.name : 'nothing');
}
