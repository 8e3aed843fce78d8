/**
 * A kernel in memory behind Netlink, Tuns and Sysctls, as strict as Linux in what we use: the contract suite and a
 * comparison under random requests run over both. Starts as a fresh network namespace does, with `lo` that is down.
 */
import {
  contains,
  familyOf,
  parseAddress,
  parseInterfaceAddress,
  parsePrefix,
} from '../../src/model/address.js';
import { MAIN_TABLE } from '../../src/model/keys.js';
import type { SysctlState } from '../../src/model/objects.js';
import {
  type Netlink,
  type NetlinkGroup,
  type NetlinkLink,
  type NetlinkRequest,
  type NetlinkRoute,
  type Sysctls,
  SystemError,
  type Tuns,
} from '../../src/ports.js';
import { describeRequest } from '../../src/sys/netlink/describe-request.js';
import { linkNamed } from '../../src/sys/netlink/requests.js';
import { Refusal, TABLE } from './fake-fib.js';
import type { FakeLink } from './fake-links.js';
import { FakeStack, type Notify } from './fake-stack.js';
import { routeChoice } from './route-choice.js';
import { worldLines } from './world-lines.js';

const NEW_LINK = { mtu: 1500, up: false, carrier: false, loopback: false };
const PROTOCOL_BOOT = 3; // what ip(8) gives to a route
const NAME_BYTES = 15;

export class FakeKernel {
  /** Every write that was asked of a port, in order and in an error's words; ` -> EEXIST` behind what was refused. */
  readonly log: string[] = [];
  /** Asked before each of them: an errno's name refuses it. */
  refuse: (operation: string) => string | undefined = () => undefined;
  /** While set, every read rejects with it. */
  readFailure: Error | undefined;

  /** Index of a TUN → how many hold it. */
  readonly #holders = new Map<number, number>();
  readonly #watchers = new Set<{
    readonly groups: readonly NetlinkGroup[];
    readonly wake: (about: Parameters<Notify>[1]) => void;
    readonly isConcerned: (about: Parameters<Notify>[1]) => boolean;
  }>();
  readonly #stack = new FakeStack((group, about) => {
    for (const watcher of this.#watchers) {
      if (!watcher.isConcerned(about)) continue;
      // Never from within the request that caused it: the real events come over a socket.
      if (watcher.groups.includes(group))
        queueMicrotask(() => this.#watchers.has(watcher) && watcher.wake(about));
    }
  });

  constructor() {
    this.#stack.addLink({ ...NEW_LINK, name: 'lo', mtu: 65_536, carrier: true, loopback: true });
  }

  readonly netlink: Netlink = {
    links: async () => this.#read(() => this.#stack.links.all().map(visible)),
    addresses: async () => this.#read(() => this.#stack.links.addresses()),
    routes: async ({ table, protocol } = {}) =>
      this.#read(() =>
        this.#stack.fib
          .all()
          .filter((route) => table === undefined || route.table === table)
          .filter((route) => protocol === undefined || route.protocol === protocol),
      ),
    neighbours: async (link) =>
      this.#read(() => this.#stack.neighbours.neighbours().filter((entry) => entry.link === link)),
    fdb: async (link) =>
      this.#read(() => this.#stack.neighbours.fdb().filter((entry) => entry.link === link)),
    routeTo: async (destination) =>
      this.#read(() => routeChoice(destination, this.#stack.fib.lookup(destination), this.#stack.links)),
    request: async (requests) => {
      const made = new Set<string>();
      return requests.map((request) =>
        this.#attempt(describeRequest(request), () => {
          // Names become numbers before anything is sent.
          if (made.has(linkNamed(request) ?? '')) throw new Refusal('ENODEV', 'No such device');
          this.#stack.carryOut(request);
          if (request.op === 'add-vxlan') made.add(request.name);
        }),
      );
    },
    setTxChecksumOffload: async (link, on) => {
      const operation = `turn checksum offload of ${link} ${on ? 'on' : 'off'}`;
      const error = this.#attempt(operation, () => this.#stack.setTxChecksumOffload(link, on));
      if (error !== undefined) throw error;
    },
    watch: (groups, wake, signal, devices) =>
      this.#watch(
        groups,
        ({ neighbourOn } = {}) => neighbourOn === undefined || devices?.().includes(neighbourOn) !== false,
        wake,
        signal,
      ),
    watchRoutes: ({ ours, networks }, wake, signal) =>
      this.#watch(
        ['ipv4-route', 'ipv6-route', 'link'],
        () => true,
        ({ route } = {}) =>
          wake(
            route !== undefined &&
              route.protocol !== ours &&
              route.table === MAIN_TABLE &&
              networks().some((network) => contains(network, route.destination)),
          ),
        signal,
      ),
  };

  readonly tuns: Tuns = {
    create: (name, { multiQueue }) => {
      const operation = `create TUN device ${name}${multiQueue ? ' with several queues' : ''}`;
      const error = this.#attempt(operation, () => this.#createTun(name, multiQueue));
      if (error !== undefined) throw error;
    },
  };

  readonly sysctls: Sysctls = {
    read: async (name) => this.#read(() => this.#stack.sysctls.get(name)),
    write: async (setting) => {
      const operation = `set sysctl ${setting.name} to "${setting.value}"`;
      const error = this.#attempt(operation, () => this.#stack.sysctls.set(setting));
      if (error !== undefined) throw error;
    },
  };

  /** Everything but the local table, as sorted lines. */
  lines(): readonly string[] {
    const { links, fib, sysctls, neighbours } = this.#stack;
    const routes = fib.all().filter(({ table }) => table !== TABLE.local);
    const objects = worldLines({
      links: links.all(),
      addresses: links.addresses(),
      routes,
      neighbours: neighbours.neighbours(),
      fdb: neighbours.fdb(),
    });
    return [...objects, ...sysctls.lines()].sort();
  }

  // ---- what others do: not logged, not refused by `refuse`; each throws Refusal ----------------------------

  foreign(...requests: readonly NetlinkRequest[]): void {
    for (const request of requests) this.#stack.carryOut(request);
  }

  /** A link of any kind, as a driver or another daemon would make it. */
  addLink(link: Partial<Omit<FakeLink, 'index'>> & { readonly name: string }): void {
    this.#stack.addLink({ ...NEW_LINK, carrier: true, ...link });
  }

  addVeth(name: string, peer: string): void {
    this.#stack.addLink({ ...NEW_LINK, name: peer, kind: 'veth', peer: name });
    this.#stack.addLink({ ...NEW_LINK, name, kind: 'veth', peer });
  }

  /** Opens a TUN, or one queue of it, as a packet loop would: it has carrier until the last holder lets go. */
  holdTun(name: string): () => void {
    const { tun, carrier, index } = this.#stack.links.get(name);
    if (tun === undefined) throw new Refusal('EINVAL', 'Invalid argument');
    if (carrier && !tun.multiQueue) throw new Refusal('EBUSY', 'Device or resource busy');
    const hold = (more: number) => {
      const holders = (this.#holders.get(index) ?? 0) + more;
      this.#holders.set(index, holders);
      if (this.#stack.links.has(name)) this.#stack.setCarrier(name, holders > 0);
    };
    hold(1);
    return () => hold(-1);
  }

  /** A route of any type, unchecked. */
  addRoute(route: Partial<NetlinkRoute> & Pick<NetlinkRoute, 'destination'>): void {
    this.#stack.addRoute({
      table: TABLE.main,
      tos: 0,
      metric: 0,
      protocol: PROTOCOL_BOOT,
      scope: 'global',
      type: 'unicast',
      onlink: false,
      multipath: false,
      ...route,
    });
  }

  setSysctl(setting: SysctlState): void {
    this.#stack.sysctls.set(setting);
  }

  #watch(
    groups: readonly NetlinkGroup[],
    isConcerned: (about: Parameters<Notify>[1]) => boolean,
    wake: (about: Parameters<Notify>[1]) => void,
    signal: AbortSignal,
  ): void {
    if (signal.aborted) return;
    const watcher = { groups, wake, isConcerned };
    this.#watchers.add(watcher);
    signal.addEventListener('abort', () => this.#watchers.delete(watcher), { once: true });
  }

  #read<T>(answer: () => T): T {
    if (this.readFailure !== undefined) throw this.readFailure;
    return structuredClone(answer());
  }

  #attempt(operation: string, write: () => void): SystemError | undefined {
    try {
      const code = this.refuse(operation);
      if (code !== undefined) throw new Refusal(code, 'refused by the test');
      write();
      this.log.push(operation);
      return undefined;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.log.push(`${operation} -> ${error.code}`);
      return new SystemError(`Cannot ${operation}: ${error.message}`, error.code);
    }
  }

  #createTun(name: string, multiQueue: boolean): void {
    if (name === '' || Buffer.byteLength(name) > NAME_BYTES) throw new Refusal('EINVAL', 'bad name');
    if (this.#stack.links.has(name)) return;
    const tun = { mode: 'tun', persist: true, multiQueue } as const;
    this.#stack.addLink({ ...NEW_LINK, name, kind: 'tun', tun });
  }
}

/** A host as one meets it: `lo`, and `eth0` with an address and the default route. */
export function fakeHost(
  host: { readonly address?: string; readonly gateway?: string; readonly mtu?: number } = {},
): FakeKernel {
  const { address = '10.8.64.11/24', gateway = '10.8.64.1', mtu = 1500 } = host;
  const kernel = new FakeKernel();
  kernel.addLink({ name: 'eth0', mtu });
  kernel.foreign(
    { op: 'set-link', name: 'lo', up: true },
    { op: 'set-link', name: 'eth0', up: true },
    { op: 'add-address', link: 'eth0', ...parseInterfaceAddress(address) },
  );
  const via = parseAddress(gateway);
  const everywhere = parsePrefix(familyOf(via) === 'ipv4' ? '0.0.0.0/0' : '::/0');
  kernel.addRoute({ destination: everywhere, via, link: 'eth0' });
  return kernel;
}

/** A link without what only the fake knows of it. */
function visible({ loopback: _, peer: __, ...link }: FakeLink): NetlinkLink {
  return link;
}
