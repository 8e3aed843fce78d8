/** The backends by type: adding one is a file beside this and a line here. */
import type { BackendConfig } from '../network.js';
import type { Backend, BackendInput, BackendPlan } from './backend.js';
import { udp } from './udp.js';

const BACKENDS: { readonly [T in BackendConfig['type']]: Backend<Extract<BackendConfig, { type: T }>> } = {
  udp,
};

/** Throws BackendError when this host or network cannot run the backend. */
export function backendPlan(input: BackendInput): BackendPlan {
  return BACKENDS[input.network.backend.type](input);
}
