/** What is done to a well host, the code by which `doctor` must name it, and what else has to be put back afterwards. */
import type { DoctorCode } from '../../src/model/doctor/finding.js';
import { NETWORK, type SickHost } from '../lab/sick-host.js';

export interface DoctorRow {
  readonly name: string;
  readonly code: DoctorCode;
  /** A script for the host. */
  readonly seed?: string;
  readonly seedWith?: (sick: SickHost) => Promise<unknown>;
  /** A script for the host of etcd. */
  readonly inEtcd?: string;
  /** Sections of the file that are other than on the well host. */
  readonly file?: Parameters<SickHost['configure']>[0];
  /** What goes before the program; then it is a process of its own that looks, which sees the host's mounts too. */
  readonly before?: readonly string[];
  /** systemd's part of the remedy: nobody else is there to do it. */
  readonly service?: (sick: SickHost) => Promise<unknown>;
  /** Scripts that put back what the remedy has left or had no business with. */
  readonly after?: string;
  readonly afterWith?: (sick: SickHost) => Promise<unknown>;
  readonly afterInEtcd?: string;
}

const LEASES = '/coreos.com/network/subnets';
const CONFIG = '/coreos.com/network/config';
const FLUSH = 'iptables -P INPUT ACCEPT; iptables -P FORWARD ACCEPT; iptables -F INPUT; iptables -F OUTPUT';
const APPLY = 'flannelette apply --allow-renumber';
const KEEP_CONFIG = `etcdctl get --print-value-only ${CONFIG} >/run/config`;
const PUT_BACK = `etcdctl put ${CONFIG} <"/run/config"`;
const ETH1 = `ip link add eth1 type veth peer name eth1p
ip link set eth1p up`;
const NO_ETH1 = 'ip link del eth1';
const JUMP = 'FORWARD -m comment --comment flannelette -j FLANNEL-FWD';

export const DOCTOR_ROWS: readonly DoctorRow[] = [
  // The process and its surroundings.
  {
    name: 'started without CAP_NET_ADMIN',
    code: 'NoNetAdmin',
    before: ['setpriv', '--bounding-set', '-net_admin', '--inh-caps', '-net_admin'],
  },
  {
    name: 'no /dev/net/tun',
    code: 'NoTunDevice',
    seed: 'mount -t tmpfs tmpfs /dev/net',
    before: [],
    after: 'umount /dev/net',
  },
  {
    name: 'a password that everybody can read',
    code: 'SecretExposed',
    seed: 'echo secret >"$DIRECTORY/password"; chmod 644 "$DIRECTORY/password"',
    file: { etcd: ', username: host, passwordFile: DIRECTORY/password' },
  },
  {
    name: 'a state directory mounted read-only',
    code: 'DirectoryReadOnly',
    seed: 'mount -t tmpfs -o ro tmpfs "$DIRECTORY/state"',
    before: [],
    after: 'umount "$DIRECTORY/state"',
  },
  // The store.
  {
    name: 'etcd is down',
    code: 'EtcdUnavailable',
    seedWith: (sick) => sick.stopEtcd(),
    service: (sick) => sick.startEtcd(),
  },
  {
    name: 'a user of etcd without a role',
    code: 'EtcdAuth',
    seed: 'echo -n secret >"$DIRECTORY/password"; chmod 600 "$DIRECTORY/password"; export ETCDCTL_USER=root:root',
    inEtcd: `etcdctl user add root:root && etcdctl user grant-role root root
etcdctl user add host:secret && etcdctl auth enable`,
    file: { etcd: ', username: host, passwordFile: DIRECTORY/password' },
    after: 'unset ETCDCTL_USER',
    afterInEtcd: 'etcdctl --user root:root auth disable',
  },
  {
    name: 'etcd is full',
    code: 'EtcdAlarm',
    inEtcd: `head -c 1000000 /dev/zero | tr '\\0' x >/run/much
for i in $(seq 1 40); do etcdctl put much </run/much >/dev/null 2>&1 || break; done
etcdctl alarm list`,
  },
  {
    name: 'no network anywhere',
    code: 'NetworkMissing',
    inEtcd: `${KEEP_CONFIG}; etcdctl del ${CONFIG}`,
    file: { network: '' },
    afterInEtcd: PUT_BACK,
  },
  {
    name: 'a network in etcd that is none',
    code: 'NetworkInvalid',
    inEtcd: `${KEEP_CONFIG}; etcdctl put ${CONFIG} '{"Network":"4.0.0.0"}'`,
    afterInEtcd: PUT_BACK,
  },
  {
    name: 'another network in the file than in etcd',
    code: 'NetworkConflict',
    inEtcd: KEEP_CONFIG,
    file: { network: NETWORK.replace('8285', '8286') },
    afterInEtcd: PUT_BACK,
  },
  {
    name: 'a lease that cannot be read',
    code: 'LeasesSetAside',
    inEtcd: `etcdctl put ${LEASES}/4.0.60.0-24 '{"PublicIP":'`,
  },
  {
    name: 'a lease over an older one',
    code: 'LeasesSetAside',
    inEtcd: `etcdctl put ${LEASES}/4.0.48.0-20 '{"PublicIP":"10.8.65.9"}'`,
  },
  {
    name: 'a second lease with this address',
    code: 'DuplicatePublicIp',
    inEtcd: `etcdctl put ${LEASES}/4.0.61.0-24 '{"PublicIP":"10.8.65.1"}'`,
  },
  {
    name: 'a second lease with the address of another host',
    code: 'DuplicatePublicIp',
    inEtcd: `etcdctl put ${LEASES}/4.0.61.0-24 '{"PublicIP":"10.8.65.2"}'`,
    afterInEtcd: `etcdctl del --prefix ${LEASES}/4.0.61.0-24; etcdctl put ${LEASES}/4.0.50.0-24 '{"PublicIP":"10.8.65.2"}'`,
  },
  {
    name: 'a pinned subnet that another host holds',
    code: 'SubnetTaken',
    inEtcd: `etcdctl put ${LEASES}/4.0.62.0-24 '{"PublicIP":"10.8.65.9"}'`,
    file: { host: '{ subnet: 4.0.62.0/24 }' },
  },
  {
    name: 'a file that orders another subnet',
    code: 'RenumberRequired',
    file: { host: '{ subnet: 4.0.63.0/24 }' },
    after: APPLY,
  },
  // Interfaces and routes.
  {
    name: 'the named interface is down',
    code: 'InterfaceUnusable',
    seed: `${ETH1}\nip address add 10.9.0.1/24 dev eth1`,
    file: { host: '{ interface: eth1, subnet: 4.0.100.0/24 }' },
    after: NO_ETH1,
  },
  { name: 'no forwarding', code: 'ForwardingOff', seed: 'sysctl -qw net.ipv4.ip_forward=0' },
  {
    name: 'a strict filter where the way back is another interface',
    code: 'ReversePathFilter',
    seed: `${ETH1}
ip address add 10.9.0.1/24 dev eth1
ip link set eth1 up
ip route add 10.8.65.2/32 dev eth1
sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=1`,
    after: `sysctl -qw net.ipv4.conf.eth0.rp_filter=0\n${NO_ETH1}`,
  },
  {
    name: 'a route that refuses another host',
    code: 'PeerUnroutable',
    seed: 'ip route add unreachable 10.8.65.2/32',
  },
  {
    name: "another program's route to a part of the network",
    code: 'OverlappingRoute',
    seed: 'ip route add 4.0.50.0/24 via 10.8.0.1 proto static',
  },
  {
    name: 'a black hole for a part of the network',
    code: 'OverlappingRoute',
    seed: 'ip route add blackhole 4.0.50.0/24',
  },
  {
    name: 'an address of the network on another link',
    code: 'OverlappingAddress',
    seed: `${ETH1}\nip link set eth1 up\nip address add 4.0.50.1/24 dev eth1`,
    after: NO_ETH1,
  },
  {
    name: 'a rule that sends the network to another table',
    code: 'PolicyRule',
    seed: 'ip rule add to 4.0.0.0/16 table 100 priority 100; ip route add 4.0.0.0/16 via 10.8.0.1 table 100',
    after: 'ip route flush table 100',
  },
  // Ports and firewalls.
  {
    name: 'another process on the port',
    code: 'PortTaken',
    async seedWith(sick) {
      const script =
        "require('dgram').createSocket('udp4').bind(8285, '10.8.65.1', () => console.log('bound'))";
      await sick.host.spawn([process.execPath, '-e', script]).waitForLine(/bound/, 10_000);
    },
  },
  {
    name: 'a rule of iptables against what comes in',
    code: 'PortBlocked',
    seed: 'iptables -A INPUT -i eth0 -p udp -m udp --dport 8000:9000 -j DROP',
    after: FLUSH,
  },
  {
    name: 'a policy of iptables against what comes in',
    code: 'PortBlocked',
    seed: `iptables -A INPUT -i lo -j ACCEPT
iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables -A INPUT -p tcp -m multiport --dports 22,80 -j ACCEPT
iptables -P INPUT DROP`,
    after: FLUSH,
  },
  {
    name: 'a chain of iptables against what goes out',
    code: 'PortBlocked',
    seed: `iptables -N guard
iptables -A guard -p udp -m udp ! --dport 53 -j REJECT
iptables -A OUTPUT -o eth0 -j guard`,
    after: `${FLUSH}; iptables -F guard; iptables -X guard`,
  },
  {
    name: 'a table of nft against what comes in',
    code: 'PortBlocked',
    seed: `nft -f - <<END
table inet guard {
  chain incoming {
    type filter hook input priority 10; policy drop;
    ct state established,related accept
    iifname "lo" accept
    ip saddr 10.9.0.0/16 accept
    tcp dport { 22, 80-90 } accept
    meta l4proto icmp accept
  }
}
END`,
    after: 'nft delete table inet guard',
  },
  {
    name: 'the policy of Docker, and our exception away',
    code: 'ForwardDenied',
    seed: `iptables -P FORWARD DROP; iptables -D ${JUMP}`,
    after: `${FLUSH}; ${APPLY}; iptables -D FORWARD -s 4.0.0.0/16 -j ACCEPT; iptables -D FORWARD -d 4.0.0.0/16 -j ACCEPT`,
  },
  {
    name: 'a rule before our exception',
    code: 'ForwardDenied',
    seed: 'iptables -I FORWARD -i flannel0 ! -o eth0 -j REJECT',
    after: 'iptables -D FORWARD -i flannel0 ! -o eth0 -j REJECT; iptables -D FORWARD -d 4.0.0.0/16 -j ACCEPT',
  },
  {
    name: 'a table of nft against what is forwarded',
    code: 'ForwardDenied',
    seed: `nft -f - <<END
table inet guard {
  chain trusted { iifname "eth9" accept; }
  chain passing { type filter hook forward priority 5; policy accept; jump trusted; oifname "flannel0" drop; iifname "flannel0" counter reject; }
}
END`,
    after: 'nft delete table inet guard',
  },
  {
    name: 'a link on the way that carries less, and says nothing',
    code: 'MtuBlackHole',
    seedWith: (sick) => sick.underlay.script('ip link set port3 mtu 1400'),
    afterWith: (sick) => sick.underlay.script('ip link set port3 mtu 1500'),
    after: `ip link set eth0 mtu 1500; ${APPLY}`,
  },
  // Docker.
  {
    name: "packet sizes on Docker's bridge",
    code: 'DockerOutOfStep',
    seed: 'ip link set docker0 mtu 1500',
    service: (sick) => sick.makeDocker(),
  },
  {
    name: "another subnet on Docker's bridge",
    code: 'DockerOutOfStep',
    seed: 'ip address flush dev docker0; ip address add 172.17.0.1/16 dev docker0',
    service: (sick) => sick.makeDocker(),
    after: 'ip address del 172.17.0.1/16 dev docker0',
  },
  {
    name: 'Docker masquerades too',
    code: 'MasqueradedTwice',
    seed: 'iptables -t nat -A POSTROUTING -s 4.0.100.0/24 ! -o docker0 -j MASQUERADE',
  },
  {
    name: "Docker's rule before routing",
    code: 'DockerFirewall',
    seed: 'iptables -t raw -A PREROUTING -d 4.0.100.2/32 ! -i docker0 -j DROP',
    after: 'iptables -t raw -F PREROUTING',
  },
  {
    name: "Docker's rule while forwarding",
    code: 'DockerFirewall',
    seed: `iptables -N DOCKER; iptables -N DOCKER-USER
iptables -A DOCKER ! -i docker0 -o docker0 -j DROP
iptables -I FORWARD -o docker0 -j DOCKER; iptables -I FORWARD -j DOCKER-USER`,
    after: `iptables -D FORWARD -o docker0 -j DOCKER; iptables -D FORWARD -j DOCKER-USER
iptables -F DOCKER; iptables -X DOCKER; iptables -F DOCKER-USER; iptables -X DOCKER-USER`,
  },
  // What is ours.
  {
    name: 'a bridge by the name of our device',
    code: 'ForeignObject',
    seed: 'ip link del flannel0; ip link add flannel0 type bridge',
    after: APPLY,
  },
  {
    name: "somebody's route in the place of ours",
    code: 'ForeignObject',
    seed: 'ip route replace 4.0.0.0/16 via 10.8.0.1 proto static',
    after: APPLY,
  },
  { name: 'a route that is gone', code: 'NotAsWanted', seed: 'ip route del 4.0.0.0/16' },
  { name: 'a device that is down', code: 'NotAsWanted', seed: 'ip link set flannel0 down' },
  { name: 'a file that is gone', code: 'NotAsWanted', seed: 'rm "$DIRECTORY/subnet.env"' },
  { name: 'masquerading that is gone', code: 'NotAsWanted', seed: 'nft flush ruleset ip' },
];
