/** What stands below `--help` of each verb and in the manual page. A test runs every line. */
export const VERB_EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  init: ['flannelette init -f new.yaml'],
  validate: ['flannelette validate /etc/flannelette.yaml'],
  diff: ['flannelette diff -f flannelette.yaml -o json', 'flannelette diff --out plan.json'],
  apply: [
    'flannelette apply -f flannelette.yaml --timeout 2m',
    'flannelette apply --set network.mtu=1400',
    'flannelette apply --plan plan.json',
  ],
  try: ['flannelette try --timeout 120s new.yaml'],
  confirm: ['flannelette confirm -f flannelette.yaml'],
  rollback: ['flannelette rollback -f flannelette.yaml'],
  run: ['flannelette run -f flannelette.yaml', 'flannelette run --log-format json'],
  status: ['flannelette status --brief'],
  events: ['flannelette events --file flannelette.yaml -o json'],
  peers: ['flannelette peers -f flannelette.yaml'],
  doctor: ['flannelette doctor -f flannelette.yaml', 'flannelette doctor --fix'],
  ping: ['flannelette ping 10.8.65.53', 'flannelette ping 4.0.32.3 -o json'],
  top: ['flannelette top -n 1', 'flannelette top --every 5s -n 2'],
  capture: [
    'flannelette capture -w packets.pcapng --duration 10s',
    'flannelette capture -w dropped.pcapng --verdict dropped --peer 4.0.32.0/24 -n 1',
  ],
  'log-level': ['flannelette log-level', 'flannelette log-level route debug'],
  destroy: ['flannelette destroy -f flannelette.yaml --lease'],
  leases: ['flannelette leases -o json'],
  'leases release': ['flannelette leases release 4.0.32.0/24'],
  'docker-opts': ['flannelette docker-opts -f /run/flannel/subnet.env -d /run/docker_opts.env'],
  convert: ['flannelette convert -- -etcd-endpoints=http://10.8.64.10:2379 -ip-masq -iface=eth0'],
  explain: ['flannelette explain network.mtu', 'flannelette explain route:4.0.0.0/16'],
  schema: ['flannelette schema'],
  completion: ['flannelette completion bash'],
  man: ['flannelette man'],
  version: ['flannelette version'],
};

/** Of the verb with this name, subcommands with their parent's before it. */
export function exampleText(verb: string): string {
  const lines = VERB_EXAMPLES[verb] ?? [];
  const title = lines.length === 1 ? 'Example:' : 'Examples:';
  return lines.length === 0 ? '' : ['', title, ...lines.map((line) => `  ${line}`)].join('\n');
}
