/** Tests in isla's TOML: they are recognised, and not read yet. */
import { Unsupported } from './errors.ts';
import type { LitmusTest } from './test.ts';

/** Is this a test in isla's TOML? */
export function isIsla(file: string, text: string): boolean {
  return file.endsWith('.toml') || /^\s*arch\s*=\s*"/m.test(text.slice(0, 400));
}

/** Reads a test in isla's TOML. */
export function readIsla(file: string, _text: string): LitmusTest {
  throw new Unsupported(file, 1, 'TOML');
}
