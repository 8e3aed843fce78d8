/** Says in words how a list that must be exactly as wanted is not. */

export interface ListWords {
  missing(item: string, at: number): string;
  surplus(item: string, at: number): string;
  /** Every item is there, but not in this order or not once. */
  readonly disorder: string;
}

/** Empty when the lists are equal. */
export function listDifferences(
  want: readonly string[],
  have: readonly string[],
  words: ListWords,
): readonly string[] {
  const differences = [
    ...want.flatMap((item, at) => (have.includes(item) ? [] : [words.missing(item, at)])),
    ...have.flatMap((item, at) => (want.includes(item) ? [] : [words.surplus(item, at)])),
  ];
  if (differences.length > 0) return differences;
  const isEqual = want.length === have.length && want.every((item, at) => item === have[at]);
  return isEqual ? [] : [words.disorder];
}
