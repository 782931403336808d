/**
 * powerpc's hash MMU: faults insert pages into the hash page table while others look at them, or change them.
 */
import { type Cpu, entrySet, entryTarget, RW, type Steps, VM_READ } from '@mmu-gather/core/stepped';
import { madviseDontneed, mprotect, userLoad, userStore } from '@mmu-gather/mm/stepped';
import {
  contextId,
  type Hash,
  hpteCells,
  hpteEncodeR,
  hpteR,
  hpteV,
  hptVpn,
  type Htab,
} from '@mmu-gather/powerpc/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { PAGE, putUnmapped, RW_MEMORY, setStage, type Stage, syscall } from './stage.ts';
import { hash, HASH_ONLY, hashStable, type Unhashed, unhashed, wrongHash } from './powerpc-hash-stage.ts';

const busy = defineScenario<Stage>({
  id: 'powerpc-hash/busy',
  title: 'a hash fault inserts a page that is unmapped at the same time',
  source: 'hash_4k.c; asm/book3s/64/hash.h hash__pte_update',
  cpus: 2,
  only: HASH_ONLY,
  setup(run) {
    const stage = setStage(run, { touched: [0], inKernel: [1] });
    // The entry changes, and is not hashed any more.
    run(0, (cpu) => mprotect(cpu, stage.mm, 0, PAGE, VM_READ));
    return stage;
  },
  threads: ({ mm }) => [
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 0, PAGE))),
    thread((cpu) => userLoad(cpu, mm, 0)),
  ],
  twins: [
    wrongHash(
      'powerpc-hash/busy/ignored',
      'the change does not wait for the fault, which inserts what was unmapped and brings its entry back',
      { busy: 'ignored' },
      ['O1', 'O5', 'O9', 'O10', 'O16'],
    ),
  ],
});

const insertOrder = defineScenario<Stage>({
  id: 'powerpc-hash/insert-order',
  title: 'a page is hashed where another one was, while a thread runs',
  source: 'hash_native.c native_hpte_insert: r; eieio; v',
  cpus: 2,
  only: HASH_ONLY,
  setup(run) {
    const stage = setStage(run, { touched: [0] });
    run(0, (cpu) => madviseDontneed(cpu, stage.mm, 0, PAGE));
    return stage;
  },
  threads: ({ mm }) => [thread((cpu) => userStore(cpu, mm, 0, 7))],
  twins: [
    wrongHash(
      'powerpc-hash/insert-order/v-first',
      'the entry is valid before it says which page: who looks finds the one that was there before',
      { insertOrder: 'v-first' },
      ['O1', 'O6'],
    ),
  ],
});

const rights = defineScenario<Stage>({
  id: 'powerpc-hash/rights',
  title: 'a store to a page that is hashed read-only beside mprotect of it: its rights change where it is hashed',
  source: 'hash_native.c native_hpte_updatepp',
  cpus: 2,
  only: HASH_ONLY,
  profile: { mprotectWritable: true },
  setup(run) {
    const stage = setStage(run, { touched: [0] });
    run(0, (cpu) => mprotect(cpu, stage.mm, 0, PAGE, VM_READ));
    run(0, (cpu) => userLoad(cpu, stage.mm, 0));
    run(0, (cpu) => mprotect(cpu, stage.mm, 0, PAGE, RW_MEMORY));
    return stage;
  },
  threads: ({ mm }) => [
    thread((cpu) => syscall(cpu, () => mprotect(cpu, mm, 0, PAGE, VM_READ))),
    thread((cpu) => userStore(cpu, mm, 0, 7)),
  ],
  twins: [
    wrongHash(
      'powerpc-hash/rights/busy-ignored',
      'the change does not wait for the fault, which brings the right to write back',
      { busy: 'ignored' },
      ['O2', 'O9', 'O10', 'O12', 'O16'],
    ),
  ],
});

/** An insertion that takes whatever it finds free. */
function* insertUnlocked(cpu: Cpu, { mm, pages }: Unhashed, i: number): Steps<void> {
  const { htab } = cpu.kernel.backend as Hash;
  const vpn = hptVpn(htab, cpu.read(contextId(mm)), i * PAGE);
  for (const cell of hpteCells(htab, vpn)) {
    if ((yield* cpu.readOnce(cell)) !== 0) continue;
    yield* cpu.writeOnce(hpteR(cell), hpteEncodeR(yield* cpu.readOnce(pages[i]!.pte)));
    yield* cpu.writeOnce(cell, hpteV(vpn));
    return;
  }
}

const oneGroup = defineScenario<Unhashed & { readonly htab: Htab }>({
  id: 'powerpc-hash/one-group',
  title: 'two CPUs hash different pages into one group at once: each takes an entry of its own',
  source: 'hash_native.c native_hpte_insert, native_lock_hpte',
  cpus: 2,
  only: HASH_ONLY,
  backend: hash({ groups: 1, slots: 4 }),
  setup: (run, kernel) => ({ ...unhashed(run), htab: (kernel.backend as Hash).htab }),
  threads: ({ mm }) => [0, PAGE].map((at) => thread((cpu) => hashStable(cpu, mm, at))),
  final(peek, { mm, pages, htab }) {
    const found = pages.map((_, i) => htab.lookup(peek, peek(contextId(mm)), i * PAGE, 0).map(entryTarget));
    const lost = pages.findIndex(({ page }, i) => found[i]!.length !== 1 || found[i]![0] !== page);
    return lost < 0 ? undefined : `page ${lost} was hashed, and does not stand in the hash page table`;
  },
  twins: [
    {
      id: 'powerpc-hash/one-group/unlocked',
      why: 'both find the same entry free',
      oracle: ['assert', 'O1', 'O6'],
      property: 'ALIAS',
      threads: (env) => [0, 1].map((i) => thread((cpu) => insertUnlocked(cpu, env, i))),
    },
  ],
});

/** Beside two changes of one entry. */
export const onePte: AnyScenario = defineScenario<Unhashed>({
  id: 'powerpc-hash/one-pte',
  title: 'a page becomes writable and is then taken away while another CPU hashes it',
  source: 'asm/book3s/64/hash.h hash__pte_update, hash_pgtable.c hash__ptep_set_access_flags; hash_4k.c',
  cpus: 2,
  only: HASH_ONLY,
  setup: unhashed,
  threads: ({ mm, pages }) => [
    thread(function* (cpu) {
      const { pte, page } = pages[0]!;
      const ops = cpu.kernel.backend.pte;
      const old = yield* cpu.readOnce(pte);
      yield* ops.ptepSetAccessFlags(cpu, mm, 0, pte, old, entrySet(old, RW), 0);
      yield* ops.ptepGetAndClear(cpu, mm, 0, pte, 0);
      yield* putUnmapped(cpu, page);
    }),
    thread(function* (cpu) {
      yield* cpu.kernel.backend.tlbMiss!(cpu, mm, 0, false);
      yield* cpu.enterUser();
    }),
  ],
  twins: [
    wrongHash(
      'powerpc-hash/one-pte/busy-ignored',
      'the change does not wait for the fault, which inserts what is gone',
      { busy: 'ignored' },
      ['O1', 'O9'],
      'FUAF',
    ),
  ],
});

/** All but {@link onePte}, which has another place in tables. */
export const POWERPC_HASH_FAULTS: readonly AnyScenario[] = [busy, insertOrder, rights, oneGroup];
