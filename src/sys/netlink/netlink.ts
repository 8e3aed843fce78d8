/** The Netlink port over a NETLINK_ROUTE socket: names for numbers, errors in words. */
import { type Address, type Family, familyOf } from '../../model/address.js';
import type { VxlanState } from '../../model/objects.js';
import {
  asError,
  type Netlink,
  type NetlinkAddress,
  type NetlinkFdbEntry,
  type NetlinkGroup,
  type NetlinkLink,
  type NetlinkNeighbour,
  type NetlinkRequest,
  type NetlinkRoute,
  ObserveError,
  SystemError,
} from '../../ports.js';
import { errnoName, systemError } from '../libc.js';
import { type Numbered, parseAddress, parseLink, parseRoute, type ToldLink } from './answers.js';
import { type Message, NetlinkChannel, type Refusal } from './channel.js';
import { setTxChecksumOffload, txChecksumOffload } from './checksum-offload.js';
import { describeRequest } from './describe-request.js';
import { watchEvents, watchRouteEvents } from './event-watch.js';
import { fdbOf, neighboursOf, parseFdbEntry, parseNeighbour } from './neighbour-messages.js';
import * as messages from './requests.js';
import { foreignRouteEvents } from './route-events.js';
import { NETLINK_ROUTE, NetlinkSocket } from './socket.js';
import { vxlanState } from './vxlan-messages.js';

type RouteFilter = NonNullable<Parameters<Netlink['routes']>[0]>;
type ChosenRoute = Awaited<ReturnType<Netlink['routeTo']>>;

// What RTM_GETROUTE answers for a destination without a route, and for one that a route of the types
// unreachable, prohibit or blackhole (in this order) catches.
const UNREACHABLE: ReadonlySet<string> = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'EACCES', 'EINVAL']);
const REACHING: ReadonlySet<NetlinkRoute['type']> = new Set(['unicast', 'local', 'broadcast', 'multicast']);

/**
 * Sees and changes the network namespace of the thread that made it; `watch`, that of the thread that calls it.
 * Synchronous inside: no call overtakes another.
 */
export class KernelNetlink implements Netlink {
  readonly #socket = new NetlinkSocket(NETLINK_ROUTE);
  readonly #channel = new NetlinkChannel(this.#socket);

  async links(): Promise<readonly NetlinkLink[]> {
    return observing(() => this.#links());
  }

  async addresses(): Promise<readonly NetlinkAddress[]> {
    return observing(() => {
      const { type, body } = messages.allAddresses();
      const addresses = this.#channel
        .dump(type, body, 'list addresses')
        .flatMap((answer) => parseAddress(answer) ?? []);
      const names = this.#linkNames();
      return addresses.flatMap(({ link: index, ...address }) => {
        const link = names.get(index ?? 0);
        return link === undefined ? [] : [{ ...address, link }];
      });
    });
  }

  async routes(filter: RouteFilter = {}): Promise<readonly NetlinkRoute[]> {
    return observing(() => {
      const routes = [...this.#routesOf('ipv4', filter), ...this.#routesOf('ipv6', filter)];
      const names = this.#linkNames();
      return routes.flatMap(({ link: index, ...route }) => {
        if (index === undefined) return [route];
        const link = names.get(index);
        return link === undefined ? [] : [{ ...route, link }];
      });
    });
  }

  async neighbours(link: string): Promise<readonly NetlinkNeighbour[]> {
    return observing(() =>
      this.#onLink(link, (index) =>
        (['ipv4', 'ipv6'] as const).flatMap((family) => {
          const { type, body } = neighboursOf(family, index);
          const answers = this.#channel.dump(type, body, `list ${family} neighbours on ${link}`);
          return answers.flatMap((answer) => parseNeighbour(answer, link) ?? []);
        }),
      ),
    );
  }

  async fdb(link: string): Promise<readonly NetlinkFdbEntry[]> {
    return observing(() =>
      this.#onLink(link, (index) => {
        const { type, body } = fdbOf(index);
        const answers = this.#channel.dump(type, body, `list forwarding entries of ${link}`);
        return answers.flatMap((answer) => parseFdbEntry(answer, link) ?? []);
      }),
    );
  }

  async routeTo(destination: Address): Promise<ChosenRoute> {
    return observing(() => {
      const answer = this.#channel.get(messages.routeTo(destination));
      if ('errno' in answer) {
        if (UNREACHABLE.has(errnoName(answer.errno))) return undefined;
        throw systemError(`find the route to ${destination}`, answer.errno, answer.text);
      }
      const route = parseRoute(answer);
      const link = this.#linkNames().get(route?.link ?? 0);
      if (route === undefined || link === undefined || !REACHING.has(route.type)) return undefined;
      const { via, preferredSource: source } = route;
      return { link, ...(source === undefined ? {} : { source }), ...(via === undefined ? {} : { via }) };
    });
  }

  async request(requests: readonly NetlinkRequest[]): Promise<readonly (SystemError | undefined)[]> {
    const outcomes: (SystemError | undefined)[] = requests.map(() => undefined);
    try {
      const sent: number[] = [];
      const batch: Message[] = [];
      const numberOf = this.#linkNumbers();
      for (const [index, request] of requests.entries()) {
        const link = numberOf(messages.linkNamed(request));
        if (typeof link === 'number') {
          batch.push(messages.requestMessage(request, link));
          sent.push(index);
        } else outcomes[index] = refused(request, link);
      }
      for (const [position, refusal] of this.#channel.request(batch).entries()) {
        const index = sent[position]!;
        if (refusal !== undefined) outcomes[index] = refused(requests[index]!, refusal);
      }
      return outcomes;
    } catch (error) {
      // The socket itself failed, perhaps after some were done: each of them may be asked for again.
      if (!(error instanceof SystemError)) throw error;
      return outcomes.map((outcome) => outcome ?? error);
    }
  }

  async setTxChecksumOffload(link: string, on: boolean): Promise<void> {
    setTxChecksumOffload(this.#socket.fd, link, on);
  }

  watch(
    groups: readonly NetlinkGroup[],
    wake: () => void,
    signal: AbortSignal,
    devices?: () => readonly string[],
  ): void {
    watchEvents(groups, wake, signal, devices);
  }

  watchRoutes(
    { ours, networks }: Parameters<Netlink['watchRoutes']>[0],
    wake: (isForeign: boolean) => void,
    signal: AbortSignal,
  ): void {
    watchRouteEvents(foreignRouteEvents(ours, networks), wake, signal);
  }

  /** Ends requests and reads; what `watch` started ends with its own signal. */
  close(): void {
    this.#socket.close();
  }

  #links(): readonly NetlinkLink[] {
    const told = this.#toldLinks();
    const nameOf = (index: number) => told.find((link) => link.index === index)?.name;
    return told.map(({ vxlan, ...link }) =>
      vxlan === undefined
        ? link
        : { ...link, vxlan: this.#withOffload(link.name, vxlanState(vxlan.data, vxlan.mac, nameOf)) },
    );
  }

  #withOffload(device: string, state: VxlanState): VxlanState {
    const isOn = txChecksumOffload(this.#socket.fd, device);
    return isOn === undefined ? state : { ...state, txChecksumOffload: isOn };
  }

  #toldLinks(): readonly ToldLink[] {
    const { type, body } = messages.allLinks();
    return this.#channel.dump(type, body, 'list links').flatMap((answer) => parseLink(answer) ?? []);
  }

  /** Nothing when there is no such link. */
  #onLink<T>(name: string, read: (index: number) => readonly T[]): readonly T[] {
    const answer = this.#channel.get(messages.linkByName(name));
    const index = 'errno' in answer ? undefined : parseLink(answer)?.index;
    return index === undefined ? [] : read(index);
  }

  #routesOf(family: Family, filter: RouteFilter): readonly Numbered<NetlinkRoute>[] {
    const { type, body } = messages.allRoutes(family, filter);
    try {
      const answers = this.#channel.dump(type, body, `list ${family} routes`);
      // A kernel without this family answers with the routes of all others.
      return answers
        .flatMap((answer) => parseRoute(answer) ?? [])
        .filter(({ destination }) => familyOf(destination) === family);
    } catch (error) {
      // "FIB table does not exist": nobody has put a route into it yet.
      if (error instanceof SystemError && error.code === 'ENOENT') return [];
      throw error;
    }
  }

  /**
   * To be read after the objects that are to be named: a link that is missing here has gone since, and has taken
   * its addresses and routes with it.
   */
  #linkNames(): ReadonlyMap<number, string> {
    return new Map(this.#toldLinks().map(({ index, name }) => [index, name]));
  }

  /** Looks each name up once. 0 for no name, as the kernel has it. */
  #linkNumbers(): (name: string | undefined) => number | Refusal {
    const found = new Map<string, number | Refusal>();
    return (name) => {
      if (name === undefined) return 0;
      const known = found.get(name);
      if (known !== undefined) return known;
      const answer = this.#channel.get(messages.linkByName(name));
      const number = 'errno' in answer ? answer : (parseLink(answer)?.index ?? 0);
      found.set(name, number);
      return number;
    };
  }
}

function refused(request: NetlinkRequest, { errno, text }: Refusal): SystemError {
  return systemError(describeRequest(request), errno, text);
}

/** Whatever goes wrong while reading, the answer would be incomplete. */
function observing<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof ObserveError) throw cause;
    throw new ObserveError(asError(cause).message, { cause });
  }
}
