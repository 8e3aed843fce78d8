/** How fast something grows: the line through its samples that fits them best; pure. */

const MS_IN_HOUR = 3_600_000;

/** By least squares; 0 for fewer than two moments. */
export function slopePerHour(samples: readonly { readonly atMs: number; readonly value: number }[]): number {
  const mean = (of: (sample: (typeof samples)[number]) => number) =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length;
  const [atMs, value] = [mean((sample) => sample.atMs), mean((sample) => sample.value)];
  const spread = samples.reduce((sum, sample) => sum + (sample.atMs - atMs) ** 2, 0);
  if (!(spread > 0)) return 0;
  const together = samples.reduce((sum, sample) => sum + (sample.atMs - atMs) * (sample.value - value), 0);
  return (together / spread) * MS_IN_HOUR;
}
