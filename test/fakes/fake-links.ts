/** Links and their addresses as Linux keeps them, and the local routes that follow from the addresses. */
import {
  type Address,
  addressAt,
  baseOf,
  FAMILY_BITS,
  type Family,
  familyOf,
  type Prefix,
  parsePrefix,
  prefixOf,
  rangeOf,
} from '../../src/model/address.js';
import type { NetlinkAddress, NetlinkLink, NetlinkRequest, NetlinkRoute } from '../../src/ports.js';
import { PROTOCOL_KERNEL, Refusal, TABLE } from './fake-fib.js';

type SetLink = Extract<NetlinkRequest, { op: 'set-link' }>;
type AddVxlan = Extract<NetlinkRequest, { op: 'add-vxlan' }>;

export interface FakeLink extends NetlinkLink {
  readonly loopback: boolean;
  /** The other end of a veth, which comes, goes and has carrier with it. */
  readonly peer?: string;
}

const MTU_LIMITS = { least: 68, most: 65_535 }; // of tun, veth and bridge alike
const ALIAS_BYTES = 254; // IFALIASZ less two final NULs
const NAME_BYTES = 15;

/** The kernel's: IPv4, unless an IPv6 address says otherwise. */
function outerFamily(local: Address | undefined): Family {
  return local === undefined ? 'ipv4' : familyOf(local);
}

export class FakeLinks {
  readonly #links = new Map<string, FakeLink>();
  #addresses: readonly NetlinkAddress[] = [];
  #lastIndex = 0;

  all(): readonly FakeLink[] {
    return [...this.#links.values()];
  }

  get(name: string): FakeLink {
    const link = this.#links.get(name);
    if (link !== undefined) return link;
    if (name.length > NAME_BYTES) throw new Refusal('ERANGE', 'Attribute failed policy validation');
    throw new Refusal('ENODEV', 'No such device');
  }

  has(name: string): boolean {
    return this.#links.has(name);
  }

  isUp(name: string): boolean {
    return this.#links.get(name)?.up ?? false;
  }

  add(link: Omit<FakeLink, 'index'>): void {
    if (this.#links.has(link.name)) throw new Refusal('EEXIST', 'File exists');
    this.#lastIndex++;
    this.#links.set(link.name, { ...link, index: this.#lastIndex });
  }

  addVxlan({ name, vxlan }: AddVxlan): void {
    const { vni, port, local, underlay } = vxlan;
    const below = underlay === undefined ? undefined : this.get(underlay);
    // One of each family may have the number (drivers/net/vxlan/vxlan_core.c, vxlan_vni_in_use).
    const isTaken = this.all().some(
      ({ vxlan: other }) =>
        other?.vni === vni && other.port === port && outerFamily(other.local) === outerFamily(local),
    );
    if (this.#links.has(name)) throw new Refusal('EEXIST', 'File exists');
    if (isTaken) throw new Refusal('EEXIST', 'A VXLAN device with the specified VNI already exists');
    const mtu = below === undefined ? 1500 : below.mtu - vxlanHeaderBytes(local);
    this.add({
      name,
      kind: 'vxlan',
      mtu,
      up: false,
      carrier: true,
      loopback: false,
      vxlan: { ...vxlan, txChecksumOffload: true },
    });
  }

  /** Takes the addresses and a veth's other end along; returns the names of the links that are gone. */
  remove(name: string): readonly string[] {
    const { loopback, peer } = this.get(name);
    if (loopback) throw new Refusal('EOPNOTSUPP', 'Operation not supported');
    const gone = peer === undefined ? [name] : [name, peer];
    // A VXLAN device goes with its underlay.
    gone.push(...this.all().flatMap((link) => (gone.includes(link.vxlan?.underlay ?? '') ? link.name : [])));
    for (const each of gone) this.#links.delete(each);
    this.#addresses = this.#addresses.filter(({ link }) => !gone.includes(link));
    return gone;
  }

  /** All or nothing. */
  change({ name, mtu, up, alias, mac }: SetLink): FakeLink {
    const before = this.get(name);
    if (alias !== undefined && Buffer.byteLength(alias) > ALIAS_BYTES) {
      throw new Refusal('ERANGE', 'Attribute failed policy validation');
    }
    if (mtu !== undefined && !before.loopback) {
      if (mtu < MTU_LIMITS.least) throw new Refusal('EINVAL', 'mtu less than device minimum');
      if (mtu > MTU_LIMITS.most) throw new Refusal('EINVAL', 'mtu greater than device maximum');
      const below = this.#links.get(before.vxlan?.underlay ?? '');
      if (below !== undefined && mtu > below.mtu - vxlanHeaderBytes(before.vxlan?.local))
        throw new Refusal('EINVAL', 'Invalid argument');
    }
    const { alias: _, ...rest } = before;
    const kept = alias ?? before.alias ?? '';
    const after: FakeLink = {
      ...rest,
      mtu: mtu ?? before.mtu,
      up: up ?? before.up,
      ...(kept === '' ? {} : { alias: kept }),
      ...(before.vxlan && { vxlan: { ...before.vxlan, mac: mac ?? before.vxlan.mac } }),
    };
    this.#links.set(name, after);
    this.#spreadCarrier(after);
    return after;
  }

  setTxChecksumOffload(name: string, on: boolean): void {
    const link = this.get(name);
    // Of the fake's devices VXLAN's alone tell theirs.
    if (link.vxlan) this.#links.set(name, { ...link, vxlan: { ...link.vxlan, txChecksumOffload: on } });
  }

  setCarrier(name: string, carrier: boolean): void {
    this.#links.set(name, { ...this.get(name), carrier });
  }

  /** A veth has carrier when both of its ends are up. */
  #spreadCarrier({ name, peer, up }: FakeLink): void {
    if (peer === undefined) return;
    const carrier = up && this.isUp(peer);
    this.setCarrier(name, carrier);
    this.setCarrier(peer, carrier);
  }

  addresses(): readonly NetlinkAddress[] {
    return this.#addresses;
  }

  isOwn(address: Address): boolean {
    return this.#addresses.some((held) => held.address === address);
  }

  /** Later addresses of a network that the link is in already: they make no routes of their own. */
  isSecondary(held: NetlinkAddress): boolean {
    const first = this.#addresses.find(
      ({ link, length, address }) =>
        link === held.link && length === held.length && prefixOf(address, length) === networkOf(held),
    );
    return familyOf(held.address) === 'ipv4' && first !== held;
  }

  addAddress(link: string, address: Address, length: number, scope: NetlinkAddress['scope']): NetlinkAddress {
    this.get(link);
    const family = familyOf(address);
    if (length > FAMILY_BITS[family]) throw new Refusal('EINVAL', `${family}: Invalid prefix length`);
    const held = this.#addresses.filter((other) => other.link === link && other.address === address);
    // IPv4 tells one address of two lengths apart, IPv6 does not.
    if (held.some((other) => family === 'ipv6' || other.length === length)) {
      const what = family === 'ipv4' ? 'ipv4: Address' : 'ipv6: address';
      throw new Refusal('EEXIST', `${what} already assigned`);
    }
    const added = {
      link,
      address,
      length,
      scope,
      deprecated: false,
      permanent: true,
      temporary: false,
      tentative: false,
    };
    this.#addresses = [...this.#addresses, added];
    return added;
  }

  /** Returns what is gone: with the first address of a network, the later ones go too (promote_secondaries is 0). */
  removeAddress(link: string, address: Address, length: number): readonly NetlinkAddress[] {
    this.get(link);
    const held = this.#addresses.find(
      (other) => other.link === link && other.address === address && other.length === length,
    );
    if (held === undefined) {
      const what = familyOf(address) === 'ipv4' ? 'ipv4: Address' : 'ipv6: address';
      throw new Refusal('EADDRNOTAVAIL', `${what} not found`);
    }
    const gone = [held];
    if (familyOf(address) === 'ipv4' && !this.isSecondary(held)) {
      gone.push(
        ...this.#addresses.filter(
          (other) => other.link === link && this.isSecondary(other) && networkOf(other) === networkOf(held),
        ),
      );
    }
    this.#addresses = this.#addresses.filter((other) => !gone.includes(other));
    return gone;
  }

  /** The IPv6 addresses that a link loses with its up state; IPv4 ones stay. */
  dropIpv6Addresses(link: string): boolean {
    const before = this.#addresses.length;
    this.#addresses = this.#addresses.filter(
      (held) => held.link !== link || familyOf(held.address) === 'ipv4',
    );
    return this.#addresses.length !== before;
  }

  /** Entries of the IPv4 local table (fib_add_ifaddr in net/ipv4/fib_frontend.c). */
  localRoutes(): readonly NetlinkRoute[] {
    const routes = new Map<string, NetlinkRoute>();
    for (const held of this.#addresses) {
      if (familyOf(held.address) === 'ipv6') continue;
      for (const route of this.#localRoutesOf(held)) {
        const key = `${route.type} ${route.destination} ${route.link}`;
        if (!routes.has(key)) routes.set(key, route);
      }
    }
    return [...routes.values()];
  }

  #localRoutesOf(held: NetlinkAddress): readonly NetlinkRoute[] {
    const { link, address, length } = held;
    const network = networkOf(held);
    const preferredSource = this.#firstOf(held).address;
    const local = kernelRoute(parsePrefix(`${address}/32`), link, preferredSource, 'local');
    const isLoopback = this.get(link).loopback;
    const own = isLoopback && length < 32 ? [kernelRoute(network, link, preferredSource, 'local')] : [];
    const hasBroadcast = this.isUp(link) && length < 31 && !this.isSecondary(held);
    const last = addressAt(network, rangeOf(network).last - rangeOf(network).first);
    return [
      local,
      ...own,
      ...(hasBroadcast ? [kernelRoute(parsePrefix(`${last}/32`), link, preferredSource, 'broadcast')] : []),
    ];
  }

  #firstOf(held: NetlinkAddress): NetlinkAddress {
    return (
      this.#addresses.find(
        (other) =>
          other.link === held.link && other.length === held.length && networkOf(other) === networkOf(held),
      ) ?? held
    );
  }
}

/** Inner Ethernet, VXLAN, UDP, outer IP. */
function vxlanHeaderBytes(local: Address | undefined): number {
  return local !== undefined && familyOf(local) === 'ipv6' ? 70 : 50;
}

export function networkOf({ address, length }: NetlinkAddress): Prefix {
  return prefixOf(address, length);
}

/** The route to a link's own network, which the kernel makes with the address. Undefined where it makes none. */
export function connectedRoute(held: NetlinkAddress, link: FakeLink): NetlinkRoute | undefined {
  const network = networkOf(held);
  if (link.loopback) return undefined;
  if (familyOf(held.address) === 'ipv4') {
    // A /32 is its own network: only the local route is made.
    return held.length === 32 ? undefined : kernelRoute(network, link.name, held.address, 'unicast');
  }
  const { preferredSource: _, ...route } = kernelRoute(network, link.name, baseOf(network), 'unicast');
  return { ...route, scope: 'global', metric: 256 };
}

function kernelRoute(
  destination: Prefix,
  link: string,
  preferredSource: Address,
  type: 'unicast' | 'local' | 'broadcast',
): NetlinkRoute {
  return {
    destination,
    link,
    preferredSource,
    type,
    table: type === 'unicast' ? TABLE.main : TABLE.local,
    tos: 0,
    metric: 0,
    protocol: PROTOCOL_KERNEL,
    scope: type === 'local' ? 'host' : 'link',
    onlink: false,
    multipath: false,
  };
}
