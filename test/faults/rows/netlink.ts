/** More news than a socket holds, and a kernel that answers badly. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { ObserveError, SystemError } from '../../../src/ports.js';
import { parseRoute } from '../../../src/sys/netlink/answers.js';
import { NetlinkChannel } from '../../../src/sys/netlink/channel.js';
import { allRoutes } from '../../../src/sys/netlink/requests.js';
import { type Datagrams, NETLINK_ROUTE, NetlinkSocket } from '../../../src/sys/netlink/socket.js';
import { seededRandom } from '../../fakes/seeded-random.js';
import { inNamespaceOf } from '../../lab/namespace.js';
import type { Row, Size } from '../row.js';
import type { Scene } from '../scene.js';
import type { Station } from '../station.js';

const DUMPS = { test: 300, standard: 10_000, full: 10_000 } as const;
/** Each is announced when it is added and when it is deleted. */
const ROUTES = { test: 10_000, standard: 50_000, full: 50_000 } as const;

export const NETLINK_ROWS: readonly Row[] = [
  {
    id: 'N1',
    fault: 'more happens to routes than the socket holds (ENOBUFS), and ours is deleted among it',
    expected: 'What was lost is not missed: one look at everything follows.',
    bar: { healedMs: 500 },
    counts: { test: 1, standard: 5, full: 20 },
    inject: overrun,
  },
  {
    id: 'N2',
    fault: '100,000 foreign route events in a burst',
    expected: 'They cost the control plane some processor time, and packets nothing.',
    bar: { lost: 0, cpuPercent: 50 },
    counts: { test: 1, standard: 3, full: 10 },
    inject: flood,
  },
  {
    id: 'N3',
    fault: 'lists are interrupted (NLM_F_DUMP_INTR), break off, are refused, or are mixed with other answers',
    expected: 'The list is asked for again. What is acted on is whole, or nothing is.',
    bar: {},
    counts: { test: 1, standard: 1, full: 10 },
    inject: badDumps,
  },
];

async function overrun({ first }: Scene) {
  const wanted = await first.picture();
  const before = lostEvents(first);
  first.daemon.signal('SIGSTOP');
  // What the kernel cannot queue any more it drops: the daemon is told that something is lost, and no more.
  await churn(first, ROUTES.test);
  await first.shell.run('ip route delete 4.0.0.0/16');
  assert.ok(lostEvents(first) > before, 'nothing was lost');
  const start = performance.now();
  first.daemon.signal('SIGCONT');
  const healedMs = await first.until('our route is back', start, async () =>
    assert.equal(await first.picture(), wanted),
  );
  return { healedMs };
}

async function flood({ first }: Scene, size: Size) {
  const start = performance.now();
  await churn(first, ROUTES[size]);
  return { faultMs: performance.now() - start };
}

/** Adds and deletes so many routes of table 9, as fast as ip(8) can. */
async function churn({ shell }: Station, routes: number): Promise<void> {
  await shell.run(`
awk 'BEGIN { for (i = 0; i < ${routes}; i++) print "route add table 9 10." int(i / 65536) "." int(i / 256) % 256 "." i % 256 "/32 dev eth0" }' >/run/churn
ip -batch /run/churn
sed -i s/add/delete/ /run/churn
ip -batch /run/churn
rm /run/churn`);
}

/** Datagrams that did not fit into the receive buffers of the daemon's netlink sockets. */
function lostEvents({ daemon: { pid } }: Station): number {
  const [, ...lines] = readFileSync(`/proc/${pid}/net/netlink`, 'utf8').trim().split('\n');
  // Protocol 0 is NETLINK_ROUTE; the ninth column counts.
  const sockets = lines.map((line) => line.trim().split(/\s+/)).filter(([, protocol]) => protocol === '0');
  return sockets.reduce((sum, fields) => sum + Number(fields[8]), 0);
}

async function badDumps({ first }: Scene, size: Size) {
  const random = seededRandom(1);
  const socket = await inNamespaceOf(first.host.pid, async () => new NetlinkSocket(NETLINK_ROUTE));
  try {
    const channel = new NetlinkChannel(new BadDatagrams(socket, () => random.next()));
    const list = () => {
      const { type, body } = allRoutes('ipv4', {});
      const routes = channel
        .dump(type, body, 'list routes')
        .map((answer) => JSON.stringify(parseRoute(answer)));
      return routes.sort().join('\n');
    };
    const whole = (await first.netlink.routes()).filter(
      ({ destination }) => !destination.includes(':'),
    ).length;
    let answered = 0;
    for (let dump = 0; dump < DUMPS[size]; dump++) {
      try {
        assert.equal(list().split('\n').length, whole, 'a list that is not whole was taken for one');
        answered++;
      } catch (error) {
        if (!(error instanceof ObserveError || error instanceof SystemError)) throw error;
      }
    }
    assert.ok(answered > DUMPS[size] / 10, `only ${answered} lists came through`);
  } finally {
    socket.close();
  }
  return { times: DUMPS[size] };
}

const NLMSG_ERROR = 2;
const NLM_F_DUMP_INTR = 0x10;
const EBUSY = 16;

/** The kernel's own answers, about every third of them spoilt. */
class BadDatagrams implements Datagrams {
  readonly #real: Datagrams;
  readonly #chance: () => number;
  #isBroken = false;

  constructor(real: Datagrams, chance: () => number) {
    this.#real = real;
    this.#chance = chance;
  }

  send(datagram: Uint8Array): void {
    this.#isBroken = false;
    this.#real.send(datagram);
  }

  receive(): Buffer | undefined {
    const datagram = this.#real.receive();
    if (datagram === undefined || this.#isBroken) return undefined;
    const chance = this.#chance();
    if (chance < 0.08) datagram.writeUInt16LE(datagram.readUInt16LE(6) | NLM_F_DUMP_INTR, 6);
    else if (chance < 0.14) this.#isBroken = true;
    else if (chance < 0.2) datagram.writeUInt32LE(datagram.readUInt32LE(8) + 7, 8);
    else if (chance < 0.26) return refusal(datagram);
    else if (chance < 0.32) throw new SystemError('Cannot receive: no buffer space (ENOBUFS)', 'ENOBUFS');
    return this.#isBroken ? undefined : datagram;
  }
}

/** struct nlmsgerr in the place of what came. */
function refusal(datagram: Buffer): Buffer {
  const answer = Buffer.alloc(36);
  datagram.copy(answer, 0, 0, 16);
  answer.writeUInt32LE(answer.length, 0);
  answer.writeUInt16LE(NLMSG_ERROR, 4);
  answer.writeInt32LE(-EBUSY, 16);
  return answer;
}
