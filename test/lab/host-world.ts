/** What is on a host as an operator would look at it, as text: to compare before and after. */
import type { Host } from './host.js';

/**
 * Links, addresses, routes, firewall rules and the files below /run and /var/lib. Without what changes by
 * itself: interface numbers, counters, timers, carrier, sockets, locks, and what a daemon remembers of its packet loop and of the store.
 */
export async function worldOf(host: Host): Promise<string> {
  const links = JSON.parse(await host.output(['ip', '-details', '-json', 'link'])) as readonly IpLink[];
  return `${links.map(linkLine).join('\n')}\n${await host.script(SCRIPT)}`;
}

/** As `ip -details -json link` has it, in part. */
interface IpLink {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly ifalias?: string;
  readonly master?: string;
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: {
      readonly type?: string;
      readonly persist?: boolean;
      readonly multi_queue?: boolean;
    };
  };
}

function linkLine({ ifname, flags, mtu, ifalias, master, linkinfo }: IpLink): string {
  const { type, persist, multi_queue } = linkinfo?.info_data ?? {};
  const tun = { type, persist, multi_queue };
  const kind = `${linkinfo?.info_kind ?? 'physical'} ${JSON.stringify(tun)}`;
  return `link ${ifname} ${kind} mtu ${mtu} ${flags.includes('UP') ? 'up' : 'down'} alias ${ifalias} master ${master}`;
}

// `nft` warns on standard error of tables that belong to iptables; `linkdown` is a route's word for no carrier.
const SCRIPT = `
ip -4 -oneline address | sed -E 's/^[0-9]+: //'
ip -4 route show table all | sed -E 's/ (linkdown|dead)//g; s/ *$//'
iptables -S
iptables -t nat -S
nft --stateless list ruleset ip 2>/dev/null
cd /proc/sys/net/ipv4
for setting in ip_forward conf/default/accept_local conf/flannel0/accept_local; do
  echo "$setting $(cat $setting 2>/dev/null || echo absent)"
done
find /run /var/lib ! -type s ! -type d ! -name '*.forwarding.json' ! -name '*.confirmed' ! -name store.json ! -path '/run/flannelette/*.lock' -printf '%p %M ' -exec sh -c 'sha256sum <"$1"' - {} ';' | sort
`;

/** The lines of `before` that `after` lacks, with a minus; those it has in addition, with a plus. */
export function worldDifference(before: string, after: string): readonly string[] {
  const [old, now] = [before.split('\n'), after.split('\n')];
  return [
    ...old.filter((line) => !now.includes(line)).map((line) => `- ${line}`),
    ...now.filter((line) => !old.includes(line)).map((line) => `+ ${line}`),
  ];
}
