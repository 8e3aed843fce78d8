/** What is said of Docker's bridge, over a kernel and a firewall in memory. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAddress, parsePrefix } from '../../../src/model/address.js';
import type { BridgeDrop, BridgeFirewall } from '../../../src/model/docker/bridge.js';
import type { DesiredDocker } from '../../../src/model/docker/desired-docker.js';
import { ObserveError } from '../../../src/ports.js';
import { dockerBridgeReconciler } from '../../../src/reconcilers/docker-bridge.js';
import { FakeFirewall } from '../../fakes/fake-firewall.js';
import { fakeHost } from '../../fakes/fake-kernel.js';

const WANT: DesiredDocker = {
  bridge: 'docker0',
  address: parseAddress('4.0.100.1'),
  subnet: parsePrefix('4.0.100.0/24'),
  mtu: 1472,
  masquerade: true,
  source: '/run/flannel/docker',
  devices: ['flannel0'],
};
const MASQUERADED: BridgeFirewall = { masquerades: true, drops: [] };
const { signal } = new AbortController();

interface Bridge {
  readonly address?: string;
  readonly mtu?: number;
  readonly carrier?: boolean;
  readonly rules?: BridgeFirewall | Error;
}

async function said(
  bridge: Bridge | undefined,
  want: DesiredDocker | undefined = WANT,
): Promise<readonly string[]> {
  const kernel = fakeHost({ address: '10.8.65.66/16', gateway: '10.8.0.1' });
  const firewall = new FakeFirewall();
  if (bridge !== undefined) {
    const { address = '4.0.100.1/24', mtu = 1472, carrier = true, rules = MASQUERADED } = bridge;
    kernel.addLink({ name: 'docker0', kind: 'bridge', mtu, up: true, carrier });
    const [ip = '', length] = address.split('/');
    kernel.foreign({ op: 'add-address', link: 'docker0', address: parseAddress(ip), length: Number(length) });
    if (rules instanceof Error) firewall.failure = { reads: rules };
    else firewall.setBridge('docker0', rules);
  }
  const reconciler = dockerBridgeReconciler(kernel.netlink, firewall, () => want);
  const { actions, foreign } = reconciler.diff([], await reconciler.observe([], signal));
  assert.deepEqual(actions, []);
  assert.ok(foreign.every(({ blocks }) => !blocks));
  return foreign.map(({ key, reason }) => `${key}: ${reason}`);
}

describe('docker-bridge reconciler', () => {
  it('has nothing to say of a bridge that is as the lease says', async () => {
    assert.deepEqual(await said({}), []);
  });

  it('has nothing to say where there is no bridge, or where Docker is left alone', async () => {
    assert.deepEqual(await said(undefined), []);
    const reconciler = dockerBridgeReconciler(
      fakeHost({ address: '10.8.65.66/16' }).netlink,
      new FakeFirewall(),
      () => undefined,
    );
    assert.deepEqual(await reconciler.observe([], signal), []);
  });

  it('names both addresses and the remedy', async () => {
    assert.deepEqual(await said({ address: '172.17.0.1/16' }), [
      'docker-bridge:docker0: docker0 has 172.17.0.1/16, the lease says 4.0.100.1/24: restart docker with /run/flannel/docker',
    ]);
  });

  it('names both MTUs, once a container is on the bridge', async () => {
    assert.deepEqual(await said({ mtu: 1500 }), [
      'docker-bridge:docker0: docker0 has MTU 1500, the network has 1472: restart docker with /run/flannel/docker',
    ]);
    assert.deepEqual(await said({ mtu: 1500, carrier: false }), []);
  });

  it('says when both masquerade, or nobody does', async () => {
    assert.match(
      (await said({}, { ...WANT, masquerade: false })).join(),
      /docker masquerades 4\.0\.100\.0\/24 as well as this host/,
    );
    assert.match(
      (await said({ rules: { masquerades: false, drops: [] } })).join(),
      /nobody masquerades 4\.0\.100\.0\/24: docker should, since network\.ipMasq is false: restart docker with/,
    );
    assert.deepEqual(
      await said({ rules: { masquerades: false, drops: [] } }, { ...WANT, masquerade: false }),
      [],
    );
  });

  const raw = (number: number): BridgeDrop => ({
    at: 'prerouting',
    rule: `-t raw -A PREROUTING -d 4.0.100.${number}/32 ! -i docker0 -j DROP`,
    by: 'iptables',
  });
  const forward: BridgeDrop = {
    at: 'forward',
    rule: '-A DOCKER ! -i docker0 -o docker0 -j DROP',
    by: 'iptables',
  };

  it('names the rules that cut the bridge off, and the remedy of each', async () => {
    const [line = '', ...others] = await said({
      rules: { masquerades: true, drops: [raw(2), raw(3), raw(4), forward] },
    });
    assert.deepEqual(others, []);
    assert.ok(line.startsWith('docker-bridge:docker0 firewall: packets of other hosts are dropped by '));
    assert.ok(line.includes(`${raw(2).rule}; ${raw(3).rule}; 2 more: `), line);
    assert.match(line, /--allow-direct-routing/);
    assert.match(line, /com\.docker\.network\.bridge\.trusted_host_interfaces=flannel0/);
    assert.match(line, /iptables -I DOCKER-USER -d 4\.0\.100\.0\/24 -j ACCEPT/);
    assert.match(line, /gateway_mode_ipv4=nat-unprotected/);
  });

  it("offers no exception where Docker's own nft table drops: none in another table would help", async () => {
    const drops: readonly BridgeDrop[] = [{ at: 'forward', rule: 'docker-bridges x drop', by: 'nftables' }];
    const [line = ''] = await said({ rules: { masquerades: true, drops } });
    assert.doesNotMatch(line, /DOCKER-USER/);
    assert.match(line, /nat-unprotected/);
  });

  it('says that the rules cannot be read, and what else it knows', async () => {
    assert.deepEqual(
      await said({ address: '172.17.0.1/16', rules: new ObserveError('iptables is out of order') }),
      [
        'docker-bridge:docker0: docker0 has 172.17.0.1/16, the lease says 4.0.100.1/24: restart docker with /run/flannel/docker',
        'docker-bridge:docker0 firewall: cannot tell what becomes of its packets: iptables is out of order',
      ],
    );
  });
});
