/** Where the architecture is asked: around a change of mm, at the end of an mm, on a miss, and when pages need no gather. */
import {
  type Address,
  type Cell,
  type Cpu,
  type Entry,
  type Mm,
  type MmuGather,
  type Profile,
  type Steps,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from '@mmu-gather/core/stepped';
import {
  allocFilePage,
  contextSwitch,
  execMmap,
  exitMm,
  kthreadUnuseMm,
  kthreadUseMm,
  mmAlloc,
  mmap,
  mmdrop,
  mmgrab,
  mmput,
  munmap,
  type PageCache,
  userLoad,
  userStore,
} from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { checkedPte } from './checked-pte.ts';
import { type FakeCpu, FakeMachine, NO_LEAKS, run } from './fake-machine.ts';
import type { Arch } from './recording-backend.ts';

const PAGE = 4096;
const RW = VM_READ | VM_WRITE;

/** A machine that writes down how its CPUs change their mm. */
function switching(): { m: FakeMachine; log: string[] } {
  const log: string[] = [];
  const note = (what: string, cpu: Cpu): void => {
    log.push(`${what}, interrupts ${(cpu as FakeCpu).irqsOff === 0 ? 'on' : 'off'}`);
  };
  const m = new FakeMachine({
    arch: (machine): Arch => ({
      *switchTo(cpu: Cpu): Steps<void> {
        note('switch_to', cpu);
      },
      *switchMm(cpu: Cpu, next: Mm): Steps<void> {
        (cpu as FakeCpu).root = machine.words[next.pgd]!;
        note('switch_mm', cpu);
      },
      *enterLazyTlb(cpu: Cpu): Steps<void> {
        note('lazy', cpu);
      },
      *finishArchPostLockSwitch(cpu: Cpu, mm: Mm): Steps<void> {
        expect((cpu as FakeCpu).root).toBe(machine.words[mm.pgd]);
        note('finish', cpu);
      },
      *destroyContext(cpu: Cpu): Steps<void> {
        note('destroy', cpu);
      },
    }),
  });
  return { m, log };
}

const SWITCHED = ['switch_to, interrupts off', 'switch_mm, interrupts off', 'finish, interrupts on'];

test(
  'a context switch: switch_to before the mm changes; what may wait after it, if the next task has an mm',
  run(function* (): Steps<void> {
    const { m, log } = switching();
    const a = yield* mmAlloc(m.cpu);
    const b = yield* mmAlloc(m.cpu);
    yield* contextSwitch(m.cpu, a);
    expect(log.splice(0)).toEqual(SWITCHED);
    yield* contextSwitch(m.cpu, null);
    expect(log.splice(0)).toEqual(['switch_to, interrupts off', 'lazy, interrupts off']);
    // The last reference to the borrowed mm goes after all of it.
    yield* mmput(m.cpu, a);
    expect(log).toEqual([]);
    yield* contextSwitch(m.cpu, b);
    expect(log.splice(0)).toEqual([...SWITCHED, 'destroy, interrupts on']);
  }),
);

test(
  'kthread_use_mm is no change of task and waits; exec does not, for its mm is new',
  run(function* (): Steps<void> {
    const { m, log } = switching();
    const mm = yield* mmAlloc(m.cpu);
    yield* kthreadUseMm(m.cpu, mm);
    expect(log.splice(0)).toEqual(['switch_mm, interrupts off', 'finish, interrupts on']);
    yield* kthreadUnuseMm(m.cpu, mm);
    expect(log.splice(0)).toEqual(['lazy, interrupts off']);
    yield* contextSwitch(m.cpu, mm);
    log.length = 0;
    yield* execMmap(m.cpu, yield* mmAlloc(m.cpu));
    expect(log).toEqual(['switch_mm, interrupts off', 'destroy, interrupts on']);
  }),
);

test(
  'arch_exit_mmap sees the mm as it was; destroy_context comes with the last reference, before the top-level table goes',
  run(function* (): Steps<void> {
    const log: string[] = [];
    const m = new FakeMachine({
      arch: (machine): Arch => ({
        *archExitMmap(_cpu: Cpu, mm: Mm): Steps<void> {
          const { words } = machine;
          expect([words[mm.mmUsers], words[mm.mmapLock], words[mm.tlbFlushPending]]).toEqual([0, 0, 0]);
          log.push(`exit ${machine.entry(mm, PAGE) !== 0}`);
        },
        *destroyContext(_cpu: Cpu, mm: Mm): Steps<void> {
          log.push(`destroy ${machine.words[mm.mmCount]} ${machine.live.table.has(machine.words[mm.pgd]!)}`);
        },
      }),
    });
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 4 * PAGE, RW);
    yield* userStore(m.cpu, mm, PAGE, 1);
    yield* mmgrab(m.cpu, mm);
    yield* mmput(m.cpu, mm);
    expect(log.splice(0)).toEqual(['exit true']);
    yield* mmdrop(m.cpu, mm);
    expect(log.splice(0)).toEqual(['destroy 0 true']);
    // Also where nothing is mapped.
    expect(yield* m.leaks(yield* m.newMm())).toEqual(NO_LEAKS);
    expect(log).toEqual(['exit false', 'destroy 0 true']);
  }),
);

test(
  'exit: lazy on the old mm, whose teardown asks first',
  run(function* (): Steps<void> {
    const { m, log } = switching();
    yield* contextSwitch(m.cpu, yield* mmAlloc(m.cpu));
    log.length = 0;
    yield* exitMm(m.cpu);
    expect(log).toEqual(['lazy, interrupts off']);
  }),
);

test(
  'a miss that software answers is no page fault; one that it does not answer is',
  run(function* (): Steps<void> {
    const asked: string[] = [];
    let found = 0;
    const m = new FakeMachine({
      arch: (machine): Arch => ({
        *tlbMiss(cpu: Cpu, mm: Mm, address: number, write: boolean): Steps<boolean> {
          expect((cpu as FakeCpu).user).toBe(false);
          asked.push(`${write ? 'store' : 'load'} ${address}`);
          if (found === 0) return false;
          yield* cpu.writeOnce(machine.leaf(machine.words[mm.pgd]!, address), found);
          return true;
        },
      }),
    });
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 4 * PAGE, RW);
    expect(yield* userStore(m.cpu, mm, PAGE + 8, 5)).toBe(0);
    expect(asked.splice(0)).toEqual([`store ${PAGE + 8}`]);
    // The hardware does not find the page, the software does.
    found = m.entry(mm, PAGE);
    for (const access of ['load', 'store'] as const) {
      m.words[m.leaf(m.words[mm.pgd]!, PAGE)] = 0;
      m.invalidate(m.words[mm.pgd]!, 0, 4 * PAGE);
      m.takeChanges();
      if (access === 'load') expect(yield* userLoad(m.cpu, mm, PAGE)).toBe(5);
      else expect(yield* userStore(m.cpu, mm, PAGE, 6)).toBe(0);
      expect(asked.splice(0)).toEqual([`${access} ${PAGE}`]);
      expect([m.entry(mm, PAGE), m.live.page.size, m.takeChanges()]).toEqual([found, 1, []]);
    }
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

/** Each clearing of an entry purges it everywhere, or only memory changes; and what was alive at each flush of a gather. */
function purging(gathersPages: boolean, profile: Partial<Profile> = {}): { m: FakeMachine; atFlush: number[] } {
  const atFlush: number[] = [];
  const arch = (machine: FakeMachine): Arch => {
    const pte = checkedPte(machine);
    return {
      gathersPages,
      pte: {
        ...pte,
        *ptepGetAndClear(cpu: Cpu, mm: Mm, address: number, cell: Cell, level: number): Steps<Entry> {
          const old = yield* pte.ptepGetAndClear(cpu, mm, address, cell, level);
          machine.invalidate(machine.words[mm.pgd]!, address, address + PAGE);
          return old;
        },
      },
      *tlbFlush(_cpu: Cpu, tlb: MmuGather): Steps<void> {
        machine.invalidate(machine.words[tlb.mm.pgd]!, 0, Number.MAX_SAFE_INTEGER);
        atFlush.push(machine.live.page.size);
      },
    };
  };
  return { m: new FakeMachine({ arch, profile }), atFlush };
}

test(
  'where each change purges, pages are freed before the flush of the gather, and no gather is ever full',
  run(function* (): Steps<void> {
    for (const gathers of [true, false]) {
      const gatherBatch = { bundle: 2, batch: 2, batches: 0, spare: 1 };
      const { m, atFlush } = purging(gathers, { gatherBatch });
      const mm = yield* m.newMm();
      yield* mmap(m.cpu, mm, 0, 4 * PAGE, RW);
      for (let i = 0; i < 3; i++) yield* userStore(m.cpu, mm, i * PAGE, i);
      yield* munmap(m.cpu, mm, 0, 3 * PAGE);
      // A gather with room for one page flushes for each.
      expect(atFlush).toEqual(gathers ? [3, 2, 1] : [0]);
      expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
    }
  }),
);

test(
  'a page that the gather does not keep has lost its rmap before, and its dirty entry needs no flush under the PTL',
  run(function* (): Steps<void> {
    for (const gathers of [true, false]) {
      const { m, atFlush } = purging(gathers);
      const page = yield* allocFilePage(m.cpu, 1, 7);
      const files: PageCache = {
        faultAround: 1,
        *fault(): Steps<Address> {
          return page;
        },
        *cached(): Steps<Address> {
          return page;
        },
      };
      const mm = yield* m.newMm();
      yield* mmap(m.cpu, mm, 0, 2 * PAGE, RW | VM_SHARED, { file: 1, pgoff: 0 });
      yield* userStore(m.cpu, mm, 0, 8, files);
      yield* userStore(m.cpu, mm, PAGE, 9, files);
      const { mapcount, refcount } = m.pageAt(mm, 0);
      const seen: number[][] = [];
      m.before = (cell) => {
        if (cell === refcount) seen.push([m.words[mapcount]!, atFlush.length]);
      };
      yield* munmap(m.cpu, mm, 0, PAGE);
      m.before = undefined;
      // Delayed: flushed, then the rmap goes, then the reference.
      expect(seen).toEqual([[1, gathers ? 1 : 0]]);
      expect(m.words[refcount]).toBe(2);
      yield* mmput(m.cpu, mm);
    }
  }),
);
