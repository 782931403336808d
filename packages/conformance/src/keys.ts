/**
 * Keys: which cells of the matrix a mend, or a break, is about. An id, in which `*` stands for anything, and conditions:
 *
 *     T8/naive                          everywhere
 *     id@linux-5.11,linux-6.1           in one of these kernels
 *     id@weak                           under this memory model
 *     id@x86,riscv                      on one of these architectures
 *     id@mergeVmas=false                where a named switch of the profile has this value
 *
 * Conditions of one kind are alternatives, those of different kinds must all hold; each switch is a kind of its own.
 */
import type { MemoryModel, Switches } from '@mmu-gather/core/stepped';
import { matches } from './pattern.ts';
import { KERNELS } from './profiles/spec.ts';

/** Memory models, each weaker than the one before. */
export const MEMORY_MODELS: readonly MemoryModel[] = ['sc', 'tso', 'weak'];

/** Where a cell is. Conditions of a kind that is not given do not hold. */
export interface Whereabouts {
  /** Id of the architecture. */
  readonly arch?: string;
  /** Kernel version. */
  readonly kernel?: string;
  /** Memory model. */
  readonly model?: MemoryModel;
  /** Switches of its profile. */
  readonly switches?: Switches;
}

/** A key, taken apart. */
export interface Key {
  /** Ids that it is about. */
  readonly pattern: string;
  /** Its conditions. */
  readonly conditions: readonly string[];
}

/** Takes a key apart. */
export function parseKey(key: string): Key {
  const [pattern = '', names = ''] = key.split('@');
  return { pattern, conditions: names.split(',').filter((name) => name !== '') };
}

/** The kind of a condition: `kernel`, `model`, the switch's name with a `=`; anything else is an architecture. */
function kindOf(condition: string): string {
  if (condition.includes('=')) return condition.slice(0, condition.indexOf('=') + 1);
  if (condition in KERNELS) return 'kernel';
  return MEMORY_MODELS.some((model) => model === condition) ? 'model' : 'arch';
}

function holds(condition: string, { arch, kernel, model, switches }: Whereabouts): boolean {
  const [name, value] = condition.split('=');
  if (value !== undefined) {
    const now = switches?.[name as keyof Switches];
    return (typeof now === 'string' || typeof now === 'boolean') && String(now) === value;
  }
  return [arch, kernel, model].includes(condition);
}

/** Is a key about what has this id, there? */
export function speaksOf(key: string, id: string, where: Whereabouts): boolean {
  const { pattern, conditions } = parseKey(key);
  if (!matches(pattern, id)) return false;
  const kinds = new Set(conditions.map(kindOf));
  return [...kinds].every((kind) => conditions.some((each) => kindOf(each) === kind && holds(each, where)));
}

/** Architectures that keys name. A name that is none of these, nor a kernel or a memory model, is a mistake. */
export function architecturesOf(key: string): string[] {
  return parseKey(key).conditions.filter((condition) => kindOf(condition) === 'arch');
}

/** Switches that a key names. */
export function switchesOf(key: string): string[] {
  return parseKey(key).conditions.flatMap((condition) => condition.match(/^(.*)=/)?.[1] ?? []);
}
