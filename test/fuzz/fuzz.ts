/** Tries one target with inputs of one seed. */
import { performance } from 'node:perf_hooks';
import { Chance } from './chance.js';
import type { FuzzTarget } from './target.js';

/** No input may take longer, on however busy a machine; what never ends is found by whoever waits for it. */
const MOST_MS = 2_000;

export interface Tried {
  readonly inputs: number;
  /** What became of them → how often, and the first input that it became of. */
  readonly outcomes: ReadonlyMap<string, { count: number; readonly first: Uint8Array }>;
  readonly slowestMs: number;
}

/** Throws at the first input that is not dealt with as it should, naming it in hexadecimal. `onInput` is told its number. */
export function fuzz(
  target: FuzzTarget,
  seed: number,
  count: number,
  onInput: (index: number) => void = () => {},
): Tried {
  const chance = new Chance(seed);
  const outcomes = new Map<string, { count: number; readonly first: Uint8Array }>();
  let slowestMs = 0;
  for (let index = 0; index < count; index++) {
    onInput(index);
    const input = target.make(chance);
    let [outcome, tookMs] = timed(target, input);
    // The machine may have been busy with something else.
    if (tookMs > MOST_MS) [outcome, tookMs] = timed(target, input);
    if (tookMs > MOST_MS) throw new Error(`${target.name} took ${tookMs} ms for ${hex(input)}`);
    slowestMs = Math.max(slowestMs, tookMs);
    const known = outcomes.get(outcome);
    if (known === undefined) outcomes.set(outcome, { count: 1, first: input });
    else known.count++;
  }
  return { inputs: count, outcomes, slowestMs };
}

function timed(target: FuzzTarget, input: Uint8Array): [outcome: string, tookMs: number] {
  const startedMs = performance.now();
  const outcome = outcomeOf(target, input);
  return [outcome, performance.now() - startedMs];
}

export function outcomeOf(target: FuzzTarget, input: Uint8Array): string {
  try {
    return target.run(input);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${target.name} fails for ${hex(input)}: ${why}`, { cause });
  }
}

function hex(input: Uint8Array): string {
  return Buffer.from(input).toString('hex');
}
