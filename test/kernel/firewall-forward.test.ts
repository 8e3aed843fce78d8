/** The forward chain against policies that drop: packets of a container through the host (drawn in lab/neighbours.ts). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Family, parsePrefix } from '../../src/model/address.js';
import type { ForwardState } from '../../src/model/objects.js';
import { HostFirewall } from '../../src/sys/firewall/firewall.js';
import { ADDRESSES, type Neighbours, script, withNeighbours } from '../lab/neighbours.js';

const CHAIN = 'FLANNEL-FWD';
const PROGRAM = { ipv4: 'iptables', ipv6: 'ip6tables' } as const;
const OTHER = { ipv4: '10.6.0.0/16', ipv6: 'fd00:6::/48' } as const;
const { signal } = new AbortController();

function wanted(family: Family): ForwardState {
  const accept = [parsePrefix(ADDRESSES[family].network)];
  return { family, chain: CHAIN, accept, jump: true, unreadable: [] };
}

/** The rules of dockerd 20.10 with no container: its own bridge aside, everything meets the policy. */
function startDocker(iptables: string): Promise<void> {
  return script(`
${iptables} -P FORWARD DROP
for chain in DOCKER DOCKER-ISOLATION-STAGE-1 DOCKER-ISOLATION-STAGE-2 DOCKER-USER; do ${iptables} -N $chain; done
${iptables} -I FORWARD -i docker0 -o docker0 -j ACCEPT
${iptables} -I FORWARD -i docker0 ! -o docker0 -j ACCEPT
${iptables} -I FORWARD -o docker0 -j DOCKER
${iptables} -I FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
${iptables} -A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
${iptables} -A DOCKER-ISOLATION-STAGE-1 -j RETURN
${iptables} -A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
${iptables} -A DOCKER-ISOLATION-STAGE-2 -j RETURN
${iptables} -I FORWARD -j DOCKER-ISOLATION-STAGE-1
${iptables} -A DOCKER-USER -j RETURN
${iptables} -I FORWARD -j DOCKER-USER`);
}

for (const family of ['ipv4', 'ipv6'] as const) {
  const at = ADDRESSES[family];
  const firewall = new HostFirewall();
  const makeChain = () => firewall.replaceForward(wanted(family), signal);
  const inSync = async () =>
    assert.deepEqual((await firewall.forward(family, CHAIN, signal))?.state, wanted(family));
  const assertPasses = async ({ container, outside }: Neighbours) => {
    await container.output(['ping', '-c1', '-W2', at.outside]);
    await outside.output(['ping', '-c1', '-W2', at.container]);
  };
  const assertDropped = async ({ container, outside }: Neighbours) => {
    const lost = (ping: Promise<string>) => assert.rejects(ping, /100% packet loss/);
    await Promise.all([
      lost(container.output(['ping', '-c1', '-W0.5', at.outside])),
      lost(outside.output(['ping', '-c1', '-W0.5', at.container])),
    ]);
  };
  const test = (name: string, body: (neighbours: Neighbours) => Promise<void>) =>
    it(name, () => withNeighbours(family, body));

  describe(`forwarding under a policy of DROP, ${family}`, () => {
    test('passes with our chain and not without it', async (neighbours) => {
      await assertPasses(neighbours);
      await script(`${PROGRAM[family]} -P FORWARD DROP`);
      await assertDropped(neighbours);
      await makeChain();
      await assertPasses(neighbours);
      await script(`${PROGRAM[family]} -F FORWARD`);
      await assertDropped(neighbours);
      await makeChain();
      await assertPasses(neighbours);
      await firewall.deleteForward(family, CHAIN, signal);
      await assertDropped(neighbours);
    });

    test('lets nothing through that is not of the network', async (neighbours) => {
      await script(`${PROGRAM[family]} -P FORWARD DROP`);
      await firewall.replaceForward({ ...wanted(family), accept: [parsePrefix(OTHER[family])] }, signal);
      await assertDropped(neighbours);
    });

    test('passes when Docker started before us', async (neighbours) => {
      await startDocker(PROGRAM[family]);
      await assertDropped(neighbours);
      await makeChain();
      await assertPasses(neighbours);
      await inSync();
    });

    test('passes when Docker starts after us', async (neighbours) => {
      await makeChain();
      await startDocker(PROGRAM[family]);
      await assertPasses(neighbours);
      await inSync();
    });

    test('passes when Docker works through the legacy tables', async (neighbours) => {
      const legacy = `${PROGRAM[family]}-legacy`;
      await makeChain();
      await startDocker(`${legacy} -w 5`);
      await assertDropped(neighbours);
      const { state } = (await firewall.forward(family, CHAIN, signal)) ?? {};
      assert.deepEqual(state?.unreadable, [`no ${CHAIN} in ${legacy}`]);
      await makeChain();
      await assertPasses(neighbours);
      await inSync();
      await script(`${PROGRAM[family]} -P FORWARD DROP`);
      await assertPasses(neighbours);
      await script(`${legacy} -w 5 -F FORWARD`);
      await assertDropped(neighbours);
      const found = await firewall.forward(family, CHAIN, signal);
      assert.deepEqual(found?.state.unreadable, [`another ${CHAIN} in ${legacy}`]);
      await firewall.deleteForward(family, CHAIN, signal);
      assert.equal(await firewall.forward(family, CHAIN, signal), undefined);
      await script(`! ${legacy} -w 5 -S ${CHAIN} 2>&1`);
    });
  });
}
