/**
 * What flanneld v0.20.2 with the udp backend and -ip-masq leaves when it is told to stop: its lease, subnet.env and
 * its rules, as captured from the real one. Its device goes with the process.
 */
import type { Cluster, Member } from './cluster.js';

export interface FlannelNetwork {
  /** 10.1.0.0/16 */
  readonly cidr: string;
  /** Of the host, with three bytes: 10.1.63 is 10.1.63.0/24. */
  readonly subnet: string;
}

export const FLANNEL_PREFIX = '/coreos.com/network';
/** flanneld's, 24 h. */
const TTL_SECONDS = 86_400;

/** The id of the etcd lease that the subnet hangs on, hexadecimal as etcdctl has it. */
export async function leaveAsFlanneld(
  { etcdctl }: Cluster,
  { host, address }: Member,
  network: FlannelNetwork,
): Promise<string> {
  const { cidr, subnet } = network;
  const lease = await leaseOfFlanneld(etcdctl, address, subnet);
  await host.writeFile(
    '/run/flannel/subnet.env',
    `FLANNEL_NETWORK=${cidr}\nFLANNEL_SUBNET=${subnet}.1/24\nFLANNEL_MTU=1472\nFLANNEL_IPMASQ=true\n`,
  );
  // mk-docker-opts.sh -k DOCKER_NETWORK_OPTIONS -d /run/flannel/docker
  const options = [`--bip=${subnet}.1/24`, '--ip-masq=false', '--mtu=1472'];
  await host.writeFile(
    '/run/flannel/docker',
    `DOCKER_OPT_BIP="${options[0]}"\nDOCKER_OPT_IPMASQ="${options[1]}"\nDOCKER_OPT_MTU="${options[2]}"\n` +
      `DOCKER_NETWORK_OPTIONS=" ${options.join(' ')}"\n`,
  );
  await host.output(['iptables-restore', '--noflush'], { input: rulesOfFlanneld(network) });
  return lease;
}

/** A lease as flanneld writes it: on an etcd lease of its own, granted for 24 h. */
export async function leaseOfFlanneld(
  etcdctl: Cluster['etcdctl'],
  address: string,
  subnet: string,
): Promise<string> {
  const granted = await etcdctl('lease', 'grant', String(TTL_SECONDS));
  const [, lease] = /^lease ([0-9a-f]+) granted/.exec(granted) ?? [];
  if (lease === undefined) throw new Error(`Cannot grant a lease: etcdctl printed "${granted}"`);
  const value = `{"PublicIP":"${address}","PublicIPv6":null}`;
  await etcdctl('put', `--lease=${lease}`, `${FLANNEL_PREFIX}/subnets/${subnet}.0-24`, value);
  return lease;
}

function rulesOfFlanneld({ cidr, subnet }: FlannelNetwork): string {
  const masq = '-m comment --comment "flanneld masq"';
  const forward = '-m comment --comment "flanneld forward"';
  return `*filter
:FLANNEL-FWD - [0:0]
-A FORWARD ${forward} -j FLANNEL-FWD
-A FLANNEL-FWD -s ${cidr} ${forward} -j ACCEPT
-A FLANNEL-FWD -d ${cidr} ${forward} -j ACCEPT
COMMIT
*nat
:FLANNEL-POSTRTG - [0:0]
-A POSTROUTING ${masq} -j FLANNEL-POSTRTG
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 ${masq} -j RETURN
-A FLANNEL-POSTRTG -s ${cidr} -d ${cidr} ${masq} -j RETURN
-A FLANNEL-POSTRTG -s ${cidr} ! -d 224.0.0.0/4 ${masq} -j MASQUERADE --random-fully
-A FLANNEL-POSTRTG ! -s ${cidr} -d ${subnet}.0/24 ${masq} -j RETURN
-A FLANNEL-POSTRTG ! -s ${cidr} -d ${cidr} ${masq} -j MASQUERADE --random-fully
COMMIT
`;
}
