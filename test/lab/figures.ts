/** Measured times in a line: the median for what is usual, the worst for what must be borne. */

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  if (low === undefined || high === undefined) throw new Error('Cannot take the median of nothing');
  return (low + high) / 2;
}

/** `median 12, least 9, worst 40 of 20`. */
export function summary(values: readonly number[]): string {
  const [least, worst] = [Math.min(...values), Math.max(...values)];
  return `median ${Math.round(median(values))}, least ${Math.round(least)}, worst ${Math.round(worst)} of ${values.length}`;
}
