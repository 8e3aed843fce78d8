/** Puts the real parts together for whatever reaches this host: compose.ts loads it when a command needs one. */
import { reconcilersOf } from './assembly.js';
import { socketPath } from './cli/config-argument.js';
import type { HostAccess, Session } from './cli/session.js';
import { instanceLock } from './compose-forwarding.js';
import { requirePrivilegesHere } from './compose-privileges.js';
import { captureAdvice } from './model/capture-advice.js';
import type { Config } from './model/config.js';
import { MAIN_TABLE } from './model/keys.js';
import type { LogFormat } from './model/log-line.js';
import { KINDS } from './model/objects.js';
import type { ControlAnswer, Store } from './ports.js';
import { CaptureDesk } from './runtime/capture/capture-desk.js';
import { controlApi, monitorApi } from './runtime/daemon/control-api.js';
import { Daemon } from './runtime/daemon/daemon.js';
import { DockerCommand } from './runtime/daemon/docker-command.js';
import { LateMeters } from './runtime/daemon/late-meters.js';
import { logLevelReply } from './runtime/daemon/log-level-api.js';
import { MonitorListener } from './runtime/daemon/monitor-listener.js';
import { Readiness } from './runtime/daemon/readiness.js';
import { statusLine, statusReport } from './runtime/daemon/status-report.js';
import { confirmationPath } from './runtime/forwarding/confirmation.js';
import { type RememberedDataPlane, recordPath } from './runtime/forwarding/remembered-data-plane.js';
import type { ConfigReading, ConfigSource } from './runtime/inputs/config-source.js';
import { Inputs } from './runtime/inputs/inputs.js';
import { EventLog } from './runtime/log/event-log.js';
import { LogBook, loopLog } from './runtime/log/log-book.js';
import { daemonExplanations } from './runtime/looking/daemon-explanation.js';
import { TrialWatch, trialRecordPath } from './runtime/rollback/trial-record.js';
import { meteredStore } from './runtime/store/metered-store.js';
import { RememberedStore, rememberedStorePath } from './runtime/store/remembered-store.js';
import { snapshotAccess } from './runtime/store/snapshot-access.js';
import { StoreFollower } from './runtime/store/store-follower.js';
import { StoreMirror } from './runtime/store/store-mirror.js';
import { withDeadline } from './runtime/timing/deadline.js';
import { systemClock, systemRandom } from './sys/clock.js';
import { systemCommands } from './sys/commands.js';
import { controlSocket } from './sys/control-socket.js';
import { createEtcdStore } from './sys/etcd-store.js';
import { systemFiles } from './sys/files.js';
import { HostFirewall } from './sys/firewall/firewall.js';
import { hostOrigin } from './sys/host-origin.js';
import { httpListener } from './sys/http-listener.js';
import { silentLog, systemLog } from './sys/log.js';
import { KernelNetlink } from './sys/netlink/netlink.js';
import { createNotifier } from './sys/notify.js';
import { lastingAbort, onHangUp, packageVersion, processEnvironment, processId } from './sys/process.js';
import { createStaticStore } from './sys/static-store.js';
import { kernelSysctls } from './sys/sysctls.js';
import { kernelTuns } from './sys/tun.js';

/** How long a reload may take before it is called done all the same: the status says what is left. */
const RELOAD_MS = 10_000;

/** Those that drive no kind of object. */
const OTHER_LOOPS = ['daemon', 'docker', 'host', 'monitoring', 'store'];

type ReadConfig = (path: string) => Promise<ConfigReading>;

export function hostAccess(readConfig: ReadConfig, logFormat: LogFormat, signal: AbortSignal): HostAccess {
  return {
    routes: () => new KernelNetlink().routes({ table: MAIN_TABLE }),
    openSession,
    requirePrivileges: ({ instance }) => requirePrivilegesHere(instance.name, signal),
    lock: ({ instance }) => instanceLock(instance, systemLog(logFormat)),
    async forget(config) {
      await systemFiles.remove(recordPath(config));
      await systemFiles.remove(confirmationPath(config));
      await systemFiles.remove(rememberedStorePath(config));
    },
    runDaemon: (path, config, dataPlane) =>
      runDaemon({ path, config, dataPlane, readConfig, logFormat }, signal),
  };
}

/** Everything that reaches this host. */
export function hostPorts() {
  return {
    netlink: new KernelNetlink(),
    tuns: kernelTuns,
    sysctls: kernelSysctls,
    firewall: new HostFirewall(),
    files: systemFiles,
    commands: systemCommands,
    clock: systemClock,
    random: systemRandom,
  };
}

function openStore(section: Config['store']): Store {
  return section.type === 'etcd' ? createEtcdStore(section) : createStaticStore(section);
}

/** One pass over the world: its store is to be closed. */
export function openSession(config: Config): Session {
  const host = hostPorts();
  const store = openStore(config.store);
  const access = snapshotAccess(store, config.network.declared);
  const inputs = new Inputs({
    ...host,
    config,
    storeView: () => access.view(),
    log: silentLog,
    forwards: false,
  });
  return { inputs, access, reconcilers: reconcilersOf(host, inputs, access), close: () => store.close() };
}

interface DaemonSetting {
  readonly path: string;
  readonly config: Config;
  readonly dataPlane: RememberedDataPlane;
  readonly readConfig: ReadConfig;
  readonly logFormat: LogFormat;
}

async function runDaemon(setting: DaemonSetting, until: AbortSignal): Promise<void> {
  const stop = lastingAbort(until);
  try {
    await runDaemonUntil(setting, stop.signal);
  } finally {
    // What a failure leaves running would look like a daemon.
    stop.abort();
  }
}

async function runDaemonUntil(
  { path, config, dataPlane, readConfig, logFormat }: DaemonSetting,
  signal: AbortSignal,
): Promise<void> {
  const book = new LogBook(systemLog(logFormat, 'debug'), systemClock, [...KINDS, ...OTHER_LOOPS]);
  const log = new EventLog(book.of('daemon'), systemClock);
  const host = hostPorts();
  const meters = new LateMeters(async () => (await import('./sys/meters.js')).createMeters(() => status()));
  const store: StoreFollower = new StoreFollower({
    section: config.store,
    openMirror: (section) =>
      new StoreMirror({
        ...host,
        store: meteredStore(openStore(section), meters, systemClock),
        log: loopLog(log, 'store'),
        declared: () => inputs.config.network.declared,
      }),
    onChange: () => inputs.changed(),
    clock: systemClock,
    memory: (section, mirror) =>
      new RememberedStore({
        ...host,
        path: rememberedStorePath(config),
        confirmationPath: confirmationPath(config),
        log: loopLog(log, 'store'),
        origin: hostOrigin(),
        section,
        mirror,
      }),
  });
  const inputs: Inputs = new Inputs({
    ...host,
    config,
    storeView: () => store.view(),
    log: loopLog(log, 'host'),
    forwards: true,
    onReaddressed: () => store.renew(),
  });
  dataPlane.follow(() => inputs.config, signal);
  const source: ConfigSource = {
    path,
    read: () => readConfig(path),
    watch: (wake, until) => systemFiles.watch([path], wake, until),
  };
  const reconcilers = reconcilersOf(host, inputs, store, dataPlane);
  const trials = new TrialWatch(systemClock);
  const trial = () => trials.standing();
  const daemon = new Daemon({ ...host, source, inputs, store, reconcilers, dataPlane, meters, log, trial });
  await trials.begin(trialRecordPath(config.instance), systemFiles, () => daemon.conditions(), signal);
  const readyState = () => ({ isReady: daemon.isReady, text: statusLine({ daemon, inputs, store }) });
  const readiness = new Readiness({
    notifier: createNotifier(processEnvironment, processId),
    state: readyState,
    turns: () => daemon.loops.turns(),
    clock: systemClock,
    log,
  });
  daemon.onReport(readiness.wake);
  const dockerCommand = new DockerCommand({
    argv: () => inputs.config.docker.onChange,
    objects: () => daemon.loops.troubles(),
    isReady: () => daemon.isReady,
    commands: systemCommands,
    clock: systemClock,
    log: loopLog(log, 'docker'),
  });
  daemon.onReport(dockerCommand.wake);
  const reload = async () => {
    const error = await daemon.reload();
    if (error !== undefined) return;
    await withDeadline(systemClock, RELOAD_MS, 'the reload', signal, (limited) =>
      daemon.converge(() => {}, limited),
    );
  };
  const notDone = (error: unknown) => log.error({ error: String(error) }, 'reload not finished');
  onHangUp(() => void readiness.reload(reload).catch(notDone), signal);
  const version = packageVersion();
  const status = () => statusReport({ version, pid: processId, daemon, inputs, store, dataPlane });
  const monitor = { exposition: meters, stuck: () => readiness.stuck, readiness: readyState };
  const explain = daemonExplanations({ daemon, inputs, store, reconcilers });
  const monitoring = new MonitorListener({
    ...host,
    section: () => inputs.config.monitoring,
    listen: httpListener(monitorApi(monitor)),
    log: loopLog(log, 'monitoring'),
  });
  inputs.subscribe(monitoring.wake);
  const api = controlApi({ daemon, status, monitor, events: log, explain, clock: systemClock }, signal);
  const otherwise = () => captureAdvice({ state: inputs.state(), external: inputs.externalName });
  const captures = new CaptureDesk({ dataPlane, otherwise, clock: systemClock }, signal);
  const answer: ControlAnswer = async (request, gone) =>
    logLevelReply(book, request) ?? (await captures.answer(request, gone)) ?? api(request, gone);
  await controlSocket.serve(socketPath(config.instance), answer, signal);
  log.info({ version, pid: processId, config: path, instance: config.instance.name }, 'started');
  await Promise.all([
    daemon.run(signal),
    readiness.run(signal),
    monitoring.run(signal),
    dockerCommand.run(signal),
  ]);
  log.info({}, 'stopped');
}
