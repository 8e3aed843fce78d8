/** Network devices: the TUN, its MTU, its up state and our mark on it. */
import { diff, type Kind } from '../model/diff.js';
import { linkKey } from '../model/keys.js';
import type { LinkState } from '../model/objects.js';
import type { Action } from '../model/plan.js';
import type { Netlink, NetlinkLink, Tuns } from '../ports.js';
import { carryOut } from './carry-out.js';
import type { Reconciler } from './reconciler.js';
import type { Scope } from './scope.js';

const kind: Kind<LinkState> = {
  differences(want, have) {
    const differences: string[] = [];
    if (have.kind !== want.kind) differences.push(`kind ${have.kind}, want ${want.kind}`);
    if (have.multiQueue !== want.multiQueue)
      differences.push(`multi-queue ${onOff(have)}, want ${onOff(want)}`);
    if (have.alias !== want.alias)
      differences.push(`alias ${quoted(have.alias)}, want ${quoted(want.alias)}`);
    if (have.mtu !== want.mtu) differences.push(`mtu ${have.mtu}, want ${want.mtu}`);
    if (have.up !== want.up) differences.push(`${have.up ? 'up' : 'down'}, want ${want.up ? 'up' : 'down'}`);
    return differences;
  },
  interrupts: (verb, want, have) =>
    verb === 'delete' || (want !== undefined && have !== undefined && mustBeRemade(want, have)),
};

/**
 * `alias` is the mark by which our devices are known. One that a death left half-made is known by its name alone, and
 * is found, and then removed, also when nothing is wanted any more.
 */
export function linkReconciler(
  netlink: Netlink,
  tuns: Tuns,
  alias: string,
  scope: () => Scope,
): Reconciler<LinkState> {
  async function request(operation: Parameters<Netlink['request']>[0][number]): Promise<void> {
    const [error] = await netlink.request([operation]);
    if (error !== undefined) throw error;
  }

  async function make({ name, multiQueue, ...rest }: LinkState): Promise<void> {
    tuns.create(name, { multiQueue });
    // The alias last: a device that carries it is complete, one without it was left half-made (see `isUnfinished`).
    await request({ op: 'set-link', name, mtu: rest.mtu });
    await request({ op: 'set-link', name, alias: rest.alias });
    await request({ op: 'set-link', name, up: rest.up });
  }

  async function step({ verb, before, after }: Action<LinkState>): Promise<void> {
    if (verb === 'create' && after !== undefined) return make(after);
    if (verb === 'delete' && before !== undefined) return remove(before.name);
    if (before === undefined || after === undefined) return;
    if (mustBeRemade(after, before)) {
      await remove(after.name);
      return make(after);
    }
    const { name, mtu, up } = after;
    await request({ op: 'set-link', name, mtu, up, alias: after.alias });
  }

  async function remove(name: string): Promise<void> {
    const [error] = await netlink.request([{ op: 'delete-link', name }]);
    if (error !== undefined && error.code !== 'ENODEV') throw error;
  }

  return {
    name: 'link',
    async observe(desired) {
      const wanted = new Set(desired.map(({ state }) => state.name));
      const { devices } = scope();
      const isOurs = (link: NetlinkLink) =>
        link.alias === alias || (devices.includes(link.name) && isUnfinished(link));
      return (await netlink.links())
        .filter((link) => isOurs(link) || wanted.has(link.name))
        .map((link) => ({ key: linkKey(link.name), state: stateOf(link), ours: isOurs(link) }));
    },
    diff: (desired, observed) => diff(kind, desired, observed),
    apply: (actions, signal) => carryOut(actions, signal, step),
    watch: (wake, signal) => netlink.watch(['link'], wake, signal),
  };
}

/** A persistent TUN that nobody holds, marked or raised: what a death between creating and marking leaves. */
function isUnfinished({ alias, up, carrier, tun }: NetlinkLink): boolean {
  return tun?.persist === true && tun.mode === 'tun' && alias === undefined && !up && !carrier;
}

/** The kernel refuses to change these in place. */
function mustBeRemade(want: LinkState, have: LinkState): boolean {
  return want.kind !== have.kind || want.multiQueue !== have.multiQueue;
}

function stateOf({ name, kind, mtu, up, alias = '', tun }: NetlinkLink): LinkState {
  const tunKind = kind === 'tun' && tun?.mode === 'tun' ? 'tun' : (kind ?? 'physical');
  return { name, kind: tunKind, mtu, up, alias, multiQueue: tun?.multiQueue ?? false };
}

function onOff({ multiQueue }: LinkState): string {
  return multiQueue ? 'on' : 'off';
}

function quoted(alias: string): string {
  return alias === '' ? 'none' : `"${alias}"`;
}
