/** Network devices: what they are made as, their MTU, their up state and our mark on them. */
import { diff, type Kind } from '../model/diff.js';
import { equalJson } from '../model/equal-json.js';
import { linkKey, settledKey } from '../model/keys.js';
import type { LinkState, VxlanState } from '../model/objects.js';
import type { Action } from '../model/plan.js';
import type { Netlink, NetlinkLink, Sysctls, Tuns } from '../ports.js';
import { carryOut } from './carry-out.js';
import { keptDevices } from './kept-devices.js';
import { isLeftByFlannel } from './marked-devices.js';
import { type Reconciler, together } from './reconciler.js';
import type { Scope } from './scope.js';

type Offload = Pick<VxlanState, 'txChecksumOffload'>;

const kind: Kind<LinkState> = {
  differences(want, have) {
    const differences: string[] = [];
    if (have.kind !== want.kind) differences.push(`kind ${have.kind}, want ${want.kind}`);
    if (have.multiQueue !== undefined && have.multiQueue !== want.multiQueue)
      differences.push(`multi-queue ${onOff(have.multiQueue)}, want ${onOff(want.multiQueue)}`);
    if (want.vxlan !== undefined && have.vxlan !== undefined)
      differences.push(...vxlanDifferences(want.vxlan, have.vxlan));
    // One that flannel has left carries packets as well as ours; --adopt puts the mark on it.
    if (have.alias !== want.alias && !(have.alias === '' && have.vxlan !== undefined))
      differences.push(`alias ${quoted(have.alias)}, want ${quoted(want.alias)}`);
    if (have.mtu !== want.mtu) differences.push(`mtu ${have.mtu}, want ${want.mtu}`);
    if (have.up !== want.up) differences.push(`${have.up ? 'up' : 'down'}, want ${want.up ? 'up' : 'down'}`);
    return differences;
  },
  interrupts: (verb, want, have) =>
    verb === 'delete' || (want !== undefined && have !== undefined && mustBeRemade(want, have)),
  // A former backend's device carries packets until the routes are those of the next.
  deletesAfter: [settledKey('route')],
  isMarked: true,
};

/**
 * `alias` is the mark by which our devices are known. One that a death left half-made is known by its name alone, and
 * is found, and then removed, also when nothing is wanted any more. `holds` tells which device this process's own
 * packet loop has open: it may have taken up one that was not marked yet.
 */
export function linkReconciler(
  netlink: Netlink,
  tuns: Tuns,
  sysctls: Sysctls,
  alias: string,
  scope: () => Scope,
  holds: (name: string) => boolean = () => false,
): Reconciler<LinkState> {
  async function request(operation: Parameters<Netlink['request']>[0][number]): Promise<void> {
    const [error] = await netlink.request([operation]);
    if (error !== undefined) throw error;
  }

  async function make({ name, multiQueue = false, vxlan, ...rest }: LinkState): Promise<void> {
    if (vxlan === undefined) tuns.create(name, { multiQueue });
    else await request({ op: 'add-vxlan', name, vxlan });
    await setOffload(name, vxlan, { txChecksumOffload: true });
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
    const { name, mtu, up, vxlan } = after;
    const mac = vxlan !== undefined && vxlan.mac !== before.vxlan?.mac ? { mac: vxlan.mac } : {};
    await setOffload(name, vxlan, before.vxlan);
    await request({ op: 'set-link', name, mtu, up, alias: after.alias, ...mac });
  }

  async function setOffload(
    name: string,
    want: Offload | undefined,
    have: Offload | undefined,
  ): Promise<void> {
    const on = want?.txChecksumOffload;
    if (on !== undefined && on !== have?.txChecksumOffload) await netlink.setTxChecksumOffload(name, on);
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
        link.alias === alias || (devices.includes(link.name) && isUnfinished(link, holds(link.name)));
      return (await netlink.links())
        .filter((link) => isOurs(link) || wanted.has(link.name) || isLeftByFlannel(link))
        .map((link) => {
          const ours = isOurs(link);
          const left = !ours && isLeftByFlannel(link);
          return { key: linkKey(link.name), state: stateOf(link), ours, left };
        });
    },
    diff: (desired, observed) => diff(kind, desired, observed),
    apply: (actions, signal) => carryOut(actions, signal, step),
    async keep(actions, states, noted) {
      const going = actions.flatMap(({ before, after }) =>
        before !== undefined && (after === undefined || mustBeRemade(after, before)) ? before.name : [],
      );
      return together(states, await keptDevices(netlink, sysctls, going, noted));
    },
    watch: (wake, signal) => netlink.watch(['link'], wake, signal),
  };
}

/** A device of a kind that we make which nobody marked or raised: what a death or a failure between creating and marking leaves. */
function isUnfinished({ alias, up, carrier, tun, vxlan }: NetlinkLink, isHeldByUs: boolean): boolean {
  const isFreeTun = tun?.persist === true && tun.mode === 'tun' && (!carrier || isHeldByUs);
  return (isFreeTun || vxlan !== undefined) && alias === undefined && !up;
}

/** The kernel refuses to change these in place. */
function mustBeRemade(want: LinkState, have: LinkState): boolean {
  if (want.kind !== have.kind) return true;
  if (want.multiQueue !== undefined && want.multiQueue !== have.multiQueue) return true;
  return want.vxlan !== undefined && !equalJson(fixedPart(want.vxlan), fixedPart(have.vxlan));
}

function fixedPart(vxlan: VxlanState | undefined): object {
  const { mac: _, txChecksumOffload: __, ...fixed } = vxlan ?? {};
  return fixed;
}

function vxlanDifferences(want: VxlanState, have: VxlanState): readonly string[] {
  const compare = (name: string, wanted: string | number | undefined, found: string | number | undefined) =>
    wanted === found ? [] : [`${name} ${found ?? 'none'}, want ${wanted ?? 'none'}`];
  return [
    ...compare('vni', want.vni, have.vni),
    ...compare('port', want.port, have.port),
    ...compare('local', want.local, have.local),
    ...compare('dev', want.underlay, have.underlay),
    ...compare('learning', onOff(want.learning), onOff(have.learning)),
    ...compare('gbp', onOff(want.gbp), onOff(have.gbp)),
    ...compare('mac', want.mac, have.mac),
    ...(want.txChecksumOffload === undefined
      ? []
      : compare('checksum offload', onOff(want.txChecksumOffload), onOff(have.txChecksumOffload))),
  ];
}

function stateOf({ name, kind, mtu, up, alias = '', tun, vxlan }: NetlinkLink): LinkState {
  const tunKind = kind === 'tun' && tun?.mode === 'tun' ? 'tun' : (kind ?? 'physical');
  return {
    name,
    kind: tunKind,
    mtu,
    up,
    alias,
    ...(tun && { multiQueue: tun.multiQueue }),
    ...(vxlan && { vxlan }),
  };
}

function onOff(isOn: boolean | undefined): string {
  return isOn ? 'on' : 'off';
}

function quoted(alias: string): string {
  return alias === '' ? 'none' : `"${alias}"`;
}
