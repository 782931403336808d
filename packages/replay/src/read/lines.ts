import { Cut } from './bytes.ts';
import { excerpt, TraceError } from './error.ts';
import { MEND } from './format.ts';

/**
 * A file's lines in batches, as many as a chunk holds: an async step for each line would cost more than parsing it.
 *
 * Bytes are read as latin1, so that a column is a byte whatever a task calls itself. Empty lines are in it: who
 * counts needs them. The last batch, and only it, says how the file ended.
 */
export interface Lines {
  lines: string[];
  /** `cut`: packed data ended early, or there is no line end after the last line. */
  end?: 'whole' | 'cut';
  /** What there is of a last line without its end. */
  rest?: string;
}

/** No event's line is that long: a file without line ends is no text. */
const LONGEST_LINE = 65_536;

export async function* linesOf(file: string, chunks: AsyncIterable<Buffer>): AsyncGenerator<Lines> {
  let rest = '';
  let count = 0;
  try {
    for await (const chunk of chunks) {
      const lines = (rest + chunk.toString('latin1')).split('\n');
      rest = lines.pop()!;
      count += lines.length;
      if (rest.length > LONGEST_LINE)
        throw new TraceError(file, count + 1, `a line of more than ${LONGEST_LINE} bytes: ${excerpt(rest)}`, MEND);
      if (lines.length > 0) yield { lines };
    }
  } catch (error) {
    if (!(error instanceof Cut)) throw error;
    yield { lines: [], end: 'cut', rest };
    return;
  }
  yield { lines: [], end: rest === '' ? 'whole' : 'cut', rest };
}
