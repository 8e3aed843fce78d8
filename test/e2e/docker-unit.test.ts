/** Docker's own unit with the drop-in that is shipped: when it starts, from what, and when it is restarted. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ARTICLE_CONFIG, ETCD_URL } from '../lab/cluster.js';
import { startEtcdOn } from '../lab/etcd-host.js';
import { eventually } from '../lab/eventually.js';
import { addInstalledMachine, CONFIG_PATH } from '../lab/installed-machine.js';
import type { Machine } from '../lab/machine.js';
import { onUnderlay } from '../lab/underlay.js';

const TEST_MS = 240_000;
const READY_MS = 60_000;
const DROP_IN = 'docker.service.d/flannelette.conf';
const CONFIG = `${ARTICLE_CONFIG}docker: { onChange: [touch, /run/flannelette/restart-docker] }\n`;

test('Docker with the drop-in', { timeout: TEST_MS }, async (t) => {
  await onUnderlay(async (underlay) => {
    const machine = await addInstalledMachine(underlay, 'machine', '10.8.65.1');
    const etcd = await underlay.addHost('etcd', '10.8.64.10');
    await machine.writeFile(CONFIG_PATH, CONFIG);
    // As docs/install.md has it.
    await machine.script(`
install -D --mode=644 /usr/lib/flannelette/${DROP_IN} /etc/systemd/system/${DROP_IN}
systemctl daemon-reload
systemctl enable --quiet --now flannelette-docker.path`);
    const dockerPid = () => machine.property('docker.service', 'MainPID');

    await t.test('waits for the network', async () => {
      await machine.systemctl('start', '--no-block', 'docker.service');
      await eventually('flannelette tries', READY_MS, async () =>
        assert.match(await machine.property('flannelette.service', 'StatusText'), /^not ready: /),
      );
      assert.equal(await machine.property('docker.service', 'ActiveState'), 'inactive');
      assert.equal(await dockerPid(), '0');
    });

    await t.test('starts in the subnet that the host has leased', async () => {
      await startEtcdOn(etcd, ETCD_URL);
      await eventually('Docker', READY_MS, async () =>
        assert.equal(await machine.property('docker.service', 'ActiveState'), 'active'),
      );
      assert.equal(await dockerAddress(machine), await leasedAddress(machine));
    });

    await t.test('is left alone when the daemon is restarted', async () => {
      const pid = await dockerPid();
      await machine.systemctl('restart', 'flannelette.service');
      assert.equal(await dockerPid(), pid);
    });

    await t.test('is restarted by systemd when the subnet changes', async () => {
      const pid = await dockerPid();
      await machine.writeFile(CONFIG_PATH, `${CONFIG}host: { subnet: 4.0.77.0/24, renumber: allow }\n`);
      await machine.systemctl('reload', 'flannelette.service');
      await eventually('Docker in the new subnet', READY_MS, async () =>
        assert.equal(await dockerAddress(machine), '4.0.77.1/24', await machine.journal(20)),
      );
      assert.notEqual(await dockerPid(), pid);
    });
  });
});

async function dockerAddress(machine: Machine): Promise<string | undefined> {
  const text = await machine.output(['ip', '-4', 'address', 'show', 'dev', 'docker0']);
  return /inet (\S+)/.exec(text)?.[1];
}

async function leasedAddress(machine: Machine): Promise<string | undefined> {
  return /^FLANNEL_SUBNET=(.*)$/m.exec(await machine.readFile('/run/flannel/subnet.env'))?.[1];
}
