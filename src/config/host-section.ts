/** `host` of the YAML file. */
import { z } from 'zod';
import type { InterfaceSelector } from '../model/config.js';
import {
  address,
  choice,
  hostAddress,
  interfaceName,
  inWords,
  isInterfaceName,
  parsed,
  prefix,
  section,
} from './fields.js';

/** Whatever looks like an address must be one: `10.8.65.999` would pass for an interface name. */
const INTERFACE_WANT = 'must be auto, an interface name such as eth0 or an address of this host';
const interfaceText = parsed<InterfaceSelector>(INTERFACE_WANT, (text) => {
  const refused = INTERFACE_WANT;
  if (text === 'auto') return { value: { by: 'default-route' } };
  if (/^[\d./]+$/.test(text) || text.includes(':')) {
    const given = address().safeParse(text);
    return given.success ? { value: { by: 'address', address: given.data } } : { refused };
  }
  return isInterfaceName(text) ? { value: { by: 'name', name: text } } : { refused };
});

export const INTERFACE_KEYS = ['name', 'address', 'regex', 'canReach'] as const;

const REGEX_WANT = "must be a regular expression such as '^10\\.8\\.'";

const interfaceSection = section({
  name: interfaceName('eth0').optional().describe('The interface with this name.'),
  address: address().optional().describe('The interface that holds this address.'),
  regex: parsed(REGEX_WANT, regularExpression)
    .optional()
    .describe('The first interface whose name or address matches this regular expression.'),
  canReach: address().optional().describe('The interface that packets to this address leave by.'),
});

export const hostSection = section({
  interface: z
    .union([interfaceText, interfaceSection], {
      error: `must be auto, an interface name, an address, or a section with ${inWords(INTERFACE_KEYS)}`,
    })
    .prefault('auto')
    .describe(
      'The interface that carries the packets to the other hosts. auto: that of the default route. A name, an address of this host, or a section with one of name, address, regex and canReach.',
    ),
  publicIP: hostAddress('ipv4', 'host.publicIPv6')
    .optional()
    .describe("The address that the other hosts send to. Default: the interface's own."),
  publicIPv6: hostAddress('ipv6', 'host.publicIP')
    .optional()
    .describe("The same in IPv6, for a network with IPv6. Default: the interface's own."),
  subnet: prefix('ipv4', 'host.subnetIPv6')
    .optional()
    .describe("This host's subnet. Left out: the one it had before, else a free one."),
  subnetIPv6: prefix('ipv6', 'host.subnet')
    .optional()
    .describe("This host's IPv6 subnet. Left out: the one it had before, else a free one."),
  renumber: choice(['auto', 'allow', 'never'])
    .default('auto')
    .describe(
      'Whether this host takes another subnet than the one in use; status shows RenumberRequired for 5 s before. auto: where another host holds that one; where the file or the network has changed it waits for apply --allow-renumber. allow: in both cases; never: both wait.',
    ),
});

function regularExpression(text: string): { readonly value: string } | { readonly refused: string } {
  try {
    new RegExp(text);
    return text === '' ? { refused: 'must not be empty' } : { value: text };
  } catch {
    return { refused: REGEX_WANT };
  }
}
