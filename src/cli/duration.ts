/** Durations on the command line. */
import { InvalidArgumentError } from 'commander';

/** Milliseconds; throws commander's InvalidArgumentError. */
export function durationMs(text: string): number {
  const match = /^(\d+)(ms|s|m|h)$/.exec(text);
  const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[match?.[2] ?? ''];
  if (match === null || unitMs === undefined)
    throw new InvalidArgumentError('Want a number with ms, s, m or h, such as 30s.');
  return Number(match[1]) * unitMs;
}
