/**
 * Which right values of switches do not go together: each holds by itself, or with what it asks for, and both would not hold together.
 */
import type { Switches } from './profile.ts';

/**
 * The first conflict among the switches of a system, in one line for people; undefined if there is none.
 * @param published whether the backend publishes what is completed
 */
export function conflictOf(switches: Switches, published: boolean): string | undefined {
  const { deferral, changeProtection, clearRefs, dirtyHelpers, deadMeans, fullmm } = switches;
  if (deferral !== 'counter') {
    // Who defers without a gather records no generation, so that nobody would flush for it.
    if (changeProtection === 'range') return `deferral=${deferral} needs changeProtection=gather`;
    if (clearRefs === 'pending-mm') return `deferral=${deferral} needs clearRefs=gather`;
    if (dirtyHelpers === 'pending') return `deferral=${deferral} needs dirtyHelpers=gather`;
    if (!published)
      return `deferral=${deferral} needs a backend that publishes what is completed (completedGen=after-flush)`;
  }
  // A nested finish sets fullmm of a live mm, whose entries would then be left.
  if (deadMeans === 'fullmm' && (fullmm === 'F2' || fullmm === 'F3')) return `fullmm=${fullmm} needs deadMeans=exiting`;
  return undefined;
}
