/**
 * Host: threads of Node and workers of browsers behind one interface. A thread is one module, which gets what it works on once.
 */

/** What a thread's module says when it is over or wants to tell something. */
export interface ThreadEvents {
  /** It posted something. */
  message(value: unknown): void;
  /** It threw what nobody caught, or could not be started. One line. */
  failed(message: string): void;
  /** It came to its end. Workers of a browser do not. */
  ended?(): void;
}

/** A thread. */
export interface Thread {
  /** Ends it, wherever it is. */
  terminate(): void;
}

/** The thread's own end. */
export interface Parent {
  /** What it was started with. */
  readonly data: unknown;
  /** Tells the thread that started it. */
  readonly post: (value: unknown) => void;
}

/** What this file needs of a browser. */
interface WebScope {
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  addEventListener(type: 'error', listener: (event: { message?: string }) => void): void;
  postMessage(value: unknown, transfer: readonly []): void;
}
interface WebWorker extends WebScope {
  terminate(): void;
}
type WebWorkerClass = new (url: URL, options: { type: 'module' }) => WebWorker;

function nodeThreads(): typeof import('node:worker_threads') | undefined {
  return globalThis.process?.getBuiltinModule?.('node:worker_threads');
}

/** Starts a thread. @param data what it works on: copied, but for shared memory */
export function spawn(module: URL, data: unknown, events: ThreadEvents): Thread {
  const node = nodeThreads();
  return node === undefined ? spawnInBrowser(module, data, events) : spawnInNode(node, module, data, events);
}

function spawnInNode(
  { Worker }: typeof import('node:worker_threads'),
  module: URL,
  data: unknown,
  events: ThreadEvents,
): Thread {
  const worker = new Worker(module, { workerData: data });
  // It failed, and that was said; or it was ended.
  let over = false;
  worker.on('message', (value) => events.message(value));
  worker.on('error', (error) => {
    over = true;
    events.failed(error.message);
  });
  worker.on('exit', (code) => {
    if (over) return;
    if (code === 0) events.ended?.();
    else events.failed(`it ended with code ${code}`);
  });
  return {
    terminate() {
      over = true;
      void worker.terminate();
    },
  };
}

function spawnInBrowser(module: URL, data: unknown, events: ThreadEvents): Thread {
  const { Worker } = globalThis as unknown as { Worker: WebWorkerClass };
  const worker = new Worker(module, { type: 'module' });
  worker.addEventListener('message', ({ data: value }) => events.message(value));
  worker.addEventListener('error', ({ message }) => events.failed(message ?? 'its module could not be loaded'));
  worker.postMessage(data, []);
  return { terminate: () => worker.terminate() };
}

/** In a thread that {@link spawn} started: what it was given. Call it once, before anything is awaited. */
export async function parent(): Promise<Parent> {
  const node = nodeThreads();
  if (node !== undefined) return { data: node.workerData, post: (value) => node.parentPort!.postMessage(value, []) };
  const scope = globalThis as unknown as WebScope;
  const data = await new Promise((resolve) => {
    scope.addEventListener('message', (event) => resolve(event.data));
  });
  return { data, post: (value) => scope.postMessage(value, []) };
}
