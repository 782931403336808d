/**
 * The oracles by name, and what each says. `docs/scenarios.md` shows the same table.
 */

/** An oracle. */
export interface Oracle {
  readonly id: string;
  /** Its name. */
  readonly name: string;
  /** What must hold. */
  readonly says: string;
}

/** All oracles, and what else a run can be refuted by. */
export const ORACLES: readonly Oracle[] = [
  { id: 'O1', name: 'no stale access after free', says: 'no CPU can access a page that was freed' },
  {
    id: 'O2',
    name: 'demotion effective',
    says: 'no CPU can access more than a completed operation left standing',
  },
  { id: 'O3', name: 'no lost dirty', says: 'nobody can write without a trace to a page that was declared clean' },
  {
    id: 'O4',
    name: 'tables live, hardware',
    says: 'no walk reads a freed page table, speculative walks and lazy CPUs included',
  },
  {
    id: 'O5',
    name: 'tables live, software',
    says: 'no kernel code touches a page table, a VMA or an mm that was freed',
  },
  {
    id: 'O6',
    name: 'single view',
    says: 'no two CPUs can access different pages at one address, one of them writing',
  },
  {
    id: 'O7',
    name: 'move exclusive',
    says: "after mremap's locks drop, nothing is reachable at the old address",
  },
  { id: 'O8', name: 'no context leak', says: 'no ASID answers with entries of the mm that had it before' },
  {
    id: 'O9',
    name: 'pending is sound',
    says: 'what a reader under the page-table lock takes for settled is flushed',
  },
  {
    id: 'O10',
    name: 'finish is sound',
    says: 'what a gather saw under the page-table lock is flushed when it finishes',
  },
  {
    id: 'O11',
    name: 'generations mean something',
    says: 'what a generation covers is gone where a CPU claims it, and everywhere once it is completed',
  },
  { id: 'O12', name: 'no request lost', says: 'nothing that was deferred stays unflushed' },
  {
    id: 'O13',
    name: 'content stable',
    says: 'nobody can write, or writes, to a page whose contents are taken for stable',
  },
  {
    id: 'O14',
    name: 'no conflicting sizes',
    says: 'no TLB may hold a huge and a smaller entry for one address',
  },
  {
    id: 'O15',
    name: 'kernel addresses reused',
    says: 'no CPU holds an entry for a kernel address that is handed out again',
  },
  {
    id: 'O16',
    name: 'brackets',
    says: 'gather and finish pair up, allocations and frees, RCU sections, brackets of tlb_start_vma and tlb_start_ptes; a page that is freed is mapped nowhere; who may sleep takes interrupts; the pending counter comes back to 0; locks are held, and interrupts off, where code relies on it',
  },
  {
    id: 'O17',
    name: 'quiet',
    says: 'at the end locks are free, counts are right, nothing has leaked, and entries are as their VMAs say',
  },
  { id: 'deadlock', name: 'deadlock', says: 'somebody can always go on, or everybody is done' },
  { id: 'livelock', name: 'livelock', says: 'no fair cycle leads back to where it began' },
  { id: 'race', name: 'data race', says: 'plain accesses of two CPUs to one word are ordered' },
  {
    id: 'assert',
    name: "the scenario's own",
    says: "the scenario's final check and its own oracle pass, and its code throws nothing",
  },
];
