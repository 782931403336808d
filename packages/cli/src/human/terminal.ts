/**
 * Terminal: what the output may look like.
 */
import { isatty } from 'node:tty';
import picocolors from 'picocolors';

/** Narrower terminals are written to as if they had this many columns; files and pipes, too. */
const COLUMNS = 80;

/** Colours, or functions that return their argument. */
export type Paint = ReturnType<typeof picocolors.createColors>;

/** Where results go. */
export interface Terminal {
  /** Columns to use. */
  readonly columns: number;
  /** Is somebody looking? */
  readonly interactive: boolean;
  readonly paint: Paint;
}

/** Standard output as it is now. Colours are for terminals, unless FORCE_COLOR or NO_COLOR say otherwise. */
export function terminal(): Terminal {
  const { columns } = process.stdout;
  const interactive = isatty(1);
  const forced = (process.env['FORCE_COLOR'] ?? '') !== '';
  const wanted = interactive ? columns : Number(process.env['COLUMNS']);
  return {
    columns: Math.max(COLUMNS, wanted > 0 ? Math.floor(wanted) : 0),
    interactive,
    paint: picocolors.createColors(picocolors.isColorSupported && (interactive || forced)),
  };
}
