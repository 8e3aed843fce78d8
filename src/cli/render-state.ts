/** What a plan says of an object's state in a few words, beyond what its key says already. Pure. */

import { counted } from '../model/counted.js';
import type { KindName, StateOf } from '../model/objects.js';

const SUMMARIES: { readonly [K in KindName]: (state: StateOf[K]) => string } = {
  'network-config': (state) => {
    if ('invalid' in state) return '';
    const { ipv4, ipv6, backend } = state.config;
    const families = [ipv4, ipv6].flatMap((family) =>
      family ? [`${family.cidr} in /${family.subnetLength}s`] : [],
    );
    return [...families, `backend ${backend.type}`].join(', ');
  },
  command: ({ run }) => run?.argv.join(' ') ?? '',
  lease: ({ attributes: { publicIps } }) =>
    `at ${[publicIps.ipv4, publicIps.ipv6].filter((ip) => ip !== undefined).join(', ')}`,
  link: ({ kind, mtu, multiQueue, vxlan }) =>
    [
      kind,
      ...(vxlan ? [`id ${vxlan.vni}`, `port ${vxlan.port}`] : []),
      `mtu ${mtu}`,
      ...(multiQueue ? ['multi-queue'] : []),
    ].join(', '),
  sysctl: ({ value }) => value,
  address: () => '',
  forwarder: ({ bind }) => `on ${bind.address}:${bind.port}`,
  peer: ({ publicIp, port }) => `at ${publicIp}:${port}`,
  fdb: ({ destination }) => `to ${destination}`,
  neighbour: ({ mac }) => `at ${mac}`,
  route: ({ link, via }) => [via && `via ${via}`, link && `dev ${link}`].filter(Boolean).join(' '),
  masquerade: ({ rules }) => counted(rules.length, 'rule'),
  forward: ({ accept }) => `accepts ${accept.join(', ')}`,
  'flannel-rules': () => '',
  file: ({ content }) => counted(content.trimEnd().split('\n').length, 'line'),
  'docker-settings': ({ settings }) =>
    Object.entries(settings)
      .map(([name, value]) => `${name} ${value}`)
      .join(', '),
  'docker-bridge': ({ found: { addresses } }) => addresses.join(', '),
};

export function stateSummary<K extends KindName>(kind: K, state: StateOf[K]): string {
  return SUMMARIES[kind](state);
}
