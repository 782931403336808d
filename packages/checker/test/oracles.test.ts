/**
 * Each oracle on programs of a few port calls: one that it must let pass, and one that breaks what it says.
 */
import {
  type Cpu,
  FAULT,
  mkEntry,
  Mm,
  Page,
  PSE,
  SOFT_DIRTY,
  type Steps,
  tablePtl,
  TINY,
} from '@mmu-gather/core/stepped';
import { describe, expect, test } from 'vitest';
import { search } from '../src/index.ts';
import { CLEAN, flushAll, flushOthers, onTree, RO, type Stage, type Tree, verdict, WRITTEN } from './page-tables.ts';

/** The first page of the address space. */
const FIRST = { start: 0, end: 4096 };

/** CPU 0 runs this, CPU 1 stands in user mode. */
function alone(body: (cpu: Cpu, tree: Tree) => Steps<unknown>, stage: Stage = {}): string {
  return verdict(onTree((tree) => [(cpu) => body(cpu, tree)], stage));
}

/** Stores an entry of page 0, flushes CPU 1 or not, and goes on. */
function afterStore(target: number, flags: number, flush: boolean, then: (cpu: Cpu, tree: Tree) => void) {
  return function* (cpu: Cpu, tree: Tree): Steps<void> {
    yield* cpu.xchg(tree.pte, flags === 0 ? 0 : mkEntry(tree.pages[target]!, flags));
    if (flush) yield* flushOthers(cpu, 1);
    then(cpu, tree);
  };
}

describe('O2, what an operation left standing', () => {
  const readOnly = (flush: boolean) =>
    afterStore(0, RO, flush, (cpu, tree) => cpu.claim.limit(tree.root, FIRST, 'read'));

  test('a dirty entry that is cached allows writes until it is flushed', () => {
    expect(alone(readOnly(true))).toBe('holds');
    expect(alone(readOnly(false))).toBe('O2');
  });

  test('a clean one does not, where a store through it walks again', () => {
    expect(alone(readOnly(false), { flags: CLEAN })).toBe('holds');
    expect(alone(readOnly(false), { flags: CLEAN, isa: { cleanWalks: false } })).toBe('O2');
  });

  test('a clean one does while memory still holds it', () => {
    const claimed = function* (cpu: Cpu, tree: Tree): Steps<void> {
      yield* cpu.smpMb();
      cpu.claim.limit(tree.root, FIRST, 'read');
    };
    expect(alone(claimed, { flags: CLEAN })).toBe('O2');
    expect(alone(claimed, { flags: RO })).toBe('holds');
  });
});

describe('O3, writes to a clean page', () => {
  const declared = (flush: boolean, flags = RO) =>
    afterStore(0, flags, flush, (cpu, tree) => cpu.claim.clean(tree.pages[0]!));

  test('a dirty entry that is cached writes without a trace until it is flushed', () => {
    expect(alone(declared(true))).toBe('holds');
    expect(alone(declared(false))).toBe('O3');
    expect(alone(declared(false, CLEAN))).toBe('O3');
    expect(alone(declared(true, CLEAN))).toBe('holds');
  });

  test('a CPU in the kernel is asked when it returns to user mode', () => {
    const returns = (flush: boolean) =>
      verdict(
        onTree(
          (tree) => [
            (cpu) => declared(false)(cpu, tree),
            function* (cpu): Steps<void> {
              yield* cpu.waitFor(tree.pte, 'equal', mkEntry(tree.pages[0]!, RO));
              if (flush) yield* flushAll(cpu);
              yield* cpu.enterUser();
            },
          ],
          { user: [] },
        ),
      );
    expect(returns(true)).toBe('holds');
    expect(returns(false)).toBe('O3');
  });

  test('a store that sets the dirty bit in memory ends it', () => {
    const dirtied = onTree((tree) => [
      function* (cpu): Steps<void> {
        yield* declared(true, CLEAN)(cpu, tree);
        yield* cpu.writeOnce(tree.pages[2]!, 1);
      },
      function* (cpu): Steps<void> {
        yield* cpu.waitFor(tree.pages[2]!, 'equal', 1);
        yield* cpu.userWrite(0, 1);
        yield* cpu.enterUser();
      },
    ]);
    expect(verdict(dirtied)).toBe('holds');
  });
});

describe('O3, a page that is mapped dirty when it is declared clean', () => {
  /** CPU 1 goes into the kernel and back after the claim. */
  const returns = (declare: (cpu: Cpu, tree: Tree) => Steps<void>, stage: Stage = {}): string =>
    verdict(
      onTree(
        (tree) => [
          function* (cpu): Steps<void> {
            yield* declare(cpu, tree);
            yield* cpu.xchg(tree.pages[2]!, 1);
          },
          function* (cpu): Steps<void> {
            yield* cpu.waitFor(tree.pages[2]!, 'equal', 1);
            yield* cpu.enterUser();
          },
        ],
        { oraclesOff: ['O12'], ...stage },
      ),
    );

  test('is not: memory tells of the writes', () => {
    const elsewhere = function* (cpu: Cpu, tree: Tree): Steps<void> {
      yield* cpu.xchg(tree.pte, 0);
      yield* flushOthers(cpu, 1);
      yield* cpu.xchg(tree.pte + 1, mkEntry(tree.pages[0]!, WRITTEN));
      cpu.claim.clean(tree.pages[0]!);
    };
    expect(returns(elsewhere)).toBe('holds');
    const huge = function* (cpu: Cpu, tree: Tree): Steps<void> {
      yield* cpu.xchg(tree.pmd, 0);
      yield* flushOthers(cpu, 1);
      yield* cpu.xchg(tree.pmd, mkEntry(tree.pages[0]!, WRITTEN | PSE));
      cpu.claim.clean(tree.pages[1]!);
    };
    expect(returns(huge)).toBe('holds');
  });

  test('but what a freed table maps does not count', () => {
    const dropWalks = (cpu: Cpu): Steps<void> =>
      cpu.invalidate({ asid: 0, leaves: { start: 0, end: 0 }, walks: FIRST, globals: false, broadcast: false });
    const freed = function* (cpu: Cpu, tree: Tree): Steps<void> {
      yield* cpu.xchg(tree.pmd, 0);
      yield* flushOthers(cpu, 1);
      yield* cpu.free('table', tree.table);
      cpu.claim.clean(tree.pages[0]!);
    };
    expect(returns(freed, { user: [], handlers: [dropWalks] })).toBe('O3');
    expect(returns(freed, { user: [] })).toBe('holds');
  });
});

describe('O5, kernel code and what was freed', () => {
  test.for(['table', 'vma', 'mm'] as const)('no access to a freed %s, marked or plain; before, any', (cache) => {
    const access = (order: 'before' | 'after', how: (cpu: Cpu, object: number) => Steps<unknown>) =>
      alone(
        function* (cpu): Steps<void> {
          const object = yield* cpu.alloc(cache);
          if (order === 'before') yield* how(cpu, object);
          yield* cpu.free(cache, object);
          if (order === 'after') yield* how(cpu, object);
        },
        { loaded: [] },
      );
    const accesses: readonly ((cpu: Cpu, object: number) => Steps<unknown>)[] = [
      (cpu, object) => cpu.readOnce(object),
      (cpu, object) => cpu.writeOnce(object + 1, 0),
      (cpu, object) => cpu.atomicAdd(object, 1),
      function* (cpu, object): Steps<void> {
        yield* cpu.spinLock(object + 2);
        yield* cpu.spinUnlock(object + 2);
      },
      function* (cpu, object): Steps<void> {
        cpu.read(object);
      },
      function* (cpu, object): Steps<void> {
        cpu.write(object, 1);
      },
    ];
    for (const how of accesses) {
      expect(access('before', how)).toBe('holds');
      expect(access('after', how)).toBe('O5');
    }
  });

  test('a struct page outlives its page', () => {
    expect(
      alone(function* (cpu, tree): Steps<void> {
        yield* cpu.free('page', tree.pages[2]!);
        yield* cpu.readOnce(tree.pages[2]!);
      }),
    ).toBe('holds');
  });
});

describe('O6, two pages at one address', () => {
  const replaced = (flags: number, flush: boolean) =>
    verdict(
      onTree(
        (tree) => [
          function* (cpu): Steps<void> {
            yield* cpu.xchg(tree.pte, 0);
            if (flush) yield* flushOthers(cpu, 1, 2);
            yield* cpu.xchg(tree.pte, mkEntry(tree.pages[2]!, RO));
          },
        ],
        // O12 says at the end that a flush is missing.
        { cpus: 3, loaded: [1, 2], flags, oraclesOff: ['O12'] },
      ),
    );
  test('one of them may be written to through an entry that was dirty, but not through a clean one', () => {
    expect(replaced(WRITTEN, true)).toBe('holds');
    expect(replaced(WRITTEN, false)).toBe('O6');
    expect(replaced(CLEAN, false)).toBe('holds');
  });
});

describe('O9, what is taken for settled', () => {
  const settled = (flags: number) => afterStore(0, flags, false, (cpu, tree) => cpu.claim.settled(tree.root, 0));
  test('has lost rights, or the trace of writes; other flags do not matter', () => {
    expect([RO, CLEAN, WRITTEN | SOFT_DIRTY].map((flags) => alone(settled(flags)))).toEqual(['O9', 'O9', 'holds']);
  });
});

describe('O7, what has moved', () => {
  const moved = (flush: boolean) => afterStore(0, 0, flush, (cpu, tree) => cpu.claim.moved(tree.root, FIRST));
  test('the old place is used no more', () => {
    expect(alone(moved(true))).toBe('holds');
    expect(alone(moved(false))).toBe('O7');
    expect(alone(moved(false), { loaded: [] })).toBe('holds');
  });
});

describe('O11, a completed generation', () => {
  const completes = (order: 'before-flush' | 'after-flush', gen = 2) =>
    alone(function* (cpu, tree): Steps<void> {
      const mm = Mm.at(yield* cpu.alloc('mm'));
      yield* cpu.writeOnce(mm.pgd, tree.root);
      yield* cpu.writeOnce(mm.tlbGen, 1);
      yield* cpu.xchg(tree.pte, 0);
      yield* cpu.atomicAddReturn(mm.tlbGen, 1);
      if (order === 'before-flush') yield* cpu.writeOnce(mm.tlbGenCompleted, gen);
      yield* flushOthers(cpu, 1);
      if (order === 'after-flush') yield* cpu.writeOnce(mm.tlbGenCompleted, gen);
    });
  test('is stored after every CPU has flushed', () => {
    expect(completes('after-flush')).toBe('holds');
    expect(completes('before-flush')).toBe('O11');
    // What an older generation covers is all gone.
    expect(completes('before-flush', 1)).toBe('holds');
  });
  test('covers what was mapped below an entry of a table, and huge leaves', () => {
    const unlinked = (huge: boolean, order: 'before-flush' | 'after-flush') =>
      alone(function* (cpu, tree): Steps<void> {
        const mm = Mm.at(yield* cpu.alloc('mm'));
        yield* cpu.writeOnce(mm.pgd, tree.root);
        if (huge) {
          yield* cpu.xchg(tree.pmd, 0);
          yield* flushOthers(cpu, 1);
          yield* cpu.xchg(tree.pmd, mkEntry(tree.pages[0]!, WRITTEN | PSE));
        }
        yield* cpu.xchg(tree.pmd, 0);
        yield* cpu.atomicAddReturn(mm.tlbGen, 1);
        if (order === 'before-flush') yield* cpu.writeOnce(mm.tlbGenCompleted, 1);
        yield* flushOthers(cpu, 1);
        if (order === 'after-flush') yield* cpu.writeOnce(mm.tlbGenCompleted, 1);
      });
    for (const huge of [false, true]) {
      expect(unlinked(huge, 'after-flush')).toBe('holds');
      expect(unlinked(huge, 'before-flush')).toBe('O11');
    }
  });

  test('is about changes of its own mm, and of what memory does not hold again', () => {
    const changed = (back: boolean, other: boolean) =>
      alone(function* (cpu, tree): Steps<void> {
        const mm = Mm.at(yield* cpu.alloc('mm'));
        yield* cpu.writeOnce(mm.pgd, other ? tree.pages[3]! : tree.root);
        yield* cpu.xchg(tree.pte, 0);
        yield* cpu.atomicAddReturn(mm.tlbGen, 1);
        if (back) {
          yield* cpu.xchg(tree.pte, mkEntry(tree.pages[0]!, WRITTEN));
          yield* cpu.xchg(tree.pmd, 0);
        }
        yield* cpu.writeOnce(mm.pgd, tree.root);
        yield* cpu.writeOnce(mm.tlbGenCompleted, 1);
        yield* flushOthers(cpu, 1);
      });
    expect(changed(false, false)).toBe('O11');
    // No generation covers the second change.
    expect(changed(true, false)).toBe('holds');
    expect(changed(false, true)).toBe('holds');
  });

  test('covers what its CPU changed before, and that alone', () => {
    /** An mm whose root is the tree's, and what changes on its way to the first generation, which is completed unflushed. */
    const completed = (change: (cpu: Cpu, tree: Tree, next: () => Steps<number>) => Steps<unknown>) =>
      alone(function* (cpu, tree): Steps<void> {
        const mm = Mm.at(yield* cpu.alloc('mm'));
        yield* cpu.writeOnce(mm.pgd, tree.root);
        yield* change(cpu, tree, () => cpu.atomicAddReturn(mm.tlbGen, 1));
        yield* cpu.writeOnce(mm.tlbGenCompleted, 1);
        yield* flushOthers(cpu, 1);
      });
    const changedLater = completed(function* (cpu, tree, next): Steps<void> {
      yield* cpu.xchg(tree.pte, 0);
      yield* cpu.xchg(tree.pte, mkEntry(tree.pages[0]!, WRITTEN));
      yield* next();
      yield* cpu.xchg(tree.pmd, 0);
    });
    const changedAgain = completed(function* (cpu, tree, next): Steps<void> {
      yield* cpu.xchg(tree.pte, 0);
      yield* next();
      yield* cpu.xchg(tree.pte, mkEntry(tree.pages[0]!, RO));
    });
    expect([changedLater, changedAgain]).toEqual(['holds', 'O11']);

    const byAnother = (changer: number) =>
      verdict(
        onTree(
          (tree) =>
            [0, 1].map(
              (n) =>
                function* (cpu: Cpu): Steps<void> {
                  if (n === changer) {
                    yield* cpu.xchg(tree.pte, 0);
                    yield* cpu.xchg(tree.pages[2]!, 1);
                  }
                  if (n === 1) return;
                  yield* cpu.waitFor(tree.pages[2]!, 'equal', 1);
                  const mm = Mm.at(yield* cpu.alloc('mm'));
                  yield* cpu.writeOnce(mm.pgd, tree.root);
                  yield* cpu.atomicAddReturn(mm.tlbGen, 1);
                  yield* cpu.writeOnce(mm.tlbGenCompleted, 1);
                },
            ),
          { cpus: 3, loaded: [2], oraclesOff: ['O12'] },
        ),
      );
    expect([0, 1].map(byAnother)).toEqual(['O11', 'holds']);
  });

  test('is never newer than the newest, and never goes back', () => {
    expect(completes('after-flush', 3)).toBe('O11');
    expect(
      alone(function* (cpu): Steps<void> {
        const mm = Mm.at(yield* cpu.alloc('mm'));
        yield* cpu.writeOnce(mm.tlbGen, 2);
        yield* cpu.writeOnce(mm.tlbGenCompleted, 2);
        yield* cpu.writeOnce(mm.tlbGenCompleted, 1);
      }),
    ).toBe('O11');
  });
});

describe('O13, a page whose contents are stable', () => {
  const stable = (flush: boolean, flags = RO) =>
    afterStore(0, flags, flush, (cpu, tree) => cpu.claim.stable(tree.pages[0]!, true));

  test('nobody can write to it any more', () => {
    expect(alone(stable(true))).toBe('holds');
    expect(alone(stable(false))).toBe('O13');
    expect(alone(stable(false), { flags: CLEAN })).toBe('holds');
    expect(alone(stable(true, CLEAN))).toBe('O13');
  });

  test('nor is it made writable again, as long as it is stable', () => {
    const again = (ends: boolean) =>
      alone(function* (cpu, tree): Steps<void> {
        yield* stable(true)(cpu, tree);
        yield* cpu.smpMb();
        if (ends) cpu.claim.stable(tree.pages[0]!, false);
        yield* cpu.xchg(tree.pte, mkEntry(tree.pages[0]!, CLEAN));
      });
    expect(again(true)).toBe('holds');
    expect(again(false)).toBe('O13');
  });

  test('nor written to on behalf of a user through an old entry', () => {
    const written = (cleanWalks: boolean, flags: number) =>
      verdict(
        onTree(
          (tree) => [
            function* (cpu): Steps<void> {
              yield* stable(false)(cpu, tree);
              yield* cpu.xchg(tree.pages[2]!, 1);
            },
            function* (cpu): Steps<void> {
              yield* cpu.waitFor(tree.pages[2]!, 'equal', 1);
              yield* cpu.userWrite(0, 7);
            },
          ],
          { user: [], flags, isa: { cleanWalks } },
        ),
      );
    expect(written(true, WRITTEN)).toBe('O13');
    expect(written(true, CLEAN)).toBe('holds');
    expect(written(false, CLEAN)).toBe('O13');
  });

  test('nor written to by the kernel', () => {
    const written = (page: number) =>
      alone(function* (cpu, tree): Steps<void> {
        yield* stable(true)(cpu, tree);
        cpu.write(Page.at(tree.pages[page]!).data, 5);
      });
    expect(written(2)).toBe('holds');
    expect(written(0)).toBe('O13');
  });
});

describe('O14, leaves of two sizes', () => {
  const collapsed = (flush: boolean) =>
    alone(function* (cpu, tree): Steps<void> {
      yield* cpu.xchg(tree.pmd, 0);
      if (flush) yield* flushOthers(cpu, 1);
      yield* cpu.xchg(tree.pmd, mkEntry(tree.pages[0]!, WRITTEN | PSE));
    });
  const split = (flush: boolean) =>
    alone(function* (cpu, tree): Steps<void> {
      yield* collapse(cpu, tree);
      yield* cpu.xchg(tree.pmd, 0);
      if (flush) yield* flushOthers(cpu, 1);
      yield* cpu.xchg(tree.pmd, mkEntry(tree.table, WRITTEN));
    });
  function* collapse(cpu: Cpu, tree: Tree): Steps<void> {
    yield* cpu.xchg(tree.pmd, 0);
    yield* flushOthers(cpu, 1);
    yield* cpu.xchg(tree.pmd, mkEntry(tree.pages[0]!, WRITTEN | PSE));
  }
  test('a huge leaf comes, or goes, with a flush between the sizes', () => {
    expect(collapsed(true)).toBe('holds');
    expect(collapsed(false)).toBe('O14');
    expect(split(true)).toBe('holds');
    expect(split(false)).toBe('O14');
  });

  test('a huge leaf maps a row of pages: to each its own', () => {
    const freed = (row: number) =>
      alone(function* (cpu, tree): Steps<void> {
        yield* collapse(cpu, tree);
        yield* cpu.free('page', tree.pages[row]!);
      });
    expect([0, 1, 2].map(freed)).toEqual(['O1', 'O1', 'holds']);
    const stored = onTree((tree) => [
      (cpu) => collapse(cpu, tree),
      function* (cpu): Steps<void> {
        yield* cpu.waitFor(tree.pmd, 'equal', mkEntry(tree.pages[0]!, WRITTEN | PSE));
        yield* cpu.userWrite(4096, 7);
        cpu.claim.that((yield* cpu.readOnce(Page.at(tree.pages[1]!).data)) === 7, 'O16', 'the store is elsewhere');
      },
    ]);
    expect(verdict(stored)).toBe('holds');
  });
});

describe('O16, what code asks of itself', () => {
  const claims = (body: (cpu: Cpu, lock: number) => Steps<unknown>): string =>
    alone((cpu, tree) => body(cpu, Page.at(tree.pages[0]!).lock));

  test('a lock is held by who has taken it, and for write by who has not shared it', () => {
    const held = (
      take: 'spinLock' | 'downRead' | 'downWrite' | 'downReadTrylock',
      how?: 'write',
      ...then: readonly ('spinUnlock' | 'upRead' | 'upWrite' | 'downgradeWrite')[]
    ): string =>
      claims(function* (cpu, lock): Steps<void> {
        yield* cpu[take](lock);
        for (const step of then) yield* cpu[step](lock);
        cpu.claim.held(lock, how);
      });
    expect([held('spinLock'), held('spinLock', 'write'), held('spinLock', undefined, 'spinUnlock')]).toEqual([
      'holds',
      'holds',
      'O16',
    ]);
    expect([held('downRead'), held('downRead', 'write'), held('downRead', undefined, 'upRead')]).toEqual([
      'holds',
      'O16',
      'O16',
    ]);
    expect([held('downReadTrylock'), held('downReadTrylock', 'write')]).toEqual(['holds', 'O16']);
    expect([held('downWrite', 'write'), held('downWrite', undefined, 'upWrite')]).toEqual(['holds', 'O16']);
    expect([held('downWrite', undefined, 'downgradeWrite'), held('downWrite', 'write', 'downgradeWrite')]).toEqual([
      'holds',
      'O16',
    ]);
  });

  test('a lock that another CPU holds is not held', () => {
    const elsewhere = onTree((tree) => [
      (cpu) => cpu.spinLock(Page.at(tree.pages[0]!).lock),
      function* (cpu): Steps<void> {
        yield* cpu.waitFor(Page.at(tree.pages[1]!).data, 'equal', 0);
        cpu.claim.held(Page.at(tree.pages[0]!).lock);
      },
    ]);
    expect(verdict(elsewhere)).toBe('O16');
  });

  test('nobody frees what he has locked', () => {
    const freed = (unlock: boolean): string =>
      alone(
        function* (cpu, tree): Steps<void> {
          const lock = Page.at(tree.pages[0]!).lock;
          yield* cpu.spinLock(lock);
          if (unlock) yield* cpu.spinUnlock(lock);
          yield* cpu.free('page', tree.pages[0]!);
        },
        { loaded: [] },
      );
    expect([freed(true), freed(false)]).toEqual(['holds', 'O16']);
  });

  test('who allocates may have to reclaim, and holds no lock that this takes', () => {
    const allocates = (lockOf: (tree: Tree) => number, unlock = false): string =>
      alone(
        function* (cpu, tree): Steps<void> {
          yield* cpu.spinLock(lockOf(tree));
          if (unlock) yield* cpu.spinUnlock(lockOf(tree));
          yield* cpu.alloc('vma');
          if (!unlock) yield* cpu.spinUnlock(lockOf(tree));
        },
        { loaded: [] },
      );
    const ptl = ({ table }: Tree): number => tablePtl(TINY, table);
    const pageLock = ({ pages }: Tree): number => Page.at(pages[0]!).lock;
    expect([allocates(pageLock), allocates(ptl, true), allocates(ptl)]).toEqual(['holds', 'holds', 'O16']);
  });

  test('who waits for a semaphore may sleep', () => {
    const taken = (take: 'downRead' | 'downWrite', begin?: 'localIrqDisable' | 'rcuReadLock'): string =>
      claims(function* (cpu, lock): Steps<void> {
        if (begin !== undefined) yield* cpu[begin]();
        yield* cpu[take](lock);
      });
    for (const take of ['downRead', 'downWrite'] as const)
      expect([taken(take), taken(take, 'localIrqDisable'), taken(take, 'rcuReadLock')]).toEqual([
        'holds',
        'O16',
        'O16',
      ]);
  });

  test('interrupts are off', () => {
    const off = (enable: boolean): string =>
      claims(function* (cpu): Steps<void> {
        yield* cpu.localIrqDisable();
        if (enable) yield* cpu.localIrqEnable();
        cpu.claim.irqsOff();
      });
    expect([off(false), off(true)]).toEqual(['holds', 'O16']);
  });
});

describe('O15, kernel addresses', () => {
  /** The tree becomes the kernel's own, its page is unmapped, and its address is handed out again. */
  const reused = (flush: (cpu: Cpu) => Steps<void>, then: (cpu: Cpu, tree: Tree) => Steps<void>) =>
    function* (cpu: Cpu, tree: Tree): Steps<void> {
      yield* cpu.writeOnce(Mm.at(cpu.kernel.initMm).pgd, tree.root);
      yield* cpu.xchg(tree.pte, 0);
      yield* flush(cpu);
      yield* then(cpu, tree);
    };
  const everywhere = function* (cpu: Cpu): Steps<void> {
    yield* flushAll(cpu);
    yield* flushOthers(cpu, 1);
  };
  const claim = function* (cpu: Cpu): Steps<void> {
    cpu.claim.reassigned(FIRST);
  };

  test('are used again only after every CPU has dropped them, whatever it runs', () => {
    for (const stage of [{ loaded: [] }, { loaded: [1] }, { loaded: [1], user: [] }]) {
      expect(alone(reused(everywhere, claim), stage)).toBe('holds');
      expect(alone(reused(flushAll, claim), stage)).toBe('O15');
      expect(
        alone(
          reused((cpu) => flushOthers(cpu, 1), claim),
          stage,
        ),
      ).toBe('O15');
    }
  });

  test('stay through context loads and invalidations of what is not global', () => {
    const load = (cpu: Cpu): Steps<void> => cpu.loadContext(0, 0, false);
    const notGlobal = (cpu: Cpu): Steps<void> =>
      cpu.invalidate({ asid: -1, leaves: FIRST, walks: FIRST, globals: false, broadcast: false });
    const global = (cpu: Cpu): Steps<void> =>
      cpu.invalidate({ asid: 0, leaves: FIRST, walks: FIRST, globals: true, broadcast: false });
    const elsewhere = (cpu: Cpu): Steps<void> =>
      cpu.invalidate({ asid: 0, leaves: { start: 4096, end: 8192 }, walks: FIRST, globals: true, broadcast: false });
    const onThis = (how: (cpu: Cpu) => Steps<void>) =>
      alone(
        reused(function* (cpu): Steps<void> {
          yield* flushOthers(cpu, 1);
          yield* how(cpu);
        }, claim),
        { loaded: [] },
      );
    expect([load, notGlobal, elsewhere, global].map(onThis)).toEqual(['O15', 'O15', 'O15', 'holds']);
  });

  test('a load of the kernel takes whatever may be cached, or faults', () => {
    const seen = (flush: (cpu: Cpu) => Steps<void>): string[] => {
      const machine = onTree(
        (tree) => [
          (cpu) =>
            reused(flush, function* (c, { pages }): Steps<void> {
              const value = yield* c.kernelRead(0);
              yield* c.writeOnce(pages[3]!, value === FAULT ? 1 : 2);
            })(cpu, tree),
        ],
        { loaded: [] },
      );
      const { ends } = search(machine, { collectEnds: true });
      const at = machine.env.pages[3]!;
      return [...ends!].map((end) => end.split(',')[at]!).toSorted();
    };
    expect(seen(flushAll)).toEqual(['1']);
    expect(seen((cpu) => cpu.smpMb())).toEqual(['1', '2']);
  });

  test('user accesses do not go through them, and a table of theirs that is freed is walked all the same', () => {
    const faults = onTree(
      (tree) => [
        function* (cpu): Steps<void> {
          yield* cpu.writeOnce(Mm.at(cpu.kernel.initMm).pgd, tree.root);
          const value = yield* cpu.userRead(0);
          cpu.claim.that(value === FAULT, 'O16', 'user code reads through the kernel');
        },
      ],
      { loaded: [] },
    );
    expect(verdict(faults)).toBe('holds');
    const freed = (flush: (cpu: Cpu) => Steps<void>) =>
      alone(
        function* (cpu, tree): Steps<void> {
          yield* cpu.writeOnce(Mm.at(cpu.kernel.initMm).pgd, tree.root);
          yield* cpu.xchg(tree.pmd, 0);
          yield* flush(cpu);
          yield* cpu.free('table', tree.table);
        },
        { loaded: [] },
      );
    expect([everywhere, flushAll].map(freed)).toEqual(['holds', 'O4']);
  });
});

test('an oracle that is off reports nothing', () => {
  const freed = function* (cpu: Cpu, tree: Tree): Steps<void> {
    yield* cpu.free('page', tree.pages[0]!);
  };
  expect(alone(freed)).toBe('O1');
  expect(alone(freed, { oraclesOff: ['O1'] })).toBe('holds');
});
