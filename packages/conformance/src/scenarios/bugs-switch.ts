/**
 * Historical bugs of a switch of address spaces that something interrupts: what software says is loaded, and what the hardware has, are two
 * things for a moment.
 */
import type { Body } from '@mmu-gather/checker';
import { ALL, type Address, type Cpu, type Steps } from '@mmu-gather/core/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { BARE_X86, clearEntry, makeSpace, type Space, Words } from './bare-stage.ts';

// ---- B19: a flush interrupt in the middle ----

/** Two mms by number. */
const [OLD, ADOPTED] = [1, 2];
/** Tag of each. */
const TAGS: Readonly<Record<number, number>> = { [OLD]: 0, [ADOPTED]: 1 };
const cpu1 = new Words('cpu1', ['request', 'activeMm', 'loadedMm', 'context']);
/** The interrupt that ends the scenario. */
const [NONE, FLUSH, END] = [0, 1, 2];

/** The handler: flushes what is loaded, if the mm is the active one; else its context starts anew when it is loaded next. */
function* flushInterrupt(cpu: Cpu): Steps<void> {
  if ((yield* cpu.readOnce(cpu1.at('activeMm'))) === ADOPTED) {
    const asid = TAGS[yield* cpu.readOnce(cpu1.at('loadedMm'))]!;
    yield* cpu.invalidate({ asid, leaves: ALL, walks: ALL, globals: false, broadcast: false });
  } else {
    yield* cpu.writeOnce(cpu1.at('context'), 0);
  }
  yield* cpu.storeRelease(cpu1.at('request'), NONE);
}

/** A place where interrupts are on: one that is pending is taken, or comes later. */
function* interruptible(cpu: Cpu): Steps<void> {
  if ((yield* cpu.loadAcquire(cpu1.at('request'))) === FLUSH) yield* flushInterrupt(cpu);
}

/** kthread_use_mm. @param irqsOff from the one change to the other */
function* useMm(cpu: Cpu, { root }: Space, irqsOff: boolean): Steps<void> {
  yield* interruptible(cpu);
  yield* cpu.writeOnce(cpu1.at('activeMm'), ADOPTED);
  if (!irqsOff) yield* interruptible(cpu);
  const valid = (yield* cpu.readOnce(cpu1.at('context'))) !== 0;
  yield* cpu.loadContext(root, TAGS[ADOPTED]!, valid);
  yield* cpu.writeOnce(cpu1.at('loadedMm'), ADOPTED);
  yield* cpu.enterUser();
  for (;;) {
    if ((yield* cpu.waitFor(cpu1.at('request'), 'notEqual', NONE)) === END) return;
    yield* cpu.enterKernel();
    yield* flushInterrupt(cpu);
    yield* cpu.enterUser();
  }
}

const adopting =
  (irqsOff: boolean) =>
  (env: Space): Body[] => [
    thread(function* (cpu) {
      yield* clearEntry(cpu, env.table);
      yield* cpu.writeOnce(cpu1.at('request'), FLUSH);
      yield* cpu.waitFor(cpu1.at('request'), 'equal', NONE);
      yield* cpu.free('page', env.frames[0]!);
      yield* cpu.writeOnce(cpu1.at('request'), END);
    }),
    thread((cpu) => useMm(cpu, env, irqsOff)),
  ];

const b19 = defineScenario<Space>({
  id: 'bug:B19/fixed',
  bug: 'B19',
  abstract: true,
  title: 'a kernel thread adopts an mm that it has entries of from before, while a page of it is unmapped',
  source: '38cf307c1f20 (2020)',
  cpus: 2,
  only: BARE_X86,
  reserve: cpu1.reserve,
  setup(run) {
    const space = makeSpace(run, [1]);
    const old = makeSpace(run, [2]);
    run(1, (cpu) => cpu.loadContext(space.root, TAGS[ADOPTED]!, false));
    run(1, (cpu) => cpu.loadContext(old.root, TAGS[OLD]!, false));
    run(1, (cpu) => cpu.writeOnce(cpu1.at('activeMm'), OLD));
    run(1, (cpu) => cpu.writeOnce(cpu1.at('loadedMm'), OLD));
    run(1, (cpu) => cpu.writeOnce(cpu1.at('context'), 1));
    return space;
  },
  threads: adopting(true),
  twins: [
    {
      id: 'bug:B19/buggy',
      why: 'the interrupt comes between the two: it finds the mm active, and flushes what is loaded, which is another',
      oracle: 'O1',
      property: 'FUAF',
      threads: adopting(false),
    },
  ],
});

// ---- B87: an NMI in the middle ----

/** Two processes; each has its own number in its page 0. */
interface TwoMms {
  readonly from: Space;
  readonly to: Space;
}

const [FROM, TO, SWITCHING] = [1, 2, 3];
const percpu = new Words('percpu', ['current', 'loadedMm']);

/** What the NMI asks before it reads user memory: nothing, whether the loaded mm is that of the current task, and that with a mark amid a switch. */
type Asks = 'nothing' | 'loaded' | 'marked';

/** An NMI that looks at memory of the task that it has interrupted, or none. */
function* perhapsNmi(cpu: Cpu, asks: Asks): Steps<void> {
  if ((yield* cpu.mayFail()) === 0) return;
  const current = yield* cpu.readOnce(percpu.at('current'));
  if (asks !== 'nothing' && (yield* cpu.readOnce(percpu.at('loadedMm'))) !== current) return;
  const read = yield* cpu.userRead(0);
  cpu.claim.that(read === current, 'O8', `an NMI reads memory of mm ${read} for a task of mm ${current}`);
}

/** switch_mm and then switch_to. */
function* switchTo(cpu: Cpu, root: Address, asks: Asks): Steps<void> {
  yield* perhapsNmi(cpu, asks);
  if (asks === 'marked') yield* cpu.writeOnce(percpu.at('loadedMm'), SWITCHING);
  yield* perhapsNmi(cpu, asks);
  yield* cpu.loadContext(root, 1, false);
  yield* perhapsNmi(cpu, asks);
  yield* cpu.writeOnce(percpu.at('loadedMm'), TO);
  yield* perhapsNmi(cpu, asks);
  yield* cpu.writeOnce(percpu.at('current'), TO);
  yield* perhapsNmi(cpu, asks);
}

const switching =
  (asks: Asks) =>
  ({ to }: TwoMms): Body[] => [thread((cpu) => switchTo(cpu, to.root, asks))];

const b87 = defineScenario<TwoMms>({
  id: 'bug:B87/fixed',
  bug: 'B87',
  abstract: true,
  title: 'an NMI reads user memory at any step of a switch: only if the loaded mm is that of the current task',
  source: '4012e77a903d (2018)',
  cpus: 1,
  only: BARE_X86,
  reserve: percpu.reserve,
  setup(run) {
    const from = makeSpace(run, [FROM]);
    const to = makeSpace(run, [TO]);
    run(0, (cpu) => cpu.loadContext(from.root, 0, false));
    run(0, (cpu) => cpu.writeOnce(percpu.at('current'), FROM));
    run(0, (cpu) => cpu.writeOnce(percpu.at('loadedMm'), FROM));
    return { from, to };
  },
  threads: switching('marked'),
  twins: [
    {
      id: 'bug:B87/buggy',
      why: 'the NMI asks nothing, and reads the memory of another process',
      oracle: 'O8',
      property: 'ALIAS',
      threads: switching('nothing'),
    },
    {
      id: 'bug:B87/rung-no-mark',
      why: 'the loaded mm is named after it was loaded, and nothing says so meanwhile',
      oracle: 'O8',
      property: 'ALIAS',
      threads: switching('loaded'),
    },
  ],
});

/** All of them. */
export const BUGS_OF_SWITCHES: readonly AnyScenario[] = [b19, b87];
