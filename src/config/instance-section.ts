/** `instance` of the YAML file. */
import { DEFAULT_INSTANCE } from '../model/config.js';
import { absolutePath, integer, parsed, section } from './fields.js';

export const instanceSection = section({
  name: parsed('must be a name such as flannel0', instanceName)
    .prefault(DEFAULT_INSTANCE.name)
    .describe(
      'Names the device and all that belongs to it. Two networks on one host are two files with two names.',
    ),
  routeProtocol: integer(5, 255)
    .superRefine((number, context) => {
      const owner = ROUTE_PROTOCOLS[number];
      if (owner === undefined) return;
      const message = `must be a number of our own, ${owner}'s routes would be taken for ours`;
      context.addIssue({ code: 'custom', message });
    })
    .default(77)
    .describe('The kernel marks our routes with this number: it is how they are known again.'),
  runtimeDirectory: absolutePath()
    .prefault(DEFAULT_INSTANCE.runtimeDirectory)
    .describe('Holds the status socket.'),
  stateDirectory: absolutePath()
    .prefault('/var/lib/flannelette')
    .describe('Holds what must survive a reboot.'),
});

/** Numbers that others use (linux/rtnetlink.h, RTPROT_*); 0 to 4 are the kernel's and the administrator's. */
const ROUTE_PROTOCOLS: Readonly<Record<number, string>> = {
  8: 'gated',
  9: 'router advertisement',
  10: 'mrt',
  11: 'zebra',
  12: 'bird',
  13: 'dnrouted',
  14: 'xorp',
  15: 'netsukuku',
  16: 'dhcp',
  17: 'mrouted',
  18: 'keepalived',
  42: 'babel',
  84: 'ovn',
  99: 'openr',
  186: 'bgp',
  187: 'is-is',
  188: 'ospf',
  189: 'rip',
  192: 'eigrp',
};

/** The name is also an nft table's and the end of a chain's, which are stricter than the kernel is with devices. */
function instanceName(text: string): { readonly value: string } | { readonly refused: string } {
  if (!/^[A-Za-z][\w.-]{0,14}$/.test(text)) {
    const refused = 'must be 1 to 15 letters, digits, dots, dashes or underscores, a letter first';
    return { refused };
  }
  // net.ipv4.conf.all and .default are not devices.
  const taken = ['all', 'default', 'lo'].includes(text);
  return taken ? { refused: 'must not be a name that the kernel uses itself' } : { value: text };
}
