/** How long to wait after failures in a row, and which of them to speak of. Pure: chance is an argument. */

export interface BackOff {
  readonly firstMs: number;
  readonly mostMs: number;
}

/** Doubles with each failure (1, 2, ...) up to the most; `chance` in [0, 1) spreads it over ±25 %. */
export function backOffMs({ firstMs, mostMs }: BackOff, failures: number, chance: number): number {
  const base = Math.min(mostMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return Math.round(base * (0.75 + 0.5 * chance));
}

/** The 1st, 2nd, 4th, 8th... failure in a row: a log line each would fill the disk, none would hide the trouble. */
export function isWorthSaying(failures: number): boolean {
  return (failures & (failures - 1)) === 0;
}
