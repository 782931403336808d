// The direct form of a source keeps every position: send its source links to the file people wrote.
import { Converter } from 'typedoc';

const base = 'https://example.invalid/mmu-gather/blob/main/';
export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_END, (context) => {
    for (const reflection of Object.values(context.project.reflections))
      for (const source of reflection.sources ?? []) {
        source.fileName = source.fileName.replace('.gen/direct/', 'src/');
        source.url = `${base}${source.fileName}#L${source.line}`;
      }
  });
}
