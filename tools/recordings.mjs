// The recordings in the shared folder beside the checkout, each with what is known of its machine: from machine-facts.json alone.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Where they are: beside the checkout, or where the environment says. */
export const SHARED = process.env.MMU_GATHER_RECORDINGS ?? join(root, '..', 'shared', 'traces');

/** `[always] madvise never`, or the chosen word alone. */
const chosen = (text) => /\[(\w+)\]/.exec(text)?.[1] ?? text;

/** Keys without a value are left out: what is not known is assumed, and said. */
const known = (facts) => Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));

/** What a replay is told of a machine. */
function factsOf({ arch, kernel, cpus, features, thp, tlb_single_page_flush_ceiling: ceiling, config, emulator }) {
  const backends = {
    'x86-64': 'x86',
    arm64: 'arm64',
    'ppc64le radix': 'powerpc-radix',
    'ppc64le hash': 'powerpc-hash',
  };
  const x86 = arch === 'x86-64';
  return known({
    backend: backends[arch],
    kernel,
    cpus,
    pcid: features?.pcid,
    ceiling: ceiling?.value ?? ceiling ?? undefined,
    hz: Number(config.HZ),
    foldedLevels: x86 ? config.PGTABLE_LEVELS === '5' : undefined,
    hugePages: thp ? chosen(thp.enabled ?? thp) : undefined,
    // Guests run from their initial RAM disk.
    disk: emulator === undefined,
  });
}

/** Machines, and the folders of their recordings. */
export function machines() {
  if (!existsSync(SHARED)) return [];
  return JSON.parse(readFileSync(join(SHARED, 'machine-facts.json'), 'utf8')).map((machine) => {
    const folders = machine.name === 'x86-6.18-host' ? ['micro', 'real'] : ['.'];
    const recordings = folders.flatMap((folder) =>
      readdirSync(join(SHARED, machine.name, folder))
        .filter((name) => name.endsWith('.trace.txt.gz'))
        .sort()
        .map((name) => ({ id: name.replace('.trace.txt.gz', ''), file: join(SHARED, machine.name, folder, name) })),
    );
    return { name: machine.name, facts: factsOf(machine), recordings };
  });
}
