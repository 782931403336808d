/**
 * Lists in the order of a number.
 */

/** Where the items of a list in order begin whose number is not less than a given one; its length if there are none. */
export function firstFrom<T>(list: readonly T[], least: number, numberOf: (item: T) => number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (numberOf(list[middle]!) < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
