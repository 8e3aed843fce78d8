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

/** Throws BackendError when this host or network cannot run the backend. */
export function backendPlan(
  input: Omit<BackendInput, 'options'> & { readonly network: NetworkConfig },
): BackendPlan {
  const { type, ...options } = input.network.backend;
  const backend = backendNamed(type);
  if (backend === undefined) throw new BackendError(`Cannot run backend ${type}: it is not known`);
  if (backend.ipv4Only && input.network.ipv6 !== undefined) {
    throw new BackendError(
      `Cannot run backend ${type}: it carries IPv4 only, and the network has IPv6; change network.backend.type, or take the network's IPv6 part away`,
    );
  }
  // Read with the backend's own list of options: see `options` in Backend.
  return backend.plan({ ...input, options: options as never });
}
