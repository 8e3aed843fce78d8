/** `ping` from the store upwards: who is meant stands there, and nothing above it can be asked without. */
import { tryParseAddress, tryParsePrefix } from '../../model/address.js';
import { isDecided } from '../../model/desired.js';
import { backendPort } from '../../model/doctor/packet-checks.js';
import { pingTarget } from '../../model/ping-target.js';
import { StoreUnavailableError } from '../../ports.js';
import type { StoreAccess } from '../../reconcilers/store-access.js';
import type { Inputs } from '../inputs/inputs.js';
import { type LayeredPingPorts, type LayerReport, layeredPing, PING_LAYERS } from './layered-ping.js';

export interface PingHostDependencies extends LayeredPingPorts {
  readonly access: StoreAccess;
  readonly inputs: Inputs;
  /** The address of a name; undefined when nobody knows it. */
  readonly addressOf: (name: string) => Promise<string | undefined>;
}

/** Every layer, in order. Rejects on abort, or when a program is missing. */
export async function pingHost(
  asked: string,
  deps: PingHostDependencies,
  signal: AbortSignal,
): Promise<readonly LayerReport[]> {
  const target = await targetOf(asked, deps, signal);
  if ('error' in target) {
    const skipped = PING_LAYERS.slice(1).map(
      (layer): LayerReport => ({ layer, outcome: 'skipped', detail: 'a layer below it fails' }),
    );
    return [{ layer: 'store', outcome: 'failed', detail: target.error }, ...skipped];
  }
  const { subnet, publicIp } = target;
  const detail = `${publicIp} leases ${subnet}`;
  return [{ layer: 'store', outcome: 'passed', detail }, ...(await layeredPing(target, deps, signal))];
}

async function targetOf(
  asked: string,
  { access, inputs, addressOf }: PingHostDependencies,
  signal: AbortSignal,
): Promise<ReturnType<typeof pingTarget>> {
  try {
    await access.refresh(signal);
  } catch (error) {
    if (error instanceof StoreUnavailableError) return { error: error.message };
    throw error;
  }
  await inputs.observeHost();
  const state = inputs.state();
  const view = access.view();
  if (!isDecided(state) || view === undefined)
    return { error: isDecided(state) ? 'the store has not been read' : state.reason };
  const isAddress = tryParseAddress(asked) !== undefined || tryParsePrefix(asked) !== undefined;
  const address = isAddress ? asked : await addressOf(asked);
  if (address === undefined)
    return { error: `${asked} is no address, no subnet, and no name that is known here` };
  return pingTarget(address, state.publicIps, view, backendPort(state));
}
