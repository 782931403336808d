/**
 * s390: what is about nobody else.
 */
import type { Only } from '../scenario.ts';

/** The architecture. */
export const S390_ONLY: Only = {
  archs: ['s390'],
  why: 'it is about how s390 attaches to an mm and changes its entries',
};
