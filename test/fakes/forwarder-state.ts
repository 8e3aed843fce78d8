/** A host's forwarder as tests want it, until they want something else of it. */
import { parseAddress, parsePrefix } from '../../src/model/address.js';
import type { ForwarderState } from '../../src/model/objects.js';

export const FORWARDER: ForwarderState = {
  tun: 'flannel0',
  workers: 1,
  mtu: 1472,
  tunAddress: parseAddress('10.1.40.0'),
  subnet: parsePrefix('10.1.40.0/24'),
  publicIp: parseAddress('198.18.0.11'),
  bind: { address: parseAddress('198.18.0.11'), port: 8285 },
  sourceCheck: 'strict',
  offload: true,
  fastPath: false,
};
