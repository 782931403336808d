/**
 * Bounded: iterative context bounding over hashed states. Finds the violation with the fewest preemptions and, among those,
 * the fewest steps: the one that people can read. What a preemption is says `turnCost` in path.ts.
 *
 * Nodes are pairs of a state and the actor whose turn it is; an edge is a step, and costs 0 or 1 preemptions. Nodes are taken in
 * the order of (preemptions, steps) of the best path to them, so that
 *
 * - each is taken once, and only on a best path;
 * - the first violation that comes up has the fewest preemptions, and no shorter path has as few;
 * - what has been taken when the search is cut by a bound on preemptions is all that this bound allows.
 *
 * A machine can only go back along its own path. Nodes therefore remember where they came from, and the machine walks from one
 * to the next through their common ancestor. Nodes of one cost are taken in the order in which they were found, in which
 * neighbours share most of their paths.
 */
import type { Explorable, Violation } from '../explorable.ts';
import { canGoOn, isDrain, type Path } from './path.ts';
import { type Result, type SearchOptions, Tally } from './result.ts';
import { collisionOdds, Visited } from './visited.ts';

/** Options of the search. */
export interface BoundedOptions extends SearchOptions {
  /** Leave out what needs more preemptions than this. */
  readonly maxPreemptions?: number;
}

/** Nodes that there is room for at first. */
const FIRST_NODES = 1 << 10;
/** Words of a node. */
const PARENT = 0;
const ACTOR = 1;
const CHOICE = 2;
const DEPTH = 3;
/** The actor whose turn it is after the step. */
const LAST = 4;
/** The key of state and turn; only looked at if the step broke nothing. */
const KEY_LOW = 5;
const KEY_HIGH = 6;
/** 1 if the step violates an oracle. */
const BROKEN = 7;
const NODE_WORDS = 8;
const ROOT = 0;

/** The nodes found so far: a tree of best paths. */
class Tree {
  words: Int32Array = new Int32Array(FIRST_NODES * NODE_WORDS);
  size = 0;

  get(node: number, word: number): number {
    return this.words[node * NODE_WORDS + word]!;
  }

  add(parent: number, actor: number, choice: number, last: number, broken: boolean, machine: Explorable): number {
    const node = this.size++;
    const at = node * NODE_WORDS;
    if (at === this.words.length) {
      const bigger = new Int32Array(2 * at);
      bigger.set(this.words);
      this.words = bigger;
    }
    const words = this.words;
    words[at + PARENT] = parent;
    words[at + ACTOR] = actor;
    words[at + CHOICE] = choice;
    words[at + DEPTH] = node === ROOT ? 0 : this.get(parent, DEPTH) + 1;
    words[at + LAST] = last;
    words[at + KEY_LOW] = machine.keyLow;
    words[at + KEY_HIGH] = withTurn(machine.keyHigh, last);
    words[at + BROKEN] = broken ? 1 : 0;
    return node;
  }

  /** The path to a node. */
  path(node: number): Path {
    const path: (readonly [number, number])[] = [];
    for (let at = node; at !== ROOT; at = this.get(at, PARENT)) path.push([this.get(at, ACTOR), this.get(at, CHOICE)]);
    return path.toReversed();
  }
}

/** The second half of a state's key, with whose turn it is. */
function withTurn(high: number, last: number): number {
  return high ^ Math.imul(last + 1, 0x9e3779b1);
}

/** Takes the machine from node to node. */
class Walker {
  readonly #machine: Explorable;
  readonly #tree: Tree;
  /** The node that the machine is at, after those on the way to it; marks before the step to each but the root. */
  readonly #nodes: number[] = [ROOT];
  readonly #marks: number[] = [];
  readonly #way: number[] = [];
  /** Steps performed. */
  steps = 0;

  constructor(machine: Explorable, tree: Tree) {
    this.#machine = machine;
    this.#tree = tree;
  }

  /** Takes the machine to a node. */
  goTo(node: number): void {
    const tree = this.#tree;
    const nodes = this.#nodes;
    const way = this.#way;
    way.length = 0;
    let common = node;
    while (nodes[tree.get(common, DEPTH)] !== common) {
      way.push(common);
      common = tree.get(common, PARENT);
    }
    const depth = tree.get(common, DEPTH);
    if (depth + 1 < nodes.length) {
      this.#machine.undo(this.#marks[depth]!);
      nodes.length = depth + 1;
      this.#marks.length = depth;
    }
    for (let i = way.length - 1; i >= 0; i--) {
      const next = way[i]!;
      this.#marks.push(this.#machine.mark());
      nodes.push(next);
      this.#machine.perform(tree.get(next, ACTOR), tree.get(next, CHOICE));
      this.steps++;
    }
  }
}

/** Finds the violation with the fewest preemptions, then steps, from the present state on. The machine is back in it afterwards. */
export function bounded(machine: Explorable, options: BoundedOptions = {}): Result {
  const maxPreemptions = options.maxPreemptions ?? Infinity;
  const tally = new Tally(options);
  const tree = new Tree();
  const walker = new Walker(machine, tree);
  const taken = new Visited();
  /** Nodes to be taken: by preemptions, then by steps. */
  const open: number[][][] = [[[tree.add(ROOT, 0, 0, -1, false, machine)]]];
  let preemptions: number | undefined;
  let performed = 0;

  const found = (violation: Violation, node: number, cost: number): void => {
    preemptions ??= cost;
    tally.found(violation, () => tree.path(node));
  };

  const take = (node: number, cost: number): void => {
    if (tree.get(node, BROKEN) === 1) {
      walker.goTo(node);
      found(machine.violation!, node, cost);
      return;
    }
    if (!taken.add(tree.get(node, KEY_LOW), tree.get(node, KEY_HIGH))) return;
    tally.state();
    if (tally.over) return;
    walker.goTo(node);
    const last = tree.get(node, LAST);
    const depth = tree.get(node, DEPTH);
    const interrupted = canGoOn(machine, last) ? 1 : 0;
    let end = true;
    for (let actor = 0; actor < machine.actors; actor++) {
      const choices = machine.choices(actor);
      if (choices === 0) continue;
      end = false;
      const goesOn = actor === last || isDrain(machine, actor);
      const total = goesOn ? cost : cost + interrupted;
      if (total > maxPreemptions) {
        tally.leaveOut('preemptions');
        continue;
      }
      const turn = isDrain(machine, actor) ? last : actor;
      const bucket = ((open[total] ??= [])[depth + 1] ??= []);
      for (let choice = 0; choice < choices; choice++) {
        const mark = machine.mark();
        machine.perform(actor, choice);
        tally.step();
        const broken = machine.violation !== undefined;
        if (broken || !taken.has(machine.keyLow, withTurn(machine.keyHigh, turn))) {
          bucket.push(tree.add(node, actor, choice, turn, broken, machine));
        }
        machine.undo(mark);
      }
    }
    if (!end) return;
    tally.ends?.add(machine.observation());
    const violation = machine.checkEnd();
    if (violation !== undefined) found(violation, node, cost);
  };

  for (let cost = 0; cost < open.length && !tally.over; cost++) {
    const bySteps = open[cost] ?? [];
    // Buckets are added while the loop runs.
    for (let depth = 0; depth < bySteps.length && !tally.over; depth++) {
      for (const node of bySteps[depth] ?? []) {
        take(node, cost);
        // Walking is work, too: let the clock see it.
        for (; performed < walker.steps; performed++) tally.step();
        if (tally.over) break;
      }
      bySteps[depth] = [];
    }
  }
  walker.goTo(ROOT);
  return tally.result({
    states: tally.states,
    collisionOdds: collisionOdds(tally.states),
    ...(preemptions !== undefined && { preemptions }),
  });
}
