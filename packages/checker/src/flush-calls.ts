/**
 * Flush calls: lets the functions of a backend that may flush tell when they begin and end, for measure.ts.
 *
 *     flushes     flush_tlb_*, tlb_flush, arch_tlbbatch_flush: a call is a flush, whatever it finds to do
 *     changes     where an entry changes (PteOps), a lazy MMU section ends, a miss is answered, a task is switched: it is one if it did some
 *                 work. IPTE, tlbie of a hashed page, a batch that is drained
 */
import { type Backend, type Cpu, GENERIC_PTE, type Steps } from '@mmu-gather/core/stepped';

/** Functions of a backend that are flushes, by name. */
const FLUSH = /^(flushTlb|tlbFlush|tlbbatchFlush)/;
/** Others that may do one. */
const MAY_FLUSH: readonly string[] = ['switchTo', 'finishArchPostLockSwitch', 'tlbMiss'];
/** Those of lazy MMU mode. */
const LAZY_MMU: readonly string[] = ['enter', 'leave', 'flush'];

/** Is a call one of a flush function, and not of one that may flush? */
export function isFlushCall(call: string): boolean {
  return FLUSH.test(call);
}

/** Told when a function begins and ends, on the CPU that called it. */
export type Tell = (call: string, cpu: number, begins: boolean) => void;

/** A function of a backend: in the stepped build, as its steps. */
export type Call = (cpu: Cpu, ...args: unknown[]) => Steps<unknown>;

/** Makes a function that tells out of one that does not. */
export type Bracket = (name: string, call: Call, self: object, tell: Tell) => Call;

/**
 * Lets the functions of a linked backend tell. They take the same steps as before.
 * @param bracket how; another one is needed for the direct build, whose functions return results instead of steps
 * @param generic the generic changes of the same build
 * @returns what puts them back
 */
export function bracketFlushes(
  backend: Backend,
  tell: Tell,
  bracket: Bracket = bracketed,
  generic: object = GENERIC_PTE,
): () => void {
  const functions = backend as unknown as Record<string, unknown>;
  const before = new Map<string, PropertyDescriptor | undefined>();
  const put = (name: string, value: unknown): void => {
    before.set(name, Object.getOwnPropertyDescriptor(backend, name));
    Object.defineProperty(backend, name, { value, configurable: true, enumerable: true, writable: true });
  };
  for (const name of namesOf(backend)) {
    if (isCall(functions[name]) && (FLUSH.test(name) || MAY_FLUSH.includes(name)))
      put(name, bracket(name, functions[name], backend, tell));
  }
  // Backends of many machines share these: copies tell. Generic changes are memory's alone, and told by their identity.
  if (backend.pte !== generic) put('pte', bracketedAll('pte', backend.pte, Object.keys(backend.pte), tell, bracket));
  if (backend.lazyMmu !== null) put('lazyMmu', bracketedAll('lazyMmu', backend.lazyMmu, LAZY_MMU, tell, bracket));
  return () => {
    for (const [name, descriptor] of before) {
      if (descriptor === undefined) delete functions[name];
      else Object.defineProperty(backend, name, descriptor);
    }
  };
}

function isCall(value: unknown): value is Call {
  return typeof value === 'function';
}

/** For the stepped build. */
function bracketed(name: string, call: Call, self: object, tell: Tell): Call {
  return function* (cpu, ...args) {
    tell(name, cpu.id, true);
    const result = yield* call.call(self, cpu, ...args);
    tell(name, cpu.id, false);
    return result;
  };
}

/** A copy of a group of functions, of which some tell. */
function bracketedAll<T extends object>(
  group: string,
  of: T,
  names: readonly string[],
  tell: Tell,
  bracket: Bracket,
): T {
  const copy: Record<string, unknown> = Object.fromEntries(Object.entries(of));
  for (const name of names) {
    const call = copy[name];
    if (isCall(call)) copy[name] = bracket(`${group}.${name}`, call, of, tell);
  }
  return copy as T;
}

/** Names of an object's own properties and of its class's. */
function namesOf(backend: Backend): Set<string> {
  const names = new Set(Object.getOwnPropertyNames(backend));
  for (
    let p: unknown = Object.getPrototypeOf(backend);
    p !== null && p !== Object.prototype;
    p = Object.getPrototypeOf(p)
  )
    for (const name of Object.getOwnPropertyNames(p)) names.add(name);
  return names;
}
