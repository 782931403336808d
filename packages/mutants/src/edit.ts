/**
 * Edit: what stands in the place of a piece of text. Edits nest: who makes the text of an outer one asks for that of the inner ones.
 */

/** Text of a range, with the edits in it, but for those that are named. */
export type Render = (start: number, end: number, without?: Edit) => string;

/** One piece. */
export interface Edit {
  /** Where it begins. */
  readonly start: number;
  /** Where it ends. */
  readonly end: number;
  /** What stands there instead. */
  build(render: Render): string;
}

/** The text with all edits in it. Edits may nest, and not overlap otherwise. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  const sorted = edits.toSorted((a, b) => a.start - b.start || b.end - a.end);
  const render: Render = (start, end, without) => {
    let out = '';
    let at = start;
    for (const edit of sorted) {
      if (edit === without || edit.start < at || edit.end > end) continue;
      out += text.slice(at, edit.start) + edit.build((from, to, but = edit) => render(from, to, but));
      at = edit.end;
    }
    return out + text.slice(at, end);
  };
  return render(0, text.length);
}
