/** Puts the real parts together for the commands and the daemon: the only file there that knows both sides of a port. */

import { reconcilersOf } from './assembly.js';
import { socketPath } from './cli/config-argument.js';
import { configErrorsText } from './cli/config-errors.js';
import { CommandError, EXIT } from './cli/exit-codes.js';
import type { CommandContext, Session } from './cli/session.js';
import { readConfig } from './config/read-config.js';
import { tryParseAddress } from './model/address.js';
import type { Config } from './model/config.js';
import type { Store } from './ports.js';
import type { ConfigReading, ConfigSource } from './runtime/config-source.js';
import { controlApi } from './runtime/control-api.js';
import { Daemon } from './runtime/daemon.js';
import { Inputs } from './runtime/inputs.js';
import { snapshotAccess } from './runtime/snapshot-access.js';
import { statusReport } from './runtime/status-report.js';
import { StoreFollower } from './runtime/store-follower.js';
import { StoreMirror } from './runtime/store-mirror.js';
import { systemClock, systemRandom } from './sys/clock.js';
import { controlSocket } from './sys/control-socket.js';
import { createDataPlane } from './sys/data-plane.js';
import { createEtcdStore } from './sys/etcd-store.js';
import { systemFiles } from './sys/files.js';
import { HostFirewall } from './sys/firewall/firewall.js';
import { acquireInstanceLock, InstanceHeldError } from './sys/instance-lock.js';
import { jsonLog, silentLog } from './sys/log.js';
import { KernelNetlink } from './sys/netlink/netlink.js';
import { requireNetworkPrivileges } from './sys/privileges.js';
import {
  lastingAbort,
  onHangUp,
  packageVersion,
  processEnvironment,
  processId,
  stderrText,
  stdoutText,
  terminationSignal,
} from './sys/process.js';
import { createStaticStore } from './sys/static-store.js';
import { kernelSysctls } from './sys/sysctls.js';
import { kernelTuns } from './sys/tun.js';

/** Everything that reaches this host. */
function hostPorts() {
  return {
    netlink: new KernelNetlink(),
    tuns: kernelTuns,
    sysctls: kernelSysctls,
    firewall: new HostFirewall(),
    files: systemFiles,
    clock: systemClock,
    random: systemRandom,
  };
}

export function commandContext(): CommandContext {
  const signal = terminationSignal();
  return {
    version: packageVersion(),
    out: stdoutText,
    err: stderrText,
    signal,
    clock: systemClock,
    control: controlSocket,
    environment: processEnvironment,
    readConfig: readConfigFile,
    readText: async (path) => (await systemFiles.read(path))?.content,
    writeText: (path, content) => systemFiles.write(path, content, 0o644),
    openSession,
    requirePrivileges: requireNetworkPrivileges,
    lock: instanceLock,
    runDaemon: (path, config) => runDaemon(path, config, signal),
  };
}

async function readConfigFile(path: string): Promise<ConfigReading> {
  let text: string | undefined;
  try {
    text = (await systemFiles.read(path))?.content;
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
  if (text === undefined) return { error: `Cannot read ${path}: there is no such file` };
  const reading = readConfig(text, path);
  return 'config' in reading ? reading : { error: configErrorsText(reading.errors, text).trimEnd() };
}

function instanceLock(instance: string): { release(): void } {
  try {
    return acquireInstanceLock(instance);
  } catch (error) {
    if (error instanceof InstanceHeldError)
      throw new CommandError(error.message, EXIT.held, { cause: error });
    throw error;
  }
}

function openStore(section: Config['store']): Store {
  return section.type === 'etcd' ? createEtcdStore(section) : createStaticStore(section);
}

/** For `auto` on a host without a default route: the store's address, where the file gives it as one. */
function storeAddress({ store }: Config): ReturnType<typeof tryParseAddress> {
  const [first] = store.type === 'etcd' ? store.endpoints : [];
  return first === undefined ? undefined : tryParseAddress(new URL(first).hostname.replace(/^\[|\]$/g, ''));
}

function openSession(config: Config): Session {
  const host = hostPorts();
  const store = openStore(config.store);
  const access = snapshotAccess(store);
  const inputs = new Inputs({
    ...host,
    config,
    storeView: () => access.view(),
    storeAddress: storeAddress(config),
    log: silentLog,
    forwards: false,
  });
  return { inputs, access, reconcilers: reconcilersOf(host, inputs, access), close: () => store.close() };
}

async function runDaemon(path: string, config: Config, until: AbortSignal): Promise<void> {
  const stop = lastingAbort(until);
  try {
    await runDaemonUntil(path, config, stop.signal);
  } finally {
    // What a failure leaves running would look like a daemon.
    stop.abort();
  }
}

async function runDaemonUntil(path: string, config: Config, signal: AbortSignal): Promise<void> {
  const log = jsonLog();
  const host = hostPorts();
  const dataPlane = createDataPlane({ log });
  const store = new StoreFollower({
    section: config.store,
    openMirror: (section) => new StoreMirror({ ...host, store: openStore(section), log }),
    onChange: () => inputs.changed(),
  });
  const inputs: Inputs = new Inputs({
    ...host,
    config,
    storeView: () => store.view(),
    storeAddress: storeAddress(config),
    log,
    forwards: true,
  });
  const source: ConfigSource = {
    path,
    read: () => readConfigFile(path),
    watch: (wake, until) => systemFiles.watch([path], wake, until),
  };
  const reconcilers = reconcilersOf(host, inputs, store, dataPlane);
  const daemon = new Daemon({ ...host, source, inputs, store, reconcilers, dataPlane, log });
  onHangUp(() => void daemon.reload(), signal);
  const version = packageVersion();
  const status = () => statusReport({ version, pid: processId, daemon, inputs, store, dataPlane });
  await controlSocket.serve(
    socketPath(config.instance),
    controlApi(daemon, status, systemClock, signal),
    signal,
  );
  log.info({ version, pid: processId, config: path, instance: config.instance.name }, 'started');
  await daemon.run(signal);
  log.info({}, 'stopped');
}
