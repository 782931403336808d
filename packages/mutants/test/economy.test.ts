import { expect, test } from 'vitest';
import { Campaign } from '../src/campaign.ts';
import { Switchboard } from '../src/switchboard.ts';

test('what a bug of a kernel breaks is not counted there', () => {
  const counted = (profile: string): number => {
    const selection = { archs: ['powerpc-radix'], profiles: [profile], scenarios: ['economy/mremap-table'] };
    const campaign = new Campaign(new Switchboard(0), selection, 0);
    return campaign.groups.flatMap((_, group) => campaign.baseline(group)).length;
  };
  expect([counted('linux-5.11'), counted('linux-6.18')]).toEqual([0, 1]);
});
