/** How links, addresses, routes and settings hang together: what the kernel does by itself when one of them changes. */
import { type Address, familyOf, parseInterfaceAddress } from '../../src/model/address.js';
import type { NetlinkAddress, NetlinkGroup, NetlinkRequest, NetlinkRoute } from '../../src/ports.js';
import { FakeFib, PROTOCOL_KERNEL } from './fake-fib.js';
import { connectedRoute, type FakeLink, FakeLinks } from './fake-links.js';
import { FakeNeighbours } from './fake-neighbours.js';
import { FakeSysctls } from './fake-sysctls.js';

type SetLink = Extract<NetlinkRequest, { op: 'set-link' }>;

const LOOPBACK_ADDRESSES = ['127.0.0.1/8', '::1/128'].map(parseInterfaceAddress);

/** Is told of each event that the kernel would send, and whom it is about. */
export type Notify = (
  group: NetlinkGroup,
  about?: {
    readonly neighbourOn?: string;
    readonly route?: Pick<NetlinkRoute, 'destination' | 'protocol' | 'table'>;
  },
) => void;

/** Every method throws Refusal where the kernel says no. */
export class FakeStack {
  readonly links = new FakeLinks();
  readonly sysctls = new FakeSysctls((group) => this.#notify(group));
  readonly fib = new FakeFib(this.links);
  readonly neighbours = new FakeNeighbours(this.links);
  readonly #notify: Notify;

  constructor(notify: Notify) {
    this.#notify = notify;
  }

  setTxChecksumOffload(name: string, on: boolean): void {
    this.links.setTxChecksumOffload(name, on);
    this.#notify('link');
  }

  carryOut(request: NetlinkRequest): void {
    switch (request.op) {
      case 'set-link':
        this.#setLink(request);
        break;
      case 'add-vxlan':
        this.links.addVxlan(request);
        this.sysctls.addDevice(request.name);
        this.#notify('link');
        break;
      case 'delete-link':
        this.#deleteLink(request.name);
        break;
      case 'add-address':
        this.#addAddress(request.link, request.address, request.length, 'global');
        break;
      case 'delete-address':
        this.#deleteAddress(request.link, request.address, request.length);
        break;
      case 'add-route':
      case 'replace-route':
      case 'delete-route':
        this.#changeRoute(request);
        break;
      case 'replace-neighbour':
      case 'delete-neighbour':
        this.neighbours.changeNeighbour(request);
        this.#notify('neighbour', { neighbourOn: request.link });
        break;
      case 'replace-fdb':
      case 'delete-fdb':
        this.neighbours.changeFdb(request);
        this.#notify('neighbour', { neighbourOn: request.link });
        break;
      default:
        request satisfies never;
    }
  }

  addLink(link: Omit<FakeLink, 'index'>): void {
    this.links.add(link);
    this.sysctls.addDevice(link.name);
    this.#notify('link');
  }

  /** Unchecked. */
  addRoute(route: NetlinkRoute): void {
    this.fib.append(route);
    this.#notify(`${familyOf(route.destination)}-route`, { route });
  }

  setCarrier(name: string, carrier: boolean): void {
    this.links.setCarrier(name, carrier);
    this.#notify('link');
  }

  #setLink(request: SetLink): void {
    const before = this.links.get(request.name);
    const after = this.links.change(request);
    this.#notify('link');
    if (after.up && !before.up) this.#wentUp(after);
    if (!after.up && before.up) this.#wentDown(after);
    // With another MAC, what was known of the neighbours is worth nothing to the kernel (neigh_changeaddr).
    if (after.vxlan?.mac !== before.vxlan?.mac && this.neighbours.dropNeighbours(after.name))
      this.#notify('neighbour', { neighbourOn: after.name });
  }

  #wentUp(link: FakeLink): void {
    const held = this.links.addresses().filter((address) => address.link === link.name);
    for (const address of held) this.#connect(address);
    if (!link.loopback) return;
    for (const { address, length } of LOOPBACK_ADDRESSES) {
      const hasOne = held.some((other) => familyOf(other.address) === familyOf(address));
      if (!hasOne) this.#addAddress(link.name, address, length, 'host');
    }
  }

  /** IPv4 addresses and what leads to them stay. The routes go without an event of their own. */
  #wentDown({ name }: FakeLink): void {
    this.fib.drop(
      ({ link, destination, scope }) =>
        link === name && (familyOf(destination) === 'ipv6' || scope !== 'host'),
    );
    if (this.links.dropIpv6Addresses(name)) this.#notify('ipv6-address');
    if (this.neighbours.dropNeighbours(name)) this.#notify('neighbour', { neighbourOn: name });
  }

  #deleteLink(name: string): void {
    const before = this.links.addresses();
    const gone = this.links.remove(name);
    for (const link of gone) {
      this.fib.drop((route) => route.link === link);
      this.sysctls.removeDevice(link);
      this.neighbours.dropNeighbours(link);
      this.neighbours.dropFdb(link);
    }
    this.#notify('link');
    this.#forget(before.filter(({ link }) => gone.includes(link)));
  }

  #addAddress(link: string, address: Address, length: number, scope: NetlinkAddress['scope']): void {
    this.#connect(this.links.addAddress(link, address, length, scope));
    this.#notifyOfAddress(address);
  }

  #deleteAddress(link: string, address: Address, length: number): void {
    const gone = this.links.removeAddress(link, address, length);
    for (const held of gone) this.#disconnect(held);
    const isLast =
      familyOf(address) === 'ipv4' &&
      !this.links.addresses().some((other) => other.link === link && familyOf(other.address) === 'ipv4');
    // A link without an IPv4 address is out of IPv4: its routes go, again silently (fib_inetaddr_event).
    if (isLast) this.fib.drop((route) => route.link === link && familyOf(route.destination) === 'ipv4');
    this.#forget(gone);
  }

  #changeRoute({ op, route }: Extract<NetlinkRequest, { route: unknown }>): void {
    if (route.link !== undefined) this.links.get(route.link);
    if (op === 'delete-route') this.fib.remove(route);
    else this.fib.write(route, op === 'add-route' ? 'create' : 'replace');
    this.#notify(`${familyOf(route.destination)}-route`, { route });
  }

  /** Makes the route to the address's network, unless it is there. */
  #connect(held: NetlinkAddress): void {
    const link = this.links.get(held.link);
    const route = connectedRoute(held, link);
    if (!link.up || route === undefined || this.links.isSecondary(held)) return;
    const isThere = this.fib
      .all()
      .some(
        ({ destination, protocol, preferredSource, ...other }) =>
          other.link === link.name &&
          destination === route.destination &&
          protocol === PROTOCOL_KERNEL &&
          preferredSource === route.preferredSource,
      );
    if (isThere) return;
    this.fib.append(route);
    this.#notify(`${familyOf(held.address)}-route`, { route });
  }

  #disconnect(held: NetlinkAddress): void {
    const route = connectedRoute(held, this.links.get(held.link));
    if (route === undefined) return;
    const others = this.links.addresses().filter(({ link }) => link === held.link);
    // IPv6 has one such route for all addresses of a network, IPv4 one for its first.
    const isShared =
      familyOf(held.address) === 'ipv6' &&
      others.some(
        (other) => connectedRoute(other, this.links.get(held.link))?.destination === route.destination,
      );
    if (isShared) return;
    this.fib.drop(
      ({ destination, protocol, link, preferredSource }) =>
        link === held.link &&
        destination === route.destination &&
        protocol === PROTOCOL_KERNEL &&
        preferredSource === route.preferredSource,
    );
    this.#notify(`${familyOf(held.address)}-route`, { route });
  }

  /** Routes that prefer an address as source go when it is nobody's any more (fib_sync_down_addr). */
  #forget(gone: readonly NetlinkAddress[]): void {
    for (const { address } of gone) {
      if (!this.links.isOwn(address)) this.fib.drop(({ preferredSource }) => preferredSource === address);
      this.#notifyOfAddress(address);
    }
  }

  /** Its entry in the local table comes and goes with an event, whatever other routes do. */
  #notifyOfAddress(address: Address): void {
    this.#notify(`${familyOf(address)}-address`);
    if (familyOf(address) === 'ipv4') this.#notify('ipv4-route');
  }
}
