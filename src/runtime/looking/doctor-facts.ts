/** One look at everything that `doctor` judges (model/doctor/). Reads only. */

import type { Address } from '../../model/address.js';
import type { Config } from '../../model/config.js';
import { isDecided } from '../../model/desired.js';
import type { DoctorFacts, KernelFacts, StoreFacts, Unseen } from '../../model/doctor/facts.js';
import { backendPort } from '../../model/doctor/packet-checks.js';
import { otherSubnets } from '../../model/doctor/store-checks.js';
import type { DockerBridgeState } from '../../model/objects.js';
import type { Clock, Commands, Files, Netlink, Sysctls } from '../../ports.js';
import { asError, PrivilegeError, StoreUnavailableError } from '../../ports.js';
import type { StoreAccess } from '../../reconcilers/store-access.js';
import { networkJson } from '../../wire/flannel-store.js';
import { mountsOf, udpChecksumErrors } from '../../wire/program-output.js';
import type { Inputs } from '../inputs/inputs.js';
import { planAll } from '../rounds/one-shot.js';
import type { Reconcilers } from '../rounds/reconcilers.js';
import { HostPrograms } from './host-programs.js';
import { pathsTo } from './path-probe.js';

export interface DoctorDependencies {
  readonly configPath: string;
  readonly config: Config;
  readonly session: {
    readonly access: StoreAccess;
    readonly inputs: Inputs;
    readonly reconcilers: Reconcilers;
  };
  readonly netlink: Netlink;
  readonly sysctls: Sysctls;
  readonly files: Files;
  readonly commands: Commands;
  readonly clock: Clock;
  /** Rejects with PrivilegeError naming what is missing. */
  readonly requirePrivileges: () => Promise<void>;
  /** What time it is for the server at `url`; undefined when it does not tell. */
  readonly serverTime: (url: string) => Promise<number | undefined>;
  readonly daemon: { readonly pid: number } | undefined;
}

/** Which of the other hosts are asked about: all of them would take long where there are thousands. */
const MOST_PEERS = 32;
const MOST_PATHS = 3;
const ROUND_TRIPS = 3;

/** Rejects on abort alone: what cannot be seen is named in `unseen`. */
export async function doctorFacts(deps: DoctorDependencies, signal: AbortSignal): Promise<DoctorFacts> {
  const { config, configPath, session, files } = deps;
  const programs = new HostPrograms(deps.commands);
  const unseen: Unseen[] = [];
  const seen = async <T>(what: string, look: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await look();
    } catch (error) {
      signal.throwIfAborted();
      unseen.push({ what, why: asError(error).message });
      return undefined;
    }
  };
  const checksumErrors = async () => udpChecksumErrors(await textOf(files, '/proc/self/net/snmp'));
  const errorsBefore = await seen('checksum errors', checksumErrors);
  const [missing, store, clockOffMs] = await Promise.all([
    seen('privileges', () => missingPrivilege(deps)),
    seen('the store', () => storeFacts(deps, signal)),
    seen("etcd's clock", () => clockOff(deps)),
    session.inputs.observeHost(),
  ]);
  const state = session.inputs.state();
  const isKnown = isDecided(state);
  const { hostTrouble } = session.inputs;
  const base: DoctorFacts = {
    configPath,
    config,
    ...(missing && { missingPrivilege: missing }),
    secrets: await secretsOf(deps),
    ...(clockOffMs !== undefined && { clockOffMs }),
    ...(store && { store }),
    ...(config.network.declared && { declaredJson: networkJson(config.network.declared) }),
    state,
    ...(hostTrouble !== undefined && { interfaceTrouble: hostTrouble }),
    ...(deps.daemon && { daemon: deps.daemon }),
    hasUnit: await hasUnit(files),
    unseen,
  };
  const others = otherSubnets(base).map(({ publicIp }) => publicIp);
  const port = isKnown ? backendPort(state) : undefined;
  const mtu = isKnown ? await externalMtu(deps, state.publicIps.ipv4) : undefined;
  const [mounts, plans, docker, kernel, firewall, listener, paths] = await Promise.all([
    seen('mounts', async () => mountsOf(await textOf(files, '/proc/self/mountinfo'))),
    isKnown ? seen('the plan', () => planAll(session.reconcilers, state.objects, signal)) : undefined,
    isKnown ? seen("docker's bridge", () => dockerBridge(deps, signal)) : undefined,
    seen('links and routes', () => kernelFacts(deps, programs, others.slice(0, MOST_PEERS), signal)),
    seen('the firewall', () => programs.firewall(signal)),
    port === undefined ? undefined : seen('who listens', () => programs.udpListener(port, signal)),
    mtu === undefined
      ? undefined
      : seen('packet sizes', () => pathsTo(others.slice(0, MOST_PATHS), mtu, programs, signal)),
  ]);
  const errorsAfter = await seen('checksum errors', checksumErrors);
  return {
    ...base,
    ...(mounts && { mounts }),
    ...(plans && { plans }),
    ...(docker && { docker }),
    ...(kernel && { kernel }),
    ...(firewall && { firewall }),
    ...(listener && { listener }),
    ...(paths && { paths }),
    ...(errorsBefore !== undefined &&
      errorsAfter !== undefined && { checksumErrors: errorsAfter - errorsBefore }),
  };
}

async function textOf(files: Files, path: string): Promise<string> {
  return (await files.read(path))?.content ?? '';
}

async function missingPrivilege({
  requirePrivileges,
}: DoctorDependencies): Promise<DoctorFacts['missingPrivilege']> {
  try {
    await requirePrivileges();
    return undefined;
  } catch (error) {
    if (!(error instanceof PrivilegeError)) throw error;
    return { capability: error.capability, message: error.message };
  }
}

async function storeFacts(
  { session: { access }, config, clock }: DoctorDependencies,
  signal: AbortSignal,
): Promise<StoreFacts> {
  try {
    const { revision } = await access.store.snapshot(signal);
    await access.refresh(signal);
    let alarms: readonly string[] = [];
    let roundTripMs = Number.POSITIVE_INFINITY;
    for (let trip = 0; trip < ROUND_TRIPS; trip++) {
      const beganMs = clock.boottimeMs();
      alarms = await access.store.alarms(signal);
      roundTripMs = Math.min(roundTripMs, clock.boottimeMs() - beganMs);
    }
    const view = access.view();
    const isServed = config.store.type === 'etcd';
    return { alarms, ...(isServed && { roundTripMs, revision }), ...(view && { view }) };
  } catch (error) {
    if (!(error instanceof StoreUnavailableError)) throw error;
    return { failure: { trouble: error.trouble, message: error.message }, alarms: [] };
  }
}

async function clockOff({
  config: { store },
  clock,
  serverTime,
}: DoctorDependencies): Promise<number | undefined> {
  const [url] = store.type === 'etcd' ? store.endpoints : [];
  const theirs = url === undefined ? undefined : await serverTime(url);
  return theirs === undefined ? undefined : theirs - clock.now();
}

async function secretsOf({ config: { store }, files }: DoctorDependencies): Promise<DoctorFacts['secrets']> {
  if (store.type !== 'etcd') return [];
  const paths = [store.passwordFile, store.tls?.keyFile].filter((path) => path !== undefined);
  const found = await Promise.all(
    paths.map(async (path) => ({ path, mode: (await files.read(path).catch(() => undefined))?.mode })),
  );
  // One that cannot be read is told by whoever needs it.
  return found.flatMap(({ path, mode }) => (mode === undefined ? [] : [{ path, mode: mode & 0o777 }]));
}

const UNIT_DIRECTORIES = ['/etc/systemd/system', '/usr/lib/systemd/system', '/lib/systemd/system'];

async function hasUnit(files: Files): Promise<boolean> {
  const found = await Promise.all(
    UNIT_DIRECTORIES.map((directory) =>
      files.read(`${directory}/flannelette.service`).catch(() => undefined),
    ),
  );
  return found.some((unit) => unit !== undefined);
}

async function externalMtu(
  { netlink }: DoctorDependencies,
  address: Address | undefined,
): Promise<number | undefined> {
  const [links, addresses] = await Promise.all([netlink.links(), netlink.addresses()]);
  const name = addresses.find((found) => found.address === address)?.link;
  return links.find((link) => link.name === name)?.mtu;
}

async function dockerBridge(
  { session: { reconcilers } }: DoctorDependencies,
  signal: AbortSignal,
): Promise<DockerBridgeState | undefined> {
  const found = await reconcilers['docker-bridge']?.observe([], signal);
  return found?.[0]?.state;
}

async function kernelFacts(
  { netlink, sysctls, session: { inputs } }: DoctorDependencies,
  programs: HostPrograms,
  peers: readonly Address[],
  signal: AbortSignal,
): Promise<KernelFacts> {
  const [links, addresses, routes] = await Promise.all([
    netlink.links(),
    netlink.addresses(),
    netlink.routes(),
  ]);
  const own = inputs.publicIps.ipv4;
  const external = addresses.find(({ address }) => address === own)?.link;
  const names = [
    'net.ipv4.ip_forward',
    'net.ipv4.conf.all.rp_filter',
    ...(external === undefined ? [] : [`net.ipv4.conf.${external.replaceAll('.', '/')}.rp_filter`]),
    'net.ipv6.conf.all.forwarding',
    'net.ipv6.conf.all.disable_ipv6',
  ];
  const ways = new Map<Address, string | undefined>();
  for (const peer of peers) ways.set(peer, (await netlink.routeTo(peer))?.link);
  return {
    links,
    addresses,
    routes,
    rules: await programs.rules(signal),
    sysctls: Object.fromEntries(
      await Promise.all(names.map(async (name) => [name, await sysctls.read(name)] as const)),
    ),
    ways,
  };
}
