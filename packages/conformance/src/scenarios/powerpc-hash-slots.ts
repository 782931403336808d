/**
 * powerpc's hash MMU: what stands in a slot of the hash page table, or in a Linux PTE, changes while somebody looks at it, or is about to change it.
 */
import { type Cpu, entryTarget, type Mm, pteMkwrite, pteWrite, type Steps } from '@mmu-gather/core/stepped';
import { userLoad } from '@mmu-gather/mm/stepped';
import { contextId, type Hash, hpteCells, hpteR, hpteV, type Htab, hptVpn } from '@mmu-gather/powerpc/stepped';
import type { Run } from '@mmu-gather/checker';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { hash, HASH_ONLY, hashStable, type Unhashed, unhashed, wrongHash } from './powerpc-hash-stage.ts';
import { type Mapping, mappingOf, PAGE, putUnmapped, setStage, type Stage } from './stage.ts';

/** A table with one slot. */
const ONE_SLOT = { groups: 1, slots: 1 };

/** Frames of the entries that hardware would find for a page. */
function framesOf(htab: Htab, peek: (cell: number) => number, mm: Mm, address: number): readonly number[] {
  return htab.lookup(peek, peek(contextId(mm)), address, 0).map(entryTarget);
}

/** An insertion that throws out what it finds, whoever is at it. */
function* insertOver(cpu: Cpu, { mm, pages }: Unhashed, i: number): Steps<void> {
  const { htab } = cpu.kernel.backend as Hash;
  const vpn = hptVpn(htab, cpu.read(contextId(mm)), i * PAGE);
  const cell = hpteCells(htab, vpn)[0]!;
  yield* cpu.writeOnce(cell, 0);
  yield* cpu.writeOnce(hpteR(cell), yield* cpu.readOnce(pages[i]!.pte));
  yield* cpu.writeOnce(cell, hpteV(vpn));
}

const evictTogether = defineScenario<Unhashed & { readonly htab: Htab }>({
  id: 'powerpc-hash/evict-together',
  title:
    'two CPUs hash different pages where there is one slot: each throws the other one out, but not amid its insertion',
  source: 'hash_native.c native_hpte_remove: "if ((hpte_v & HPTE_V_VALID) && !(hpte_v & HPTE_V_BOLTED))"',
  cpus: 2,
  only: HASH_ONLY,
  backend: hash(ONE_SLOT),
  setup: (run, kernel) => ({ ...unhashed(run), htab: (kernel.backend as Hash).htab }),
  threads: ({ mm }) => [0, PAGE].map((at) => thread((cpu) => hashStable(cpu, mm, at))),
  final(peek, { mm, pages, htab }) {
    const found = pages.map(({ page }, i) => framesOf(htab, peek, mm, i * PAGE).map((frame) => frame === page));
    return found.flat().join() === 'true' ? undefined : `what stands in the slot is ${JSON.stringify(found)}`;
  },
  twins: [
    {
      id: 'powerpc-hash/evict-together/unlocked',
      why: 'both throw out what they find, and write: the slot names one page and has the frame of the other',
      oracle: ['assert', 'O1', 'O6'],
      property: 'ALIAS',
      threads: (env) => [0, 1].map((i) => thread((cpu) => insertOver(cpu, env, i))),
    },
  ],
});

/** Page 0 stands in the only slot, and CPU 1 has used it; page 1 is mapped, too, and was thrown out. */
interface Hashed extends Stage {
  readonly p0: Mapping;
  readonly p1: Mapping;
  readonly htab: Htab;
}

function inOneSlot(run: Run, htab: Htab): Hashed {
  const stage = setStage(run, { inKernel: [1] });
  run(1, (cpu) => userLoad(cpu, stage.mm, 0));
  return { ...stage, p0: mappingOf(run, stage.mm, 0), p1: mappingOf(run, stage.mm, PAGE), htab };
}

/** An entry is cleared, which takes the page out of the table, and the page given up. */
function* clearAndFree(cpu: Cpu, mm: Mm, { pte, ptl, page }: Mapping): Steps<void> {
  yield* cpu.spinLock(ptl);
  yield* cpu.kernel.backend.pte.ptepGetAndClear(cpu, mm, 0, pte, 0);
  yield* cpu.spinUnlock(ptl);
  yield* putUnmapped(cpu, page);
}

/** A page leaves the table while another CPU throws it out, to put its own there. */
function evictedMeanwhile(platform: 'native' | 'lpar', title: string): AnyScenario {
  const id = `powerpc-hash/evicted-meanwhile-${platform}`;
  return defineScenario<Hashed>({
    id,
    title: `a page is unmapped while another CPU throws it out of its slot for a page of its own: ${title}`,
    source:
      'hash_native.c native_flush_hash_range, native_hpte_remove; pseries/lpar.c pSeries_lpar_hpte_invalidate (H_NOT_FOUND)',
    cpus: 2,
    only: HASH_ONLY,
    backend: hash({ ...ONE_SLOT, platform }),
    setup: (run, kernel) => inOneSlot(run, (kernel.backend as Hash).htab),
    threads: ({ mm, p0 }) => [
      thread((cpu) => clearAndFree(cpu, mm, p0)),
      thread(function* (cpu) {
        yield* hashStable(cpu, mm, PAGE);
        yield* cpu.enterUser();
      }),
    ],
    final(peek, { mm, p1, htab }) {
      const found = framesOf(htab, peek, mm, PAGE);
      return found.join() === `${p1.page}` ? undefined : 'what was put into the slot does not stand there';
    },
    twins: [
      platform === 'native'
        ? wrongHash(`${id}/untold`, 'what was thrown out is not flushed', { tlbieOnMiss: false }, ['O1', 'O9'], 'FUAF')
        : {
            ...wrongHash<Hashed>(
              `${id}/untold`,
              'the hypervisor is not told',
              { hpteFlush: false },
              ['O1', 'O9'],
              'FUAF',
            ),
            threads: ({ mm, p0 }) => [thread((cpu) => clearAndFree(cpu, mm, p0)), thread((cpu) => cpu.enterUser())],
          },
    ],
  });
}

/** ptep_set_access_flags that tries once. */
function* upgradeOnce(cpu: Cpu, { pte }: Mapping): Steps<void> {
  const old = yield* cpu.readOnce(pte);
  yield* cpu.cmpxchg(pte, old, pteMkwrite(old));
}

const upgrade = defineScenario<Unhashed>({
  id: 'powerpc-hash/upgrade-meanwhile',
  title:
    'a page becomes writable while another CPU hashes it, and so changes its entry: the upgrade is tried until it is there',
  source: 'asm/book3s/64/hash.h, hash_pgtable.c hash__ptep_set_access_flags: the loop of ldarx and stdcx.',
  cpus: 2,
  only: HASH_ONLY,
  setup: unhashed,
  threads: ({ mm, pages }) => [
    thread(function* (cpu) {
      const { pte, ptl } = pages[0]!;
      yield* cpu.spinLock(ptl);
      const old = yield* cpu.readOnce(pte);
      yield* cpu.kernel.backend.pte.ptepSetAccessFlags(cpu, mm, 0, pte, old, pteMkwrite(old), 0);
      yield* cpu.spinUnlock(ptl);
    }),
    thread((cpu) => hashStable(cpu, mm, 0)),
  ],
  final: (peek, { pages }) => (pteWrite(peek(pages[0]!.pte)) ? undefined : 'the upgrade is lost'),
  twins: [
    {
      id: 'powerpc-hash/upgrade-meanwhile/once',
      why: 'it is tried once: where the entry has changed meanwhile, it is lost, and who stores faults again',
      oracle: 'assert',
      property: 'LIVE',
      threads: ({ mm, pages }) => [
        thread((cpu) => upgradeOnce(cpu, pages[0]!)),
        thread((cpu) => hashStable(cpu, mm, 0)),
      ],
    },
  ],
});

/** All of them. */
export const POWERPC_HASH_SLOTS: readonly AnyScenario[] = [
  evictTogether,
  evictedMeanwhile('native', 'whoever locks it first takes it out'),
  evictedMeanwhile('lpar', 'the hypervisor does not find it'),
  upgrade,
];
