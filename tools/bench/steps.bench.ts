// What a step costs, by the way the step function is written: an instruction that is four calls deep and does two
// accesses. It shows why forwarders are plain functions and why the pause stands at the access itself.
import { print } from './table.ts';

const times = 300_000;
const rows: [way: string, nanoseconds: number][] = [];
const words = new Int32Array(32);
const LOAD = Object.freeze({ kind: 'load' });
const STORE = Object.freeze({ kind: 'store' });
type Run = Generator<object, number, void>;

/** Direct code: plain functions. */
const direct = {
  step: (pc: number): number => direct.dispatch(pc),
  dispatch: (pc: number): number => direct.execute(pc & 7),
  execute(a: number): number {
    const v = direct.load(a);
    direct.store(a + 8, v + 1);
    return v;
  },
  load: (a: number): number => words[a]!,
  store(a: number, v: number): void {
    words[a] = v;
  },
};

/** A generator for everything, each access included. */
const all = {
  *step(pc: number): Run {
    return yield* all.dispatch(pc);
  },
  *dispatch(pc: number): Run {
    return yield* all.execute(pc & 7);
  },
  *execute(a: number): Run {
    const v = yield* all.load(a);
    yield* all.store(a + 8, v + 1);
    return v;
  },
  *load(a: number): Run {
    yield LOAD;
    return words[a]!;
  },
  *store(a: number, v: number): Run {
    yield STORE;
    words[a] = v;
    return v;
  },
};

/** The pause stands at the access. */
function* execute(a: number): Run {
  yield LOAD;
  const v = words[a]!;
  yield STORE;
  words[a + 8] = v + 1;
  return v;
}
const inline = {
  *step(pc: number): Run {
    return yield* inline.dispatch(pc);
  },
  *dispatch(pc: number): Run {
    return yield* execute(pc & 7);
  },
};

/** Forwarders, too, are plain functions: they return the callee's steps. */
const forwarded = {
  step: (pc: number): Run => forwarded.dispatch(pc),
  dispatch: (pc: number): Run => execute(pc & 7),
};

function stepped(step: (pc: number) => Run): (pc: number) => number {
  return (pc) => {
    const run = step(pc);
    for (;;) {
      const s = run.next();
      if (s.done === true) return s.value;
    }
  };
}

function measure(label: string, step: (pc: number) => number): void {
  const ns: number[] = [];
  for (let round = 0; round < 7; round++) {
    const start = performance.now();
    let sum = 0;
    for (let i = 0; i < times; i++) sum = (sum + step(i)) | 0;
    words[31] = sum;
    ns.push(((performance.now() - start) * 1e6) / times);
  }
  ns.sort((a, b) => a - b);
  rows.push([label, ns[3]!]);
}

measure('direct', (pc) => direct.step(pc));
measure(
  'stepped: a generator for every call',
  stepped((pc) => all.step(pc)),
);
measure(
  'stepped: pauses at the access',
  stepped((pc) => inline.step(pc)),
);
measure(
  'stepped: and plain forwarders',
  stepped((pc) => forwarded.step(pc)),
);
print(['an instruction', 'ns'], rows);
