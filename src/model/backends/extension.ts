/**
 * flannel's extension backend: the operator's own commands carry the packets. What a command was run for is an object:
 * it is wanted, it is found in the record of what was run, and deleting it runs the command that undoes it.
 */
import type { Family } from '../address.js';
import { PRE_STARTUP } from '../command-record.js';
import type { Desired } from '../diff.js';
import { commandKey } from '../keys.js';
import type { JsonValue } from '../lease.js';
import type { CommandLine, CommandState } from '../objects.js';
import {
  type Backend,
  type BackendInput,
  type BackendPlan,
  type FamilyPart,
  type FamilyPeer,
  familyParts,
  ignoredPeers,
  ofPeers,
} from './backend.js';
import type { Command, Options, ValuesOf } from './options.js';

const TYPE = 'extension';
const POST_STARTUP = 'post-startup';

function command(json: string, about: string) {
  return { kind: 'command', json, about, example: '[/usr/local/sbin/overlay, up]' } as const;
}

const OPTIONS = {
  preStartupCommand: command(
    'PreStartupCommand',
    "Run before the lease is taken; what it prints is published with this host's lease.",
  ),
  postStartupCommand: command(
    'PostStartupCommand',
    'Run once this host has its subnet and before any subnetAddCommand, with NETWORK, SUBNET, IPV6SUBNET, PUBLIC_IP and PUBLIC_IPV6.',
  ),
  subnetAddCommand: command(
    'SubnetAddCommand',
    'Run for each other host, with its SUBNET and PUBLIC_IP; its published data comes on the standard input.',
  ),
  subnetRemoveCommand: command(
    'SubnetRemoveCommand',
    'Run for a host that is gone, with what subnetAddCommand was told of it.',
  ),
  shutdownCommand: command(
    'ShutdownCommand',
    'Run when the network is taken off this host, by destroy or by another backend; not at a restart.',
  ),
  shell: {
    kind: 'flag',
    json: 'Shell',
    default: false,
    example: 'true',
    about:
      'Whether a command that is one text is run by sh -c. Otherwise it is cut at white space, and $SUBNET and the like are filled in.',
  },
  timeoutSeconds: {
    kind: 'integer',
    json: 'TimeoutSeconds',
    least: 1,
    most: 12,
    default: 10,
    example: '5',
    about: 'How long one command may take; then it is killed, and tried again later.',
  },
} as const satisfies Options;

/** Characters of what another host publishes; more is no key or address of a tunnel, and would fill the record of what was run. */
const MOST_DATA = 4_096;

type Input = BackendInput<ValuesOf<typeof OPTIONS>>;
type Variables = Readonly<Record<string, string>>;

export const extension: Backend<typeof OPTIONS> = { type: TYPE, runsCommands: true, options: OPTIONS, plan };

function plan(input: Input): BackendPlan {
  const { options, host, mtu, requires } = input;
  const parts = familyParts(TYPE, input);
  const lineOf = lineMaker(input);
  const pre = lineOf(options.preStartupCommand, {}, '');
  const [post, shutdown] = [options.postStartupCommand, options.shutdownCommand].map((text) =>
    lineOf(text, ownVariables(parts), ''),
  );
  const started = desired(PRE_STARTUP, pre, undefined, []);
  const isRun = pre !== undefined;
  const data = isRun ? (host.startupOutput ?? input.ownLease?.attributes.backendData) : undefined;
  const peers = parts.map(({ family }) => peersOf(input, family));
  return {
    mtu: mtu === 'auto' ? host.external.mtu : mtu,
    lease: { backendType: TYPE, ...(data !== undefined && data !== '' && { backendData: data }) },
    ...(isRun && { leaseRequires: [commandKey(PRE_STARTUP)] }),
    objects: {
      command: [
        ...started,
        ...desired(POST_STARTUP, post, shutdown, requires),
        ...peers.flatMap(({ objects }) => objects),
      ],
    },
    devices: [],
    entrances: [],
    ignored: peers.flatMap(({ ignored }) => ignored),
  };
}

function peersOf(input: Input, family: Family) {
  const { options } = input;
  // flannel tells of no other host before its own start is done: what carries the packets may be made there.
  const requires =
    options.postStartupCommand === undefined ? input.requires : [...input.requires, commandKey(POST_STARTUP)];
  const lineOf = lineMaker(input);
  // flannel's extension has one text for both families.
  const backend = { type: TYPE, published: TYPE, dataOf: 'ipv4' } as const;
  const list = (name: string) => ({ name, family, backend, context: { options, requires } });
  const { subnetAddCommand, subnetRemoveCommand } = options;
  return {
    objects: ofPeers(input, list('commands'), (peer): Desired<CommandState> | undefined => {
      if (tooMuch(peer) !== undefined) return undefined;
      const told = [peerVariables(family, peer), dataText(peer.data)] as const;
      const [object] = desired(
        peer.subnet,
        lineOf(subnetAddCommand, ...told),
        lineOf(subnetRemoveCommand, ...told),
        requires,
      );
      return object;
    }),
    ignored: ignoredPeers(input, list('ignored'), tooMuch),
  };
}

function tooMuch({ data }: FamilyPeer): string | undefined {
  const { length } = dataText(data);
  return length > MOST_DATA ? `publishes ${length} characters, at most ${MOST_DATA} are taken` : undefined;
}

/** Nothing where there is nothing to run. */
function desired(
  purpose: string,
  run: CommandLine | undefined,
  undo: CommandLine | undefined,
  requires: Desired<CommandState>['requires'] & object,
): readonly Desired<CommandState>[] {
  if (run === undefined && undo === undefined) return [];
  const state = { purpose, ...(run && { run }), ...(undo && { undo }) };
  return [{ key: commandKey(purpose), state, requires }];
}

function lineMaker({ options: { shell, timeoutSeconds } }: Input) {
  return (text: Command | undefined, env: Variables, data: string): CommandLine | undefined => {
    if (text === undefined) return undefined;
    return { argv: argvOf(text, shell, env), env, input: `${data}\n`, timeoutMs: timeoutSeconds * 1_000 };
  };
}

/** As flannel does it: since 0.28.2 without a shell, and before that by one. */
function argvOf(text: Command, shell: boolean, env: Variables): readonly string[] {
  if (typeof text !== 'string') return text;
  if (shell) return ['/bin/sh', '-c', text];
  const filled = text.replace(/\$(\w+)|\$\{(\w+)\}/g, (all, bare, braced) => env[bare ?? braced] ?? all);
  return filled.split(/\s+/).filter((word) => word !== '');
}

function ownVariables(parts: readonly FamilyPart[]): Variables {
  const variables = parts.map(({ family, network, subnet, publicIp }) =>
    family === 'ipv4'
      ? { NETWORK: network.cidr, SUBNET: subnet, PUBLIC_IP: publicIp }
      : { IPV6SUBNET: subnet, PUBLIC_IPV6: publicIp },
  );
  return Object.assign({}, ...variables);
}

/** flannel documents the IPv6 ones, and sets none. */
function peerVariables(family: Family, { subnet, publicIp }: FamilyPeer): Variables {
  return family === 'ipv4'
    ? { SUBNET: subnet, PUBLIC_IP: publicIp }
    : { IPV6SUBNET: subnet, PUBLIC_IPV6: publicIp };
}

/** What a host of this backend publishes is a text. */
function dataText(data: JsonValue | undefined): string {
  if (data === undefined) return '';
  return typeof data === 'string' ? data : JSON.stringify(data);
}
