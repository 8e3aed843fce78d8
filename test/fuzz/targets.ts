/** Everything that is fuzzed. Shares add up to a million. */
import { configTarget, subnetEnvTarget } from './file-targets.js';
import { coalescingTarget, superPacketTarget } from './flow-targets.js';
import { conversationTarget, objectTarget } from './netlink-targets.js';
import { contentTarget, keyTarget, leaseTarget, networkTarget } from './store-targets.js';
import type { FuzzTarget } from './target.js';
import { verdictFromNetworkTarget, verdictFromTunTarget } from './verdict-targets.js';

export const TARGETS: readonly FuzzTarget[] = [
  verdictFromTunTarget,
  verdictFromNetworkTarget,
  superPacketTarget,
  coalescingTarget,
  objectTarget,
  conversationTarget,
  keyTarget,
  leaseTarget,
  networkTarget,
  contentTarget,
  configTarget,
  subnetEnvTarget,
];
