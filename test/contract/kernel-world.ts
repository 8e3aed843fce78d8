/** The world that the kernel's contract suites run in, and the words they speak of it. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseInterfaceAddress, parsePrefix } from '../../src/model/address.js';
import type {
  Netlink,
  NetlinkRequest,
  NetlinkRoute,
  NetlinkRouteSpec,
  Sysctls,
  Tuns,
} from '../../src/ports.js';
import { worldLines } from '../fakes/world-lines.js';

/** A kernel with nothing in it but `lo`, which is down, and others who do something to it. */
export interface KernelWorld {
  readonly netlink: Netlink;
  readonly tuns: Tuns;
  readonly sysctls: Sysctls;
  addVeth(name: string, peer: string): void;
  /** Opens the TUN as a packet loop would; returns what lets go of it. */
  holdTun(name: string): () => void;
}

/** Runs `body` in a fresh world. */
export type WithKernel = (body: (world: KernelWorld) => Promise<void>) => Promise<void>;

export const OURS = 77;
export const FOREIGN = 3;
export const MAIN = 254;
export const WAKE_MS = 5000;

export function route(destination: string, rest: Partial<NetlinkRouteSpec> = {}): NetlinkRouteSpec {
  return {
    destination: parsePrefix(destination),
    table: MAIN,
    tos: 0,
    metric: 0,
    protocol: OURS,
    scope: 'global',
    onlink: false,
    ...rest,
  };
}

export function addAddress(link: string, text: string): NetlinkRequest {
  return { op: 'add-address', link, ...parseInterfaceAddress(text) };
}

export function deleteAddress(link: string, text: string): NetlinkRequest {
  return { op: 'delete-address', link, ...parseInterfaceAddress(text) };
}

export async function codes(
  { netlink }: KernelWorld,
  ...requests: readonly NetlinkRequest[]
): Promise<readonly string[]> {
  return (await netlink.request(requests)).map((error) => error?.code ?? 'done');
}

/** Carries out `requests`, which must all succeed. */
export async function given(world: KernelWorld, ...requests: readonly NetlinkRequest[]): Promise<void> {
  for (const error of await world.netlink.request(requests)) assert.ifError(error);
}

/** flannel0 as a TUN that is up, and u0 with 10.8.64.11/24, whose other end is up too. */
export async function givenHost(world: KernelWorld): Promise<void> {
  world.tuns.create('flannel0', { multiQueue: false });
  world.addVeth('u0', 'u1');
  await given(
    world,
    { op: 'set-link', name: 'u1', up: true },
    { op: 'set-link', name: 'u0', up: true },
    { op: 'set-link', name: 'flannel0', up: true },
    addAddress('u0', '10.8.64.11/24'),
  );
}

export async function routeLines(
  { netlink }: KernelWorld,
  matches: (route: NetlinkRoute) => boolean = ({ table, destination }) =>
    table === MAIN && !destination.includes(':'),
): Promise<readonly string[]> {
  const routes = (await netlink.routes()).filter(matches);
  return worldLines({ links: [], addresses: [], routes });
}

export const CONNECTED = 'route 10.8.64.0/24 dev u0 proto kernel scope link src 10.8.64.11';

/** `it` in a fresh world each time. */
export type WorldTest = (name: string, body: (world: KernelWorld) => Promise<void>) => Promise<void>;

export function worldTest(withKernel: WithKernel): WorldTest {
  return (name, body) => it(name, () => withKernel(body));
}
