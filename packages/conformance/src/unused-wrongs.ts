/**
 * Wrong values that no twin has: a switch that may be wrong without anybody noticing.
 */
import type { Architecture, BackendSwitches } from './architecture.ts';
import type { AnyScenario, Scenario } from './scenario.ts';

/** Wrong values of an architecture's switches that no twin of these scenarios sets, as `switch=value`. */
export function unusedWrongs(arch: Architecture, scenarios: readonly AnyScenario[]): string[] {
  const twins = (scenarios as unknown as readonly Scenario[]).flatMap((scenario) => scenario.twins);
  const used = twins.flatMap(({ backend, wrong }) => [
    ...values(backend?.[arch.id] ?? {}),
    ...values(wrong === undefined ? {} : (arch.wrongs[wrong] ?? {})),
  ]);
  const all = Object.entries(arch.axes).flatMap(([key, { wrong }]) => wrong.map((value) => `${key}=${String(value)}`));
  return all.filter((each) => !used.includes(each));
}

function values(switches: BackendSwitches): string[] {
  return Object.entries(switches).map(([key, value]) => `${key}=${String(value)}`);
}
