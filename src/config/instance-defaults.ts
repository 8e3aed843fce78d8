/**
 * Defaults that hang on the instance's name: two networks on one host must not write each other's files. The places are
 * flannel's, those of several networks too (its -subnet-dir, up to v0.7).
 */
import { type Config, DEFAULT_INSTANCE } from '../model/config.js';
import type { FileValues } from './schema.js';

type Given = Pick<FileValues, 'files' | 'docker' | 'instance'>;

export function filesOf({ files, instance: { name } }: Given): Config['files'] {
  const own = `/run/flannel/networks/${name}`;
  const usual = isUsual(name)
    ? { subnetEnv: '/run/flannel/subnet.env', dockerOptions: '/run/flannel/docker' }
    : { subnetEnv: `${own}.env`, dockerOptions: `${own}.docker` };
  return {
    subnetEnv: files.subnetEnv ?? usual.subnetEnv,
    dockerOptions: files.dockerOptions ?? usual.dockerOptions,
  };
}

/** One Docker is in one network: that of the usual instance, unless the file says otherwise. */
export function dockerModeOf({ docker, instance: { name } }: Given): Config['docker']['mode'] {
  return docker.mode ?? (isUsual(name) ? 'options-file' : 'off');
}

function isUsual(name: string): boolean {
  return name === DEFAULT_INSTANCE.name;
}
