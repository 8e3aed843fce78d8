/** What hangs on a signal: how a test sees that waiting leaves nothing behind on one that lives long. */
import { getEventListeners } from 'node:events';

/** Listeners, and the signals that AbortSignal.any made from it: Node keeps those in a set under a symbol. */
export function leftOn(signal: AbortSignal): number {
  const hidden = Object.getOwnPropertySymbols(signal).map(
    (symbol) => (signal as unknown as Record<symbol, unknown>)[symbol],
  );
  return hidden
    .filter(isSet)
    .reduce((sum, { size }) => sum + size, getEventListeners(signal, 'abort').length);
}

/** Node's sets of its own are no instances of Set. */
function isSet(value: unknown): value is Set<unknown> {
  return typeof value === 'object' && value !== null && 'add' in value && 'size' in value;
}
