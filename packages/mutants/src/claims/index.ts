/**
 * Claims: every mutant of which we say what covers it.
 */
import type { Claim } from '../claim.ts';
import { CORE_CLAIMS } from './core.ts';
import { X86_CLAIMS } from './x86.ts';

/** All of them. */
export const CLAIMS: readonly Claim[] = [...CORE_CLAIMS, ...X86_CLAIMS];
