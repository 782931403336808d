/**
 * The oracles by name: what each says, and whether the checker asks it. `docs/scenarios.md` shows the same table.
 */

/** An oracle. */
export interface Oracle {
  readonly id: string;
  /** Its name. */
  readonly name: string;
  /** What must hold. */
  readonly says: string;
  /** Does the checker ask it? */
  readonly asked: boolean;
}

/** All oracles, and what else a run can be refuted by. */
export const ORACLES: readonly Oracle[] = [
  { id: 'O1', name: 'no stale access after free', says: 'no CPU can access a page that was freed', asked: true },
  {
    id: 'O2',
    name: 'demotion effective',
    says: 'no CPU can access more than a completed operation left standing',
    asked: true,
  },
  { id: 'O3', name: 'no lost dirty', says: 'no store is missed by whoever declares its page clean', asked: false },
  {
    id: 'O4',
    name: 'tables live, hardware',
    says: 'no walk reads a freed page table, speculative walks and lazy CPUs included',
    asked: true,
  },
  { id: 'O5', name: 'tables live, software', says: 'no lockless walker reads a freed page table', asked: false },
  {
    id: 'O6',
    name: 'single view',
    says: 'no two CPUs can access different pages at one address, one of them writing',
    asked: true,
  },
  {
    id: 'O7',
    name: 'move exclusive',
    says: "after mremap's locks drop, nothing is reachable at the old address",
    asked: false,
  },
  { id: 'O8', name: 'no context leak', says: 'no ASID answers with entries of the mm that had it before', asked: true },
  {
    id: 'O9',
    name: 'pending is sound',
    says: 'what a reader under the page-table lock takes for settled is flushed',
    asked: true,
  },
  {
    id: 'O10',
    name: 'finish is sound',
    says: 'what a gather saw under the page-table lock is flushed when it finishes',
    asked: true,
  },
  {
    id: 'O11',
    name: 'generations mean something',
    says: 'a CPU that claims a generation holds nothing that this generation covers',
    asked: true,
  },
  { id: 'O12', name: 'no request lost', says: 'nothing that was deferred stays unflushed', asked: true },
  {
    id: 'O13',
    name: 'content stable',
    says: 'a page that was write-protected to be compared or moved does not change',
    asked: false,
  },
  {
    id: 'O14',
    name: 'no conflicting sizes',
    says: 'no TLB holds a huge and a small entry for one address',
    asked: false,
  },
  {
    id: 'O15',
    name: 'kernel addresses reused',
    says: 'no stale entry of a kernel address outlives its reuse',
    asked: false,
  },
  {
    id: 'O16',
    name: 'brackets',
    says: 'gather and finish pair up, and the pending counter comes back to 0',
    asked: true,
  },
  { id: 'deadlock', name: 'deadlock', says: 'somebody can always go on, or everybody is done', asked: true },
  { id: 'livelock', name: 'livelock', says: 'no fair cycle leads back to where it began', asked: true },
  { id: 'race', name: 'data race', says: 'plain accesses of two CPUs to one word are ordered', asked: true },
  {
    id: 'assert',
    name: "the scenario's own",
    says: "the scenario's final check passes, and its code throws nothing",
    asked: true,
  },
];
