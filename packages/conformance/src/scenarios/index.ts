/**
 * The suite.
 */
import type { AnyScenario } from '../scenario.ts';
import { AGGRESSIVE_SCENARIOS } from './aggressive.ts';
import { ARM64_ASID_INVARIANTS } from './arm64-asid-invariants.ts';
import { ARM64_ASIDS } from './arm64-asid.ts';
import { ARM64_ASID_SPACE } from './arm64-asid-space.ts';
import { ARM64_CONTPTE } from './arm64-contpte.ts';
import { ARM64_FLUSHES } from './arm64-flush.ts';
import { ARM64_ERRATA } from './arm64-errata.ts';
import { ARM64_LOCAL } from './arm64-local.ts';
import { ARM64_OPERATIONS } from './arm64-operations.ts';
import { ARM64_RECLAIM } from './arm64-reclaim.ts';
import { ARM64_VMIDS } from './arm64-vmid.ts';
import { BROADCASTS } from './broadcast.ts';
import { BUGS } from './bugs.ts';
import { BUGS_OF_DEFERRALS } from './bugs-deferred.ts';
import { BUGS_OF_DEVICES } from './bugs-devices.ts';
import { BUGS_OF_GUESTS } from './bugs-guests.ts';
import { BUGS_OF_SWITCHES } from './bugs-switch.ts';
import { BUGS_OF_TAGS } from './bugs-tags.ts';
import { BUGS_OF_WALKERS } from './bugs-walkers.ts';
import { CLEAR_FLUSH } from './clear-flush.ts';
import { CLEAR_REFS } from './clear-refs.ts';
import { CONTEXTS } from './contexts.ts';
import { CONTROLS } from './controls.ts';
import { COLLAPSE } from './collapse.ts';
import { GUP_FAST } from './gup-fast.ts';
import { HARDWARE_DIRTY } from './hardware-dirty.ts';
import { HUGE } from './huge.ts';
import { DEFAULT_FLUSHES } from './default-flush.ts';
import { HUGE_BESIDE } from './huge-beside.ts';
import { DIRTY_HELPERS } from './dirty-helpers.ts';
import { ECONOMY } from './economy.ts';
import { ARCH_ECONOMY } from './economy-archs.ts';
import { FORK } from './fork.ts';
import { KSM } from './ksm.ts';
import { KTHREAD } from './kthread.ts';
import { FULLMM } from './fullmm.ts';
import { GENERATION_SCENARIOS } from './generations.ts';
import { LAZY_MMU } from './lazy-mmu.ts';
import { LIFECYCLE } from './lifecycle.ts';
import { MERGES } from './merge.ts';
import { MIGRATION } from './migration.ts';
import { MOVES } from './moves.ts';
import { MASKS } from './masks.ts';
import { MMAP_LOCKS } from './mmap-lock.ts';
import { MUNMAP } from './munmap.ts';
import { PAGE_WORDS } from './page-words.ts';
import { PFNMAP } from './pfnmap.ts';
import { RADIX_FLUSHES } from './powerpc-radix-flush.ts';
import { RADIX_HUGE } from './powerpc-radix-huge.ts';
import { RADIX_COPROS } from './powerpc-radix-copro.ts';
import { RADIX_FORMS } from './powerpc-radix-forms.ts';
import { RADIX_PIDS } from './powerpc-radix-pids.ts';
import { RADIX_TRIMMING } from './powerpc-radix-trim.ts';
import { RECLAIM } from './reclaim.ts';
import { RFC_SCENARIOS } from './rfc.ts';
import { RING_SLOTS } from './ring-slots.ts';
import { REPLACED_ENTRIES } from './replaced-entry.ts';
import { RIGHTS } from './rights.ts';
import { RISCV_FLUSHES } from './riscv-flush.ts';
import { RISCV_SCENARIOS } from './riscv.ts';
import { TABLE_BUGS } from './table-bugs.ts';
import { TABLES } from './tables.ts';
import { TABLES_GONE } from './tables-gone.ts';
import { NESTED_COUNTERS } from './nested-counters.ts';
import { POWERPC_HASH_SCENARIOS } from './powerpc-hash.ts';
import { PURPOSES } from './purposes.ts';
import { PURPOSES_OF_FILES } from './purposes-files.ts';
import { PURPOSES_OF_HOLES } from './purposes-holes.ts';
import { PURPOSES_OF_HUGE_PAGES } from './purposes-huge.ts';
import { PURPOSES_OF_PAGES } from './purposes-pages.ts';
import { PURPOSES_OF_RIGHTS } from './purposes-rights.ts';
import { PURPOSES_OF_SPACES } from './purposes-space.ts';
import { QUEUE_SCENARIOS } from './queue.ts';
import { QUEUE_RECORDS } from './queue-records.ts';
import { RING_SCENARIOS } from './ring.ts';
import { S390_SCENARIOS } from './s390.ts';
import { SPARC64_CONTEXTS } from './sparc64-contexts.ts';
import { SPARC64_FLUSHES } from './sparc64-flush.ts';
import { SPARC64_LAZY } from './sparc64-lazy.ts';
import { SPARC64_TSB } from './sparc64-tsb.ts';
import { SPARC64_WITHOUT } from './sparc64-without.ts';
import { STORM } from './storm.ts';
import { SETTLING } from './settling.ts';
import { SYNC_FINISH } from './sync-finish.ts';
import { SYNC_WAITING } from './sync-waiting.ts';
import { TRACES } from './traces.ts';
import { TWO_FAULTS } from './two-faults.ts';
import { UPGRADES } from './upgrades.ts';
import { VMAP } from './vmap.ts';
import { VMA_LOCKS } from './vma-lock.ts';
import { WRITEBACK } from './writeback.ts';
import { X86_ASIDS } from './x86-asids.ts';
import { X86_COMES_UP } from './x86-comes-up.ts';
import { X86_CONTEXTS } from './x86-contexts.ts';
import { X86_CPUS } from './x86-cpus.ts';
import { X86_GLOBAL_ASIDS } from './x86-global-asids.ts';
import { X86_GLOBAL_FLUSHES } from './x86-global-flushes.ts';
import { X86_IDLE } from './x86-idle.ts';
import { X86_TRIM } from './x86-trim.ts';

/** Not searched: what is counted. */
export const ECONOMY_SCENARIOS: readonly AnyScenario[] = [...ECONOMY, ...ARCH_ECONOMY];

export {
  type Hardware,
  type HardwareOptions,
  instruction,
  type Operands,
  setHardware,
  WRITTEN,
} from './hardware-stage.ts';
export {
  type Mapping,
  mappingOf,
  putUnmapped,
  PAGE,
  RW_MEMORY,
  setStage,
  type Stage,
  type StageOptions,
  syscall,
  toUser,
} from './stage.ts';

/** All scenarios of this repository, in the order of tables. */
export const SCENARIOS: readonly AnyScenario[] = [
  ...TRACES,
  ...GENERATION_SCENARIOS,
  ...MERGES,
  ...RFC_SCENARIOS,
  ...DEFAULT_FLUSHES,
  ...BUGS,
  ...BUGS_OF_DEFERRALS,
  ...BUGS_OF_TAGS,
  ...BUGS_OF_SWITCHES,
  ...BUGS_OF_WALKERS,
  ...BUGS_OF_GUESTS,
  ...BUGS_OF_DEVICES,
  ...CONTROLS,
  ...TABLE_BUGS,
  ...MUNMAP,
  ...MASKS,
  ...RIGHTS,
  ...REPLACED_ENTRIES,
  ...LIFECYCLE,
  ...CONTEXTS,
  ...LAZY_MMU,
  ...KTHREAD,
  ...RECLAIM,
  ...KSM,
  ...MIGRATION,
  ...CLEAR_REFS,
  ...WRITEBACK,
  ...DIRTY_HELPERS,
  ...HARDWARE_DIRTY,
  ...FORK,
  ...VMA_LOCKS,
  ...CLEAR_FLUSH,
  ...UPGRADES,
  ...MOVES,
  ...PFNMAP,
  ...VMAP,
  ...PURPOSES,
  ...PURPOSES_OF_FILES,
  ...PURPOSES_OF_HOLES,
  ...PURPOSES_OF_HUGE_PAGES,
  ...PURPOSES_OF_PAGES,
  ...PURPOSES_OF_RIGHTS,
  ...PURPOSES_OF_SPACES,
  ...MMAP_LOCKS,
  ...TWO_FAULTS,
  ...PAGE_WORDS,
  ...STORM,
  ...TABLES,
  ...TABLES_GONE,
  ...GUP_FAST,
  ...BROADCASTS,
  ...ARM64_FLUSHES,
  ...ARM64_ASID_INVARIANTS,
  ...ARM64_ASIDS,
  ...ARM64_ASID_SPACE,
  ...ARM64_OPERATIONS,
  ...ARM64_ERRATA,
  ...ARM64_LOCAL,
  ...ARM64_RECLAIM,
  ...ARM64_CONTPTE,
  ...ARM64_VMIDS,
  ...RADIX_FLUSHES,
  ...RADIX_FORMS,
  ...RADIX_HUGE,
  ...RADIX_TRIMMING,
  ...RADIX_COPROS,
  ...RADIX_PIDS,
  ...HUGE,
  ...HUGE_BESIDE,
  ...COLLAPSE,
  ...FULLMM,
  ...NESTED_COUNTERS,
  ...QUEUE_SCENARIOS,
  ...QUEUE_RECORDS,
  ...RING_SCENARIOS,
  ...RING_SLOTS,
  ...AGGRESSIVE_SCENARIOS,
  ...SYNC_FINISH,
  ...SYNC_WAITING,
  ...SETTLING,
  ...RISCV_SCENARIOS,
  ...RISCV_FLUSHES,
  ...X86_ASIDS,
  ...X86_GLOBAL_ASIDS,
  ...X86_GLOBAL_FLUSHES,
  ...X86_CPUS,
  ...X86_COMES_UP,
  ...X86_CONTEXTS,
  ...X86_IDLE,
  ...X86_TRIM,
  ...S390_SCENARIOS,
  ...SPARC64_TSB,
  ...SPARC64_CONTEXTS,
  ...SPARC64_FLUSHES,
  ...SPARC64_LAZY,
  ...SPARC64_WITHOUT,
  ...POWERPC_HASH_SCENARIOS,
];
