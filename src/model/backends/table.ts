/** The backends: adding one is a file beside this and a line here. */
import type { NetworkConfig } from '../network.js';
import { alloc } from './alloc.js';
import { type Backend, BackendError, type BackendInput, type BackendPlan } from './backend.js';
import { extension } from './extension.js';
import { hostGw } from './host-gw.js';
import { udp } from './udp.js';
import { vxlan } from './vxlan.js';

export const BACKENDS: readonly Backend[] = [udp, vxlan, hostGw, alloc, extension];

/** What a file without a type gets, and a network of flannel's without a backend. */
export const DEFAULT_BACKEND: Backend = udp;

/** `type` in lower case. */
export function backendNamed(type: string): Backend | undefined {
  return BACKENDS.find((backend) => backend.type === type);
}

export function carriesIpv6(type: string): boolean {
  return backendNamed(type)?.ipv4Only !== true;
}

interface PlanInput extends Omit<BackendInput, 'options'> {
  readonly network: NetworkConfig;
  /** Whether the file says so, and not the store. */
  readonly isDeclared: boolean;
}

/** Throws BackendError when this host or network cannot run the backend. */
export function backendPlan({ isDeclared, ...input }: PlanInput): BackendPlan {
  const { type, ...options } = input.network.backend;
  const backend = backendNamed(type);
  if (backend === undefined) throw new BackendError(`Cannot run backend ${type}: it is not known`);
  if (backend.runsCommands && !isDeclared) {
    throw new BackendError(
      `Cannot run backend ${type} with commands out of the store: whoever may write there would run them on this host; declare the network with its backend in the file, if they are to be run`,
    );
  }
  if (backend.ipv4Only && input.network.ipv6 !== undefined) {
    throw new BackendError(
      `Cannot run backend ${type}: it carries IPv4 only, and the network has IPv6; change network.backend.type, or take the network's IPv6 part away`,
    );
  }
  // Read with the backend's own list of options: see `options` in Backend.
  return backend.plan({ ...input, options: options as never });
}
