/** A session as compose-host.ts opens it, over whatever ports and store a test has; without a packet loop. */
import { type HostPorts, reconcilersOf } from '../../src/assembly.js';
import type { Session } from '../../src/cli/session.js';
import type { Config } from '../../src/model/config.js';
import type { Log, Store } from '../../src/ports.js';
import { Inputs } from '../../src/runtime/inputs/inputs.js';
import { snapshotAccess } from '../../src/runtime/store/snapshot-access.js';

const SILENCE: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Closing it leaves `store` open: that is the caller's, as a server that runs on. */
export function openSession(config: Config, ports: HostPorts, store: Store): Session {
  const access = snapshotAccess(store, config.network.declared);
  const inputs = new Inputs({
    config,
    storeView: () => access.view(),
    netlink: ports.netlink,
    sysctls: ports.sysctls,
    files: ports.files,
    clock: ports.clock,
    random: { next: () => 0.5 },
    log: SILENCE,
    forwards: false,
  });
  return { inputs, access, reconcilers: reconcilersOf(ports, inputs, access), close: () => {} };
}
