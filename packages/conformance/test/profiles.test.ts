// Profiles: the registry, settings on top, which scenarios apply, and runs that are shared.
import {
  AXES,
  type Axis,
  LINUX_5_11,
  LINUX_6_1,
  LINUX_6_12,
  LINUX_6_18,
  SINCE,
  type Switches,
} from '@mmu-gather/core/stepped';
import { describe, expect, test } from 'vitest';
import {
  agree,
  ARCHITECTURES,
  cells,
  parseKey,
  PROFILES,
  ProfileError,
  profileOf,
  profiles,
  Reads,
  runCell,
  SCENARIOS,
  Sharing,
} from '../src/index.ts';

describe('the registry', () => {
  test('ids are unique, and every one is found', () => {
    const ids = PROFILES.map((spec) => spec.id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(profiles(ids, [], ARCHITECTURES).map((spec) => spec.id)).toEqual(ids);
  });

  test.each(PROFILES)('$id sets switches that exist, to values that exist', (spec) => {
    const { id: _, ...own } = profileOf(spec);
    const unknown = (axes: Readonly<Record<string, Axis>>, values: object): string[] =>
      Object.entries(values).flatMap(([key, value]) => {
        const { right = [], wrong = [] } = axes[key] ?? {};
        return axes[key] !== undefined && (right.length === 0 || [...right, ...wrong].includes(value)) ? [] : [key];
      });
    expect(unknown(AXES, own)).toEqual([]);
    for (const arch of ARCHITECTURES)
      expect(unknown(arch.axes, { ...arch.kernels[spec.kernel], ...arch.explored, ...spec.backend[arch.id] })).toEqual(
        [],
      );
  });

  test.each(PROFILES)('$id names scenarios and twins that exist', (spec) => {
    const twins = SCENARIOS.flatMap((scenario) => scenario.twins.map((twin) => twin.id));
    const patterns = (keyed: object = {}) => Object.keys(keyed).map((key) => parseKey(key).pattern);
    for (const id of patterns(spec.breaks)) expect(SCENARIOS.map((scenario) => scenario.id)).toContain(id);
    for (const id of patterns(spec.mends)) expect(twins).toContain(id);
  });

  test('every switch in which 6.18 differs from 5.11 is dated', () => {
    const keys = Object.keys(AXES) as (keyof Switches)[];
    const changed = keys.filter((key) => LINUX_5_11[key] !== LINUX_6_18[key]);
    expect(changed.filter((key) => SINCE[key] === undefined)).toEqual([]);
  });

  test('a switch may take a value in between', () => {
    const kernels = [LINUX_5_11, LINUX_6_1, LINUX_6_12, LINUX_6_18];
    expect(kernels.map((kernel) => kernel.pfnmapFlush)).toEqual(['none', 'vma-end', 'vma-end', 'unlink']);
  });
});

describe('settings', () => {
  const set = (...settings: string[]) => profiles(['linux-5.11'], settings, ARCHITECTURES)[0]!;

  test('go to core, to a backend, and into groups', () => {
    const spec = set('nestedFinish=none', 'x86.ceiling=2', 'trimCpumask=true', 'gatherBatch.bundle=1');
    expect(spec.switches).toEqual({ nestedFinish: 'none', gatherBatch: { ...LINUX_5_11.gatherBatch, bundle: 1 } });
    expect(spec.backend).toEqual({ x86: { ceiling: 2, trimCpumask: true } });
    expect(spec.id).toBe('linux-5.11+nestedFinish=none,x86.ceiling=2,trimCpumask=true,gatherBatch.bundle=1');
  });

  test('right values that do not go together are refused; a profile that has what they ask for takes them', () => {
    expect(() => set('deferral=ring')).toThrow(
      'in linux-5.11 these do not go together: deferral=ring needs changeProtection=gather',
    );
    expect(() => set('deadMeans=fullmm', 'fullmm=F3')).toThrow('fullmm=F3 needs deadMeans=exiting');
    expect(() => profiles(['flush-ring'], ['x86.completedGen=none'], ARCHITECTURES)).toThrow(
      'completedGen=after-flush',
    );
    expect(profiles(['flush-ring'], ['deferral=queue'], ARCHITECTURES)[0]?.switches.deferral).toBe('queue');
    expect(set('fullmm=F3').switches).toEqual({ fullmm: 'F3' });
  });

  test.each([
    'fulmm=F2',
    'fullmm=F9',
    'x86.none=1',
    'arm64.ceiling=1',
    'ceiling=x',
    'gatherBatch=1',
    'fullmm',
    'ceiling.x=1',
  ])('%s is refused', (setting) => expect(() => set(setting)).toThrow(ProfileError));

  test('reach the run', () => {
    const [cell] = cells(SCENARIOS, ARCHITECTURES, {
      profiles: ['linux-5.11'],
      scenarios: ['munmap/running-thread'],
      settings: ['waitForIpis=false'],
    });
    expect(runCell(cell!)).toMatchObject({ verdict: 'violated', expected: 'holds', ok: false });
  });
});

describe('reads', () => {
  test('only what was looked at must agree', () => {
    const reads = new Reads();
    const watched = reads.watch('profile', { a: 1, b: 'x', group: { n: 1 } });
    expect([watched.a, watched.group.n, watched.a]).toEqual([1, 1, 1]);
    expect(reads.names).toEqual(['profile.a', 'profile.group']);
    expect(agree(reads.seen, { profile: { a: 1, b: 'y', group: { n: 1 } } })).toBe(true);
    expect(agree(reads.seen, { profile: { a: 2, b: 'x', group: { n: 1 } } })).toBe(false);
    expect(agree(reads.seen, { profile: { a: 1, b: 'x', group: { n: 2 } } })).toBe(false);
  });

  test('a shared result is the one that the cell would have had', () => {
    const settings = [['ptReclaim=true'], ['reclaimBatch=false'], ['freePages=before-flush']];
    const found = settings.map((setting) =>
      cells(SCENARIOS, ARCHITECTURES, {
        archs: ['x86'],
        profiles: ['linux-5.11'],
        scenarios: ['munmap/running-thread', 'munmap/running-thread/*'],
        settings: setting,
      }),
    );
    const sharing = new Sharing({});
    const results = found.flat().map((cell) => ({ own: runCell(cell), shared: sharing.run(cell) }));
    for (const { own, shared } of results) {
      const { sharedWith: _, ...rest } = shared;
      expect({ ...rest, milliseconds: 0 }).toEqual({ ...own, milliseconds: 0 });
    }
    const sharers = results.filter(({ shared }) => shared.sharedWith !== undefined);
    expect(sharers.length).toBeGreaterThan(0);
    // What sets the switch itself does not see that the profile does.
    const wrong = sharers.filter(({ shared }) => shared.profile.includes('freePages'));
    expect(wrong.map(({ shared }) => shared.scenario)).toEqual(['munmap/running-thread/free-first']);
  });
});
