/**
 * Overrides: a file with figures of one's own machine, in TOML or JSON.
 *
 *     [x86]
 *     ghz = 3.4
 *     ipi = 6000              # in the unit of the table
 *     page = "35 ns"          # or in another one: cycles, ns
 */
import { readFileSync } from 'node:fs';
import { parse } from 'smol-toml';
import { type ArchCosts, type Cost, type CostName, COSTS, type Unit } from './table.ts';

/** A file of costs that cannot be used. The message is one line: what, where, how to mend it. */
export class CostsError extends Error {
  /** Name in messages. */
  override readonly name = 'CostsError';
}

/** The table with the figures of a file in the place of its own. @throws CostsError if it cannot be used */
export function readCosts(file: string, table: Readonly<Record<string, ArchCosts>> = COSTS): Record<string, ArchCosts> {
  const found = parsed(file);
  const known = Object.keys(table);
  const result = { ...table };
  for (const [arch, figures] of Object.entries(found)) {
    const before = table[arch];
    if (before === undefined)
      throw new CostsError(`${file}: there is no architecture '${arch}': there are ${known.join(', ')}`);
    if (!isRecord(figures)) throw new CostsError(`${file}: '${arch}' is no table: give figures such as ipi = 2000`);
    result[arch] = withFigures(file, arch, before, figures);
  }
  return result;
}

function parsed(file: string): Record<string, unknown> {
  let found: unknown;
  try {
    const text = readFileSync(file, 'utf8');
    found = file.endsWith('.json') ? JSON.parse(text) : parse(text);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const form = file.endsWith('.json') ? 'JSON' : 'TOML';
    const line = (message.split('\n')[0] ?? '').replace(/^Invalid TOML document: /, '');
    throw new CostsError(`${file}: ${code === 'ENOENT' ? 'no such file' : `no ${form}: ${line}`}`, { cause: error });
  }
  if (!isRecord(found)) throw new CostsError(`${file}: give a table for each architecture, for instance [x86]`);
  return found;
}

function withFigures(file: string, arch: string, before: ArchCosts, figures: Record<string, unknown>): ArchCosts {
  const costs = { ...before.costs };
  let { ghz } = before;
  for (const [name, value] of Object.entries(figures)) {
    if (name === 'ghz') ghz = positive(file, `${arch}.ghz`, value);
    else if (name in costs) costs[name as CostName] = figure(file, `${arch}.${name}`, costs[name as CostName], value);
    else
      throw new CostsError(
        `${file}: there is no cost '${arch}.${name}': there are ghz, ${Object.keys(costs).join(', ')}`,
      );
  }
  return { ghz, costs };
}

function figure(file: string, what: string, before: Cost, typed: unknown): Cost {
  const [, amount = '', name = before.unit] =
    (typeof typed === 'string' && /^([\d.]+) *(cycles|ns)$/.exec(typed.trim())) || [];
  const value = typeof typed === 'string' ? Number(amount === '' ? Number.NaN : amount) : typed;
  const unit = name as Unit;
  if ((unit === 'entries') !== (before.unit === 'entries'))
    throw new CostsError(`${file}: '${what}' is a number of entries: give one without a unit`);
  const given = positive(file, what, value);
  return { value: given, unit, low: given, high: given, source: file };
}

function positive(file: string, what: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value;
  throw new CostsError(
    `${file}: '${what}' is ${JSON.stringify(value)}: give a number from 0 on, or one with its unit: "35 ns", "120 cycles"`,
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
