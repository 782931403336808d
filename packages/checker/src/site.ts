/**
 * Site: the place in kernel or scenario code that a stack comes from, as diagrams name it.
 */

/** Where code is. */
export interface Place {
  /** Function, '' if it has no name. */
  readonly fn: string;
  /** File and line, '' if they are not known. */
  readonly site: string;
}

/** The innermost frame of kernel or scenario code in a stack. */
export function placeIn(stack: string): Place {
  for (const line of stack.split('\n').slice(1)) {
    if (/[/\\]checker[/\\](src|dist)[/\\]|node:internal|\(<anonymous>\)/.test(line)) continue;
    const m = /at (?:async )?(?:(.*?) \()?(?:file:\/\/)?([^()?]+?)(?:\?[^()]*)?:(\d+):\d+\)?$/.exec(line.trim());
    if (m === null) continue;
    const fn = (m[1] ?? '')
      .replace(/^Object\./, '')
      .replace(/ \[as \w+\]$/, '')
      .replace(/\.next$/, '');
    return { fn: fn === '<anonymous>' ? '' : fn, site: `${shorten(m[2]!)}:${m[3]}` };
  }
  return { fn: '', site: '' };
}

/** `.../packages/core/src/smp.ts` or an installed `@mmu-gather/core/src/smp.ts` as `core/smp.ts`; else the file's own name. */
function shorten(file: string): string {
  const m = /(?:packages|@mmu-gather)[/\\]([\w-]+)[/\\](?:src|dist[/\\]stepped|dist|test)[/\\](.*)$/.exec(file);
  return m === null ? file.replace(/^.*[/\\]/, '') : `${m[1]}/${m[2]}`.replaceAll('\\', '/');
}
