/** The file's values, all checked → Config: the words of the file become those of the model. */
import type { z } from 'zod';
import type {
  Config,
  DockerSection,
  EtcdStoreSection,
  InterfaceSelector,
  NetworkSection,
  StaticPeer,
  StaticStoreSection,
} from '../model/config.js';
import { dockerModeOf, filesOf } from './instance-defaults.js';
import { declaredFamilies } from './network-rules.js';
import type { FileValues, HostFields } from './schema.js';
import { etcdSection, type tlsSection } from './store-section.js';

export function configOf(values: FileValues): Config {
  const { host, dataplane, monitoring, instance } = values;
  return {
    network: networkOf(values),
    host: {
      interface: selectorOf(host.interface),
      ...hostPart(host),
      renumber: host.renumber,
    },
    store: storeOf(values.store),
    dataplane,
    files: filesOf(values),
    docker: dockerOf(values),
    monitoring: { address: monitoring.address, ...present('port', monitoring.port) },
    instance,
  };
}

function networkOf(values: FileValues): NetworkSection {
  const { publish, mtu, ipMasq, backend } = values.network;
  const families = declaredFamilies(values);
  const isDeclared = families.ipv4 !== undefined || families.ipv6 !== undefined;
  return { ...(isDeclared && { declared: { ...families, backend } }), publish, mtu, ipMasq };
}

/** What the file says of one host, of this one or of a peer. */
function hostPart(given: HostFields): StaticPeer {
  const { publicIP, publicIPv6, subnet, subnetIPv6 } = given;
  return {
    publicIps: { ...present('ipv4', publicIP), ...present('ipv6', publicIPv6) },
    subnets: { ...present('ipv4', subnet), ...present('ipv6', subnetIPv6) },
  };
}

function selectorOf(given: FileValues['host']['interface']): InterfaceSelector {
  if ('by' in given) return given;
  const { name, address, regex, canReach } = given;
  if (name !== undefined) return { by: 'name', name };
  if (address !== undefined) return { by: 'address', address };
  if (regex !== undefined) return { by: 'regex', regex };
  return canReach === undefined ? { by: 'default-route' } : { by: 'can-reach', address: canReach };
}

function storeOf(given: FileValues['store']): EtcdStoreSection | StaticStoreSection {
  if (given.static !== undefined) {
    return { type: 'static', peers: given.static.peers.map(hostPart) };
  }
  const { endpoints, prefix, username, passwordFile, tls, leaseTTL } = given.etcd ?? etcdSection.parse({});
  return {
    type: 'etcd',
    endpoints,
    prefix,
    ...present('username', username),
    ...present('passwordFile', passwordFile),
    ...present('tls', tls && tlsOf(tls)),
    leaseTtlSeconds: leaseTTL,
  };
}

function tlsOf({ caFile, certFile, keyFile }: z.output<typeof tlsSection>): EtcdStoreSection['tls'] & object {
  return { ...present('caFile', caFile), ...present('certFile', certFile), ...present('keyFile', keyFile) };
}

function dockerOf(values: FileValues): DockerSection {
  const { daemonJson, bridge, onChange } = values.docker;
  return { mode: dockerModeOf(values), daemonJson, bridge, ...present('onChange', onChange) };
}

/** One field, or none at all: the model's optional fields are absent, never undefined. */
function present<Key extends string, Value>(key: Key, value: Value | undefined): { [K in Key]?: Value } {
  return (value === undefined ? {} : { [key]: value }) as { [K in Key]?: Value };
}
