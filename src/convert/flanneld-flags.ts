/** Every flag of flanneld, today's and those of its old versions: what it becomes here, or why it becomes nothing. */

export interface Flag {
  readonly name: string;
  /** How flanneld reads it. A switch takes no argument of its own; a list may be given several times. */
  readonly kind: 'text' | 'switch' | 'number' | 'list';
  /** flanneld's. A flag that says the same as its default loses nothing. */
  readonly default: string;
  /** The key of our file. */
  readonly becomes?: string;
  /** Why it has no key, and what to do instead. Every flag has one of the two. */
  readonly without?: string;
}

const KUBERNETES = 'for Kubernetes only, which is not supported';
const SERVER_MODE = "of flanneld's removed server mode: every host asks etcd itself";
const SEVERAL_NETWORKS =
  'removed from flanneld in v0.8: write one file for each network, with a store.etcd.prefix and an instance.name of its own';
const GLOG = 'not supported: the log goes to standard error as JSON, where systemd takes it';

/** In the order of flanneld's own help. */
export const FLAGS: readonly Flag[] = [
  {
    name: 'etcd-endpoints',
    kind: 'text',
    default: 'http://127.0.0.1:4001,http://127.0.0.1:2379',
    becomes: 'store.etcd.endpoints',
  },
  { name: 'etcd-prefix', kind: 'text', default: '/coreos.com/network', becomes: 'store.etcd.prefix' },
  { name: 'etcd-keyfile', kind: 'text', default: '', becomes: 'store.etcd.tls.keyFile' },
  { name: 'etcd-certfile', kind: 'text', default: '', becomes: 'store.etcd.tls.certFile' },
  { name: 'etcd-cafile', kind: 'text', default: '', becomes: 'store.etcd.tls.caFile' },
  { name: 'etcd-username', kind: 'text', default: '', becomes: 'store.etcd.username' },
  { name: 'etcd-password', kind: 'text', default: '', becomes: 'store.etcd.passwordFile' },
  { name: 'iface', kind: 'list', default: '', becomes: 'host.interface' },
  { name: 'iface-regex', kind: 'list', default: '', becomes: 'host.interface.regex' },
  { name: 'iface-can-reach', kind: 'text', default: '', becomes: 'host.interface.canReach' },
  { name: 'public-ip', kind: 'text', default: '', becomes: 'host.publicIP' },
  { name: 'public-ipv6', kind: 'text', default: '', becomes: 'host.publicIPv6' },
  { name: 'subnet-file', kind: 'text', default: '/run/flannel/subnet.env', becomes: 'files.subnetEnv' },
  { name: 'ip-masq', kind: 'switch', default: 'false', becomes: 'network.ipMasq' },
  {
    name: 'ip-masq-fully-random-disable',
    kind: 'switch',
    default: 'false',
    without: 'not supported: masqueraded connections get random source ports wherever nft can do that',
  },
  {
    name: 'subnet-lease-renew-margin',
    kind: 'number',
    default: '60',
    without: 'not needed: the lease is kept alive at a third of its TTL, and ever sooner as its end nears',
  },
  {
    name: 'iptables-resync',
    kind: 'number',
    default: '5',
    without: 'not needed: a rule that is changed or deleted is noticed by itself, and put back',
  },
  {
    name: 'iptables-forward-rules',
    kind: 'switch',
    default: 'true',
    without: 'not supported: the exception from a FORWARD policy of DROP, chain FLANNEL-FWD, is always kept',
  },
  {
    name: 'ip-blackhole-route',
    kind: 'switch',
    default: 'false',
    without:
      'not supported yet: add the route by hand if you need it, `ip route add blackhole SUBNET metric 1000`',
  },
  {
    name: 'healthz-ip',
    kind: 'text',
    default: '0.0.0.0',
    without: '`monitoring.port` serves /livez and /readyz, on loopback unless told',
  },
  {
    name: 'healthz-port',
    kind: 'number',
    default: '0',
    without: '`monitoring.port` serves /livez and /readyz, on loopback unless told',
  },
  {
    name: 'kube-subnet-mgr',
    kind: 'switch',
    default: 'false',
    without: 'not supported: the hosts find each other in etcd v3, or in a list in the file (store.static)',
  },
  { name: 'kube-api-url', kind: 'text', default: '', without: KUBERNETES },
  { name: 'kubeconfig-file', kind: 'text', default: '', without: KUBERNETES },
  {
    name: 'kube-annotation-prefix',
    kind: 'text',
    default: 'flannel.alpha.coreos.com',
    without: KUBERNETES,
  },
  { name: 'set-node-network-unavailable', kind: 'switch', default: 'true', without: KUBERNETES },
  {
    name: 'net-config-path',
    kind: 'text',
    default: '/etc/kube-flannel/net-conf.json',
    without: 'for Kubernetes only: give the file to `flannelette convert --net-conf`',
  },
  { name: 'version', kind: 'switch', default: 'false', without: '`flannelette version` prints the version' },
  {
    name: 'v',
    kind: 'number',
    default: '0',
    without: '`flannelette log-level` changes what a running daemon logs',
  },
  { name: 'vmodule', kind: 'text', default: '', without: "not supported: it names files of flanneld's own" },
  {
    name: 'log_backtrace_at',
    kind: 'text',
    default: ':0',
    without: "not supported: it names lines of flanneld's own",
  },
  // What flanneld took before klog, up to v0.8 or so, and still stands in many unit files.
  { name: 'logtostderr', kind: 'switch', default: 'true', without: GLOG },
  { name: 'alsologtostderr', kind: 'switch', default: 'false', without: GLOG },
  { name: 'stderrthreshold', kind: 'text', default: '2', without: GLOG },
  { name: 'log_dir', kind: 'text', default: '', without: GLOG },
  { name: 'subnet-dir', kind: 'text', default: '/run/flannel/networks', without: SEVERAL_NETWORKS },
  { name: 'networks', kind: 'text', default: '', without: SEVERAL_NETWORKS },
  { name: 'watch-networks', kind: 'switch', default: 'false', without: SEVERAL_NETWORKS },
  { name: 'listen', kind: 'text', default: '', without: SERVER_MODE },
  { name: 'remote', kind: 'text', default: '', without: SERVER_MODE },
  { name: 'remote-keyfile', kind: 'text', default: '', without: SERVER_MODE },
  { name: 'remote-certfile', kind: 'text', default: '', without: SERVER_MODE },
  { name: 'remote-cafile', kind: 'text', default: '', without: SERVER_MODE },
];

const BY_NAME: ReadonlyMap<string, Flag> = new Map(FLAGS.map((flag) => [flag.name, flag]));
const BY_VARIABLE: ReadonlyMap<string, Flag> = new Map(FLAGS.map((flag) => [variableOf(flag), flag]));

export function flagNamed(name: string): Flag | undefined {
  return BY_NAME.get(name);
}

export function flagOfVariable(name: string): Flag | undefined {
  return BY_VARIABLE.get(name);
}

/** The variable that flanneld reads when the flag is not given. */
export function variableOf({ name }: Flag): string {
  return `FLANNELD_${name.toUpperCase().replaceAll('-', '_')}`;
}
