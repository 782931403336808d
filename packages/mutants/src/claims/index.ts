/**
 * Claims: every mutant of which we say what covers it.
 */
import type { Claim } from '../claim.ts';
import { X86_CLAIMS } from './x86.ts';

/** All of them. */
export const CLAIMS: readonly Claim[] = [...X86_CLAIMS];
