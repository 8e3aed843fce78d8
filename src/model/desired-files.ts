/** The files that others read: flannel's and Docker's. */
import type { Config } from './config.js';
import type { Desired } from './diff.js';
import { type DesiredDocker, dockerSettings } from './docker/desired-docker.js';
import { dockerOptionsFile, subnetEnv } from './env-files.js';
import { dockerSettingsKey, fileKey } from './keys.js';
import type { Subnets } from './lease.js';
import type { NetworkConfig } from './network.js';
import type { DockerSettingsState, FileState } from './objects.js';
import type { ResourceKey } from './plan.js';

export function desiredEnvFiles(
  { network: { ipMasq }, files, docker }: Config,
  network: NetworkConfig,
  subnets: Subnets,
  mtu: number,
  requires: readonly ResourceKey[],
): readonly Desired<FileState>[] {
  const env = subnetEnv({ network, subnets, mtu, ipMasq });
  const contents: readonly (readonly [path: string, content: string])[] = [
    [files.subnetEnv, env],
    ...(docker.mode === 'options-file' ? [[files.dockerOptions, dockerOptionsFile(env)] as const] : []),
  ];
  // 0644 whatever the umask: Docker and the CNI plugin read them as other users.
  return contents.map(([path, content]) => ({
    key: fileKey(path),
    state: { path, content, mode: 0o644 },
    requires,
  }));
}

export function desiredDockerSettings(
  { docker: { mode, daemonJson: path } }: Config,
  docker: DesiredDocker | undefined,
  requires: readonly ResourceKey[],
): readonly Desired<DockerSettingsState>[] {
  if (mode !== 'daemon-json' || docker === undefined) return [];
  return [
    {
      key: dockerSettingsKey(path),
      state: { path, settings: dockerSettings(docker), foreign: [] },
      requires,
    },
  ];
}
