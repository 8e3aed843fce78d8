/** A printed world in one spelling, to be held against another one. */
import { networkJson, parseNetworkJson } from '../../src/wire/flannel-network.js';

const NETWORK = 'store config ';

/**
 * A setting that was written is told of from then on, and the network's JSON may be written with or without its defaults:
 * neither says anything else.
 */
export function standing(lines: readonly string[]): readonly string[] {
  return lines
    .filter((line) => !/^sysctl .* = 0$|^sysctl .*\.accept_ra = 1$/.test(line))
    .map((line) => (line.startsWith(NETWORK) ? `${NETWORK}${spelling(line.slice(NETWORK.length))}` : line));
}

/** What is no network stays as it is. */
function spelling(json: string): string {
  try {
    return networkJson(parseNetworkJson(json));
  } catch {
    return json;
  }
}
