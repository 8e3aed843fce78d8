/** What mk-docker-opts.sh does, as a function: subnet.env in, Docker's options out. The files themselves are the caller's. */
import { dockerOptions, environmentVariables, parseSubnetEnv, trueOrFalse } from '../model/env-files.js';
import type { NetlinkRoute } from '../ports.js';
import { EXIT } from './exit-codes.js';

export interface DockerOptsOptions {
  /** -f: named in messages. */
  readonly subnetEnvPath: string;
  /** -i */
  readonly individual: boolean;
  /** -c: neither of the two means both. */
  readonly combined: boolean;
  /** -k: name of the combined variable. */
  readonly key: string;
  /** False with -m: Docker's masquerading is not mentioned. */
  readonly ipMasq: boolean;
  /** As the script: without a subnet.env, or with half of one, whatever is left is written and all is well. */
  readonly compat: boolean;
}

/** The script's own. */
export const DOCKER_OPTS_DEFAULTS = {
  subnetEnvPath: '/run/flannel/subnet.env',
  outputPath: '/run/docker_opts.env',
  key: 'DOCKER_OPTS',
} as const;

/** The script has one code for everything that goes wrong. */
const SCRIPT_FAILED = 1;

export type DockerOptsResult =
  | { readonly exit: typeof EXIT.done; readonly output: string }
  | {
      readonly exit: typeof EXIT.drift | typeof EXIT.failed | typeof EXIT.usage;
      readonly message: string;
    };

/**
 * `subnetEnvText` is undefined when there is no such file: then nothing is to be written, and the exit code
 * says "not ready", because Docker would start outside the network. DOCKER_OPT_* and the combined
 * variable of `environment` are kept, as the script keeps them.
 */
export function dockerOpts(
  options: DockerOptsOptions,
  subnetEnvText: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): DockerOptsResult {
  const { subnetEnvPath, individual, combined, key, ipMasq, compat } = options;
  if (!/^[A-Za-z_]\w*$/.test(key)) {
    return { exit: EXIT.usage, message: `Cannot use "${key}" as a variable: must be letters, digits and _` };
  }
  if (subnetEnvText === undefined && !compat) {
    const message = `Cannot read ${subnetEnvPath}: no such file; is the daemon running? (--wait 30s waits for it, --compat writes empty options)`;
    return { exit: EXIT.drift, message };
  }
  const variables = environmentVariables(subnetEnvText ?? '');
  const masquerades = variables.get('FLANNEL_IPMASQ');
  const wrong = compat ? undefined : incomplete(subnetEnvText ?? '');
  if (wrong !== undefined) return { exit: EXIT.failed, message: `Cannot use ${subnetEnvPath}: ${wrong}` };
  if (ipMasq && masquerades !== undefined && masquerades !== '' && trueOrFalse(masquerades) === undefined) {
    const message = `Cannot use ${subnetEnvPath}: FLANNEL_IPMASQ is "${masquerades}", must be true or false`;
    return { exit: compat ? SCRIPT_FAILED : EXIT.failed, message };
  }
  const both = individual === combined;
  const output = dockerOptions(
    {
      bip: written(variables.get('FLANNEL_SUBNET')),
      mtu: written(variables.get('FLANNEL_MTU')),
      ipMasq: ipMasq ? trueOrFalse(masquerades) : undefined,
    },
    {
      individual: individual || both,
      combined: combined || both ? key : undefined,
      // A name such as `constructor` is a variable like any other.
      existing: variables.get(key) ?? (Object.hasOwn(environment, key) ? environment[key] : undefined),
      others: dockerOptVariables(environment, variables),
    },
  );
  return { exit: EXIT.done, output };
}

/**
 * What the script looks for when all is written: a route to our own subnet by way of another host, which stands there
 * when two hosts hold one subnet. Docker's containers would be cut off.
 */
export function strayRoute(
  subnetEnvText: string | undefined,
  routes: readonly Pick<NetlinkRoute, 'destination' | 'via'>[],
): { readonly exit: typeof SCRIPT_FAILED; readonly message: string } | undefined {
  const subnet = parseSubnetEnv(subnetEnvText ?? '').subnets.ipv4;
  const stray = routes.find(({ destination, via }) => destination === subnet && via !== undefined);
  if (stray === undefined) return undefined;
  const message = `Docker's containers will not be reached: a route leads to their subnet ${subnet} via ${stray.via}`;
  return { exit: SCRIPT_FAILED, message };
}

/** Docker's options in this environment, and those that somebody wrote into subnet.env: the script sources it. */
function dockerOptVariables(
  environment: Readonly<Record<string, string | undefined>>,
  variables: ReadonlyMap<string, string>,
): Record<string, string> {
  const entries = [...Object.entries(environment), ...variables];
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => entry[0].startsWith('DOCKER_OPT_') && !!entry[1]),
  );
}

/** What Docker cannot do without. An IPv6-only network has no FLANNEL_SUBNET, and Docker no option for its own. */
function incomplete(text: string): string | undefined {
  const { subnets, mtu } = parseSubnetEnv(text);
  if (subnets.ipv4 === undefined && subnets.ipv6 === undefined) {
    return 'FLANNEL_SUBNET must be one address with its length';
  }
  return mtu === undefined ? 'FLANNEL_MTU must be a number of bytes' : undefined;
}

function written(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}
