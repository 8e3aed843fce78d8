/** What `doctor` looks for in the process and in this host's settings. */
import type { Prefix } from '../address.js';
import { isDecided } from '../desired.js';
import { cidrsOf } from '../network.js';
import type { Action } from '../plan.js';
import type { DoctorFacts, Mount } from './facts.js';
import { type Finding, shellWord } from './finding.js';

/** `NoNetAdmin`, `NoTunDevice`: what the process itself lacks. */
export function privilegeFindings({ missingPrivilege, configPath }: DoctorFacts): readonly Finding[] {
  if (missingPrivilege === undefined) return [];
  const { capability, message } = missingPrivilege;
  if (capability !== '/dev/net/tun') {
    const run = `sudo flannelette doctor -f ${shellWord(configPath)}`;
    return [{ code: 'NoNetAdmin', detail: message, remedy: [{ run }] }];
  }
  // linux/Documentation/networking/tuntap.rst: character device 10, 200. The module is built in where modprobe knows none.
  const remedy = [
    { run: 'modprobe --quiet tun || true' },
    { run: '[ -e /dev/net/tun ] || { mkdir -p /dev/net && mknod -m 666 /dev/net/tun c 10 200; }' },
  ];
  return [{ code: 'NoTunDevice', detail: message, remedy, isSafe: true }];
}

/** The rights of everybody else than owner and group. */
const OTHERS = 0o007;

export function secretFindings({ secrets }: DoctorFacts): readonly Finding[] {
  return secrets
    .filter(({ mode }) => (mode & OTHERS) !== 0)
    .map(({ path, mode }) => ({
      code: 'SecretExposed',
      detail: `${path} has mode ${mode.toString(8).padStart(4, '0')}`,
      remedy: [{ run: `chmod o= ${shellWord(path)}` }],
      isSafe: true,
    }));
}

export function directoryFindings({ config, mounts }: DoctorFacts): readonly Finding[] {
  if (mounts === undefined) return [];
  const { files, docker, instance } = config;
  const written = [
    instance.runtimeDirectory,
    instance.stateDirectory,
    files.subnetEnv,
    ...(docker.mode === 'options-file' ? [files.dockerOptions] : []),
    ...(docker.mode === 'daemon-json' ? [docker.daemonJson] : []),
  ];
  const found = new Map<string, string>();
  for (const path of written) {
    const mount = mountOf(path, mounts);
    if (mount?.isReadOnly && !found.has(mount.path)) found.set(mount.path, path);
  }
  return [...found].map(([mount, path]) => ({
    code: 'DirectoryReadOnly',
    detail: `${path} is to be written, and ${mount} is mounted read-only`,
    remedy: [{ run: `mount -o remount,rw ${shellWord(mount)}` }],
  }));
}

/** Of several on one place the last one counts: it hides the others. */
function mountOf(path: string, mounts: readonly Mount[]): Mount | undefined {
  let found: Mount | undefined;
  for (const mount of mounts) {
    const isAbove = mount.path === '/' || path === mount.path || path.startsWith(`${mount.path}/`);
    if (isAbove && mount.path.length >= (found?.path.length ?? 0)) found = mount;
  }
  return found;
}

/** A certificate's dates are minutes apart at least; HTTP tells the time in whole seconds. */
const MOST_OFF_MS = 5_000;

export function clockFindings({ clockOffMs }: DoctorFacts): readonly Finding[] {
  if (clockOffMs === undefined || Math.abs(clockOffMs) <= MOST_OFF_MS) return [];
  const seconds = Math.round(Math.abs(clockOffMs) / 1000);
  const detail = `this host's clock is ${seconds} s ${clockOffMs > 0 ? 'behind' : 'ahead of'} etcd's`;
  return [{ code: 'ClockOff', detail, remedy: [{ run: 'timedatectl set-ntp true' }] }];
}

export function sysctlFindings({ kernel, config, state }: DoctorFacts): readonly Finding[] {
  const { sysctls } = kernel ?? {};
  if (sysctls === undefined) return [];
  const networks = state && isDecided(state) ? state.networks : declaredNetworks({ config });
  const hasIpv6 = networks.some((prefix) => prefix.includes(':'));
  const hasIpv4 = networks.length === 0 || networks.some((prefix) => !prefix.includes(':'));
  return [
    ...(hasIpv4 ? unless(sysctls, 'ForwardingOff', 'net.ipv4.ip_forward', '1') : []),
    ...(hasIpv6
      ? [
          ...unless(sysctls, 'ForwardingOff', 'net.ipv6.conf.all.forwarding', '1'),
          ...unless(sysctls, 'Ipv6Disabled', 'net.ipv6.conf.all.disable_ipv6', '0'),
        ]
      : []),
  ];
}

function declaredNetworks({ config: { network } }: Pick<DoctorFacts, 'config'>): readonly Prefix[] {
  return network.declared === undefined ? [] : cidrsOf(network.declared);
}

function unless(
  sysctls: Readonly<Record<string, string | undefined>>,
  code: 'ForwardingOff' | 'Ipv6Disabled',
  name: string,
  want: string,
): readonly Finding[] {
  const value = sysctls[name];
  if (value === undefined || value === want) return [];
  const remedy = [{ run: `sysctl -w ${name}=${want}` }];
  return [{ code, detail: `${name} is ${value}, must be ${want}`, remedy, isSafe: true }];
}

export function daemonFindings({ daemon, hasUnit, configPath }: DoctorFacts): readonly Finding[] {
  if (daemon !== undefined) return [];
  const run = hasUnit
    ? 'systemctl enable --now flannelette'
    : `flannelette run -f ${shellWord(configPath)} </dev/null >/dev/null 2>&1 &`;
  return [{ code: 'DaemonNotRunning', detail: 'no daemon answers on this host', remedy: [{ run }] }];
}

/** With a daemon, `status` says what it is at. */
export function planFindings({ plans, daemon, configPath }: DoctorFacts): readonly Finding[] {
  const planned: readonly (readonly Action[])[] = Object.values(plans ?? {}).map(({ actions }) => actions);
  const actions = daemon === undefined ? planned.flat() : [];
  const [first] = actions;
  if (first === undefined) return [];
  const more = actions.length === 1 ? '' : ` (and ${actions.length - 1} more)`;
  return [
    {
      code: 'NotAsWanted',
      detail: `${first.key}: to ${first.verb}: ${first.reason}${more}`,
      remedy: [{ run: `flannelette apply -f ${shellWord(configPath)}` }],
    },
  ];
}
