/** What the masquerade rules do to real packets: who is seen as whom. The network is drawn in lab/neighbours.ts. */
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { type Family, parsePrefix } from '../../src/model/address.js';
import { masqueradeRules, masqueradeTable } from '../../src/model/traffic-rules.js';
import { HostFirewall } from '../../src/sys/firewall/firewall.js';
import { eventually } from '../lab/eventually.js';
import type { Host } from '../lab/host.js';
import { inNamespaceOf } from '../lab/namespace.js';
import { ADDRESSES, type Neighbours, script, withNeighbours } from '../lab/neighbours.js';

type Party = keyof (typeof ADDRESSES)['ipv4'];

const PORT = 5000;
/** What is sent from this port carries kube-proxy's mark. */
const MARKED_PORT = 6000;
const ARRIVAL_MS = 3000;
const { signal } = new AbortController();

/** A UDP socket in the namespace of `host`, or of the host in the middle. */
async function open(host: Host | undefined, family: Family, port: number, address?: string): Promise<Socket> {
  const bind = async () => {
    const socket = createSocket(family === 'ipv4' ? 'udp4' : 'udp6');
    socket.bind(port, address);
    await once(socket, 'listening');
    return socket;
  };
  return host === undefined ? bind() : inNamespaceOf(host.pid, bind);
}

/** Who hears what is sent to PORT: a message and the source address that it came with. */
class Listener {
  readonly #heard: { readonly message: string; readonly source: string }[] = [];

  constructor(readonly socket: Socket) {
    socket.on('message', (message, { address }) => {
      this.#heard.push({ message: String(message), source: address });
    });
  }

  sourceOf(message: string): Promise<string> {
    return eventually(`"${message}" arrives`, ARRIVAL_MS, () => {
      const found = this.#heard.find((one) => one.message === message);
      assert.ok(found, `heard ${JSON.stringify(this.#heard)}`);
      return found.source;
    });
  }
}

const SOURCES_SEEN: readonly {
  readonly name: string;
  readonly from: Party;
  readonly to: 'container' | 'remote' | 'outside';
  readonly marked?: true;
  readonly seen: Party;
}[] = [
  { name: 'a container outside is the host', from: 'container', to: 'outside', seen: 'wan' },
  {
    name: 'the same with the mark of kube-proxy is itself',
    from: 'container',
    to: 'outside',
    marked: true,
    seen: 'container',
  },
  { name: 'a container at a remote one is itself', from: 'container', to: 'remote', seen: 'container' },
  { name: 'a remote container at a local one is itself', from: 'remote', to: 'container', seen: 'remote' },
  { name: 'the outside at a container is itself', from: 'outside', to: 'container', seen: 'outside' },
  { name: 'a remote container outside is the host', from: 'remote', to: 'outside', seen: 'wan' },
  { name: 'the outside at a remote container is the host', from: 'outside', to: 'remote', seen: 'tunnel' },
  {
    name: 'the host at a remote container has an address of the network',
    from: 'wan',
    to: 'remote',
    seen: 'tunnel',
  },
  { name: 'the host outside is itself', from: 'wan', to: 'outside', seen: 'wan' },
];

for (const family of ['ipv4', 'ipv6'] as const) {
  const at = ADDRESSES[family];
  const table = masqueradeTable('flannel0');
  const firewall = new HostFirewall();
  const masquerade = () =>
    firewall.replaceMasquerade(
      {
        family,
        table,
        rules: masqueradeRules(parsePrefix(at.network), parsePrefix(at.subnet)),
        unreadable: [],
      },
      signal,
    );

  describe(`masquerade of real packets, ${family}`, () => {
    it('shows each receiver the source that the six rules say', async () => {
      await withNeighbours(family, async (neighbours) => {
        const listeners = {
          container: new Listener(await open(neighbours.container, family, PORT)),
          remote: new Listener(await open(neighbours.remote, family, PORT)),
          outside: new Listener(await open(neighbours.outside, family, PORT)),
        };
        const hostOf = (party: Party) =>
          party in neighbours ? neighbours[party as keyof Neighbours] : undefined;
        const sourceSeen = async (message: string, from: Party, to: keyof Neighbours, port: number) => {
          const sender = await open(hostOf(from), family, port, at[from]);
          try {
            sender.send(message, PORT, at[to]);
            return await listeners[to].sourceOf(message);
          } finally {
            sender.close();
          }
        };
        try {
          // Without the rules nothing is masqueraded: the test can tell.
          assert.equal(await sourceSeen('before', 'container', 'outside', 0), at.container);
          await masquerade();
          await markPort(family);
          const seen: Record<string, string> = {};
          const want: Record<string, string> = {};
          for (const { name, from, to, marked, seen: party } of SOURCES_SEEN) {
            want[name] = at[party];
            seen[name] = await sourceSeen(name, from, to, marked ? MARKED_PORT : 0);
          }
          assert.deepEqual(seen, want);
        } finally {
          for (const { socket } of Object.values(listeners)) socket.close();
        }
      });
    });

    it('keeps the source of multicast, which nobody answers', async () => {
      await withNeighbours(family, async ({ outside }) => {
        const socket = await open(outside, family, PORT);
        const listener = new Listener(socket);
        const sender = await open(undefined, family, 0, at.bridge);
        try {
          await inNamespaceOf(outside.pid, async () =>
            socket.addMembership(at.group, family === 'ipv4' ? at.outside : '::%eth0'),
          );
          sender.setMulticastInterface(family === 'ipv4' ? at.wan : '::%wan');
          await masquerade();
          sender.send('multicast', PORT, at.group);
          assert.equal(await listener.sourceOf('multicast'), at.bridge);
        } finally {
          socket.close();
          sender.close();
        }
      });
    });

    it('brings answers back to the container', async () => {
      await withNeighbours(family, async ({ container, outside }) => {
        // As in the world: container addresses mean nothing there.
        await outside.script(`ip -${family === 'ipv4' ? 4 : 6} route flush ${at.network}`);
        const ping = () => container.output(['ping', '-c1', '-W1', at.outside]);
        await assert.rejects(ping(), /100% packet loss/);
        await masquerade();
        await ping();
      });
    });
  });
}

async function markPort(family: Family): Promise<void> {
  const table = family === 'ipv4' ? 'ip' : 'ip6';
  await script(`
nft add table ${table} kube
nft 'add chain ${table} kube prerouting { type filter hook prerouting priority mangle; }'
nft add rule ${table} kube prerouting udp sport ${MARKED_PORT} meta mark set 0x4000`);
}
