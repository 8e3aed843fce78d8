/** A machine with the program on it as `make install PREFIX=/usr` puts it there, and with its file. */
import { join } from 'node:path';
import { ARTICLE_CONFIG } from './cluster.js';
import type { Machine } from './machine.js';
import { outputOf } from './process.js';
import { repositoryRoot } from './repository.js';
import type { Underlay } from './underlay.js';

export const CONFIG_PATH = '/etc/flannelette/flannelette.yaml';
const INSTALL_MS = 60_000;

/** The unit is known to systemd and not started. */
export async function addInstalledMachine(
  underlay: Underlay,
  name: string,
  address: string,
): Promise<Machine> {
  const machine = await underlay.addMachine(name, address);
  await installOn(machine);
  await machine.writeFile(CONFIG_PATH, ARTICLE_CONFIG);
  return machine;
}

async function installOn(machine: Machine): Promise<void> {
  const script = join(repositoryRoot(), 'scripts/install-files');
  await outputOf([script, 'install', machine.seenFromOutside(''), '/usr'], { timeoutMs: INSTALL_MS });
  // As docs/install.md has it.
  await machine.script('systemd-sysusers\nsystemd-tmpfiles --create flannelette.conf');
  await machine.systemctl('daemon-reload');
}

/** Changes a unit as an administrator would: a file beside it that overrides some of its lines. */
export async function overrideUnit(machine: Machine, unit: string, lines: string): Promise<void> {
  await machine.writeFile(`/etc/systemd/system/${unit}.d/test.conf`, `[Service]\n${lines}\n`);
  await machine.systemctl('daemon-reload');
}
