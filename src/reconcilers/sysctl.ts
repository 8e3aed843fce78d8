/** Kernel settings. They have no owner, so they are set when wanted and never set back. */
import { diff, type Kind } from '../model/diff.js';
import { sysctlKey } from '../model/keys.js';
import type { SysctlState } from '../model/objects.js';
import type { Action } from '../model/plan.js';
import type { Netlink, Sysctls } from '../ports.js';
import { carryOut } from './carry-out.js';
import type { Reconciler } from './reconciler.js';

const kind: Kind<SysctlState> = {
  differences: (want, have) => (have.value === want.value ? [] : [`${have.value}, want ${want.value}`]),
};

export function sysctlReconciler(sysctls: Sysctls, netlink: Netlink): Reconciler<SysctlState> {
  return {
    name: 'sysctl',
    async observe(desired, _signal, remade) {
      const read = desired.map(async ({ state }) => {
        const value = await currentValue(sysctls, state.name, remade);
        return { name: state.name, value: value ?? (state.optional && state.value) };
      });
      return (await Promise.all(read)).flatMap(({ name, value }) =>
        value === undefined ? [] : [{ key: sysctlKey(name), state: { name, value }, ours: true }],
      );
    },
    diff: (desired, observed) => diff(kind, desired, observed),
    apply: (actions, signal) =>
      carryOut(devicesFirst(actions), signal, async ({ after }) => {
        if (after !== undefined) await sysctls.write(after);
      }),
    // The kernel announces forwarding and rp_filter, and a new device, which comes with its own settings. Others are
    // the timer's to find.
    watch: (wake, signal) => netlink.watch(['link', 'ipv4-netconf', 'ipv6-netconf'], wake, signal),
  };
}

/**
 * Forwarding in all of IPv6 drops what came from router advertisements (net/ipv6/addrconf.c, rt6_purge_dflt_routers),
 * but for a device that was told before to take them all the same.
 */
function devicesFirst(actions: readonly Action<SysctlState>[]): readonly Action<SysctlState>[] {
  const isForAll = ({ key }: Action<SysctlState>) => Number(key.includes('.conf.all.'));
  return actions.toSorted((left, right) => isForAll(left) - isForAll(right));
}

/** A device that is not there yet begins with the defaults of its kind (Documentation/networking/ip-sysctl.rst, conf/default). */
async function currentValue(
  sysctls: Sysctls,
  name: string,
  remade: ReadonlySet<string> | undefined,
): Promise<string | undefined> {
  const [, place, device = ''] = /^(net\.ipv[46]\.conf)\.([^.]+)\./.exec(name) ?? [];
  const present = remade?.has(device.replaceAll('/', '.')) ? undefined : await sysctls.read(name);
  if (present !== undefined || place === undefined) return present;
  return sysctls.read(name.replace(`${place}.${device}`, `${place}.default`));
}
