/**
 * Pages: `--html DIR`, a page for each violation of a run, and an index. They are made when the run is over, from its results alone: the id of a
 * counterexample leads back to its execution. So they are the same of a run in one piece and of one in many.
 */
import { mkdirSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { CellResult } from '@mmu-gather/conformance';
import { Misuse } from '../misuse.ts';
import type { Request } from '../suite/request.ts';
import type { PagesOrder, PagesReply } from './order.ts';

/** What pages are wanted. */
export interface PagesOptions {
  /** The folder that they go to; none are written if not given. */
  readonly html?: string;
  /** Also of wrong twins, which are refuted as they should be. */
  readonly twins?: boolean;
}

/** Makes the folder, before anything runs. @throws Misuse if that is not possible, or if an option has no effect */
export function preparePages({ html, twins }: PagesOptions): void {
  if (html === undefined && twins === true) throw new Misuse('--twins is for --html DIR');
  if (html === undefined) return;
  try {
    mkdirSync(html, { recursive: true });
  } catch (error) {
    throw new Misuse(`--html: ${html}: cannot be made a folder (${(error as NodeJS.ErrnoException).code})`, {
      cause: error,
    });
  }
}

/**
 * Writes the pages of a run.
 * @param command the one that reruns an id
 * @returns what was written, in one line; undefined if no pages are wanted
 */
export async function writePages(
  options: PagesOptions,
  request: Request,
  all: readonly (CellResult | undefined)[],
  command: string,
): Promise<string | undefined> {
  const { html: folder } = options;
  if (folder === undefined) return undefined;
  const results = all
    .filter((result) => result !== undefined)
    .filter((result, _, { length }) => isWanted(result, length === 1, options));
  const reply = await ordered({ request, results, folder, command });
  if (reply.kind === 'misuse') throw new Misuse(reply.message);
  return `${reply.pages} ${reply.pages === 1 ? 'page' : 'pages'} and index.html in ${folder}`;
}

/** Is a result worth a page? A twin that was asked for alone is, as its race is shown. */
function isWanted({ verdict, ok, counterexample }: CellResult, alone: boolean, { twins }: PagesOptions): boolean {
  return verdict === 'violated' && counterexample !== undefined && (!ok || twins === true || alone);
}

/** Films take a while, and load files of users: that is a thread's business. */
function ordered(order: PagesOrder): Promise<PagesReply> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: order, stdout: true });
    worker.stdout.pipe(process.stderr);
    worker.on('message', resolve);
    worker.on('error', reject);
    worker.on('exit', () =>
      reject(new Misuse(`${order.request.files.join(', ')}: ended the process while pages were written`)),
    );
  });
}
