/** The demo, chapter by chapter. Each shows the world as an operator would look at it, and expects something of it. */
import type { Container } from '../../test/lab/docker-bridge.js';
import { eventually } from '../../test/lab/eventually.js';
import type { Narrator } from './narrator.js';
import { readTunnelledPacket } from './packet.js';
import { CONFIG_FILE, command, ETCD_URL, type Member, type Scene, startDocker } from './scene.js';

const HEAL_MS = 5000;
const CAPTURE_MS = 10_000;

export async function tellStory(narrator: Narrator, scene: Scene): Promise<void> {
  await theFile(narrator, scene.host1);
  await theLeases(narrator, scene);
  await theFiles(narrator, scene.host1);
  await theKernel(narrator, scene.host1);
  const { a, b, c, d } = await theContainers(narrator, scene);
  await sameHost(narrator, a, b);
  await otherHost(narrator, scene, a, c);
  await noCentre(narrator, c, d);
  await inSync(narrator, scene.host1);
  await drift(narrator, scene.host1, a, c);
  await theStatus(narrator, scene.host1);
}

async function theFile(narrator: Narrator, { host }: Member): Promise<void> {
  narrator.chapter('One file, the same on all three hosts');
  const withoutComments = ['grep', '-vE', '^ *(#|$)', CONFIG_FILE];
  narrator.show(
    host.name,
    "grep -vE '^ *(#|$)' examples/flannelette.yaml",
    await host.output(withoutComments),
  );
  narrator.say(
    '\nOn each host `flannelette run -f examples/flannelette.yaml` runs, and has said that it is ready.',
  );
}

async function theLeases(narrator: Narrator, { etcd, host1, host2, host3 }: Scene): Promise<void> {
  narrator.chapter("The network and the hosts' subnets in etcd, under flannel's keys");
  const argv = ['etcdctl', '--endpoints', ETCD_URL, 'get', '--prefix', '/coreos.com/network'];
  const output = await etcd.output(argv);
  narrator.show('etcd', argv.join(' '), output);
  const members = [host1, host2, host3];
  narrator.expect(
    'one lease for each host',
    members.every(({ address }) => output.split(`"PublicIP":"${address}"`).length === 2),
  );
}

async function theFiles(narrator: Narrator, { host }: Member): Promise<void> {
  narrator.chapter('The files that Docker starts from');
  for (const path of ['/run/flannel/subnet.env', '/run/flannel/docker']) {
    narrator.show(host.name, `cat ${path}`, await host.output(['cat', path]));
  }
  const subnetEnv = await host.readFile('/run/flannel/subnet.env');
  narrator.expect('an MTU of 1472: 1500 less 20 for IP and 8 for UDP', /^FLANNEL_MTU=1472$/m.test(subnetEnv));
}

async function theKernel(narrator: Narrator, { host }: Member): Promise<void> {
  narrator.chapter('The device and the route');
  const address = await host.output(['ip', 'address', 'show', 'dev', 'flannel0']);
  narrator.show(host.name, 'ip address show dev flannel0', address);
  const routes = await host.output(['ip', 'route']);
  narrator.show(host.name, 'ip route', routes);
  narrator.expect('flannel0 is point-to-point, without ARP', /<POINTOPOINT,.*NOARP/.test(address));
  narrator.expect('the whole network is reached through it', /^4\.0\.0\.0\/16 dev flannel0/m.test(routes));
}

type Containers = Readonly<Record<'a' | 'b' | 'c' | 'd', Container>>;

async function theContainers(narrator: Narrator, { host1, host2, host3 }: Scene): Promise<Containers> {
  narrator.chapter('Containers A and B on host1, C on host2, D on host3');
  narrator.say(
    'No Docker here: docker0 is made from the options file as dockerd would make it, firewall rules included, and a\n' +
      'container is a network namespace with one cable into it. To the network they are what containers are.',
  );
  const bridge1 = await startDocker(host1);
  const a = await bridge1.addContainer('A', 3);
  const b = await bridge1.addContainer('B', 5);
  const c = await (await startDocker(host2)).addContainer('C', 3);
  const d = await (await startDocker(host3)).addContainer('D', 3);
  narrator.show(host1.host.name, 'ip route', await host1.host.output(['ip', 'route']));
  for (const container of [a, b, c, d]) {
    narrator.show(container.name, 'ip -brief address', await container.output(['ip', '-brief', 'address']));
  }
  return { a, b, c, d };
}

async function sameHost(narrator: Narrator, a: Container, b: Container): Promise<void> {
  narrator.chapter('A to B: the same subnet, so over the bridge docker0');
  await ping(narrator, a, b);
}

async function otherHost(
  narrator: Narrator,
  { underlay, host1, host2 }: Scene,
  a: Container,
  c: Container,
): Promise<void> {
  narrator.chapter('A to C: over flannel0, and as UDP between the hosts');
  const tcpdump = ['tcpdump', '-i', 'underlay', '-n', '-XX', '-c', '1', 'udp', 'port', '8285'];
  const capture = underlay.spawn(tcpdump);
  await capture.waitForLine(/listening on/, CAPTURE_MS);
  await ping(narrator, a, c);
  await capture.waitForLine(/^1 packet captured/, CAPTURE_MS);
  await capture.exited;
  const dump = capture.lines.filter((line) => /^\d\d:|^\s+0x/.test(line));
  narrator.show('underlay', tcpdump.join(' '), dump.join('\n'));
  const { outer, udpDestinationPort, inner } = readTunnelledPacket(dump);
  narrator.say(
    `\n  outside: ${outer.protocol} ${outer.source} > ${outer.destination}, port ${udpDestinationPort}`,
  );
  narrator.say(
    `  inside:  ${inner.protocol} ${inner.source} > ${inner.destination}, beginning 4500 at 0x002a`,
  );
  narrator.expect(
    "outside it is UDP from host to host, to flannel's port 8285",
    outer.protocol === 'UDP' &&
      outer.source === host1.address &&
      outer.destination === host2.address &&
      udpDestinationPort === 8285,
  );
  narrator.expect(
    'inside it is the ICMP packet for C',
    inner.protocol === 'ICMP' && inner.destination === c.address,
  );
}

async function noCentre(narrator: Narrator, c: Container, d: Container): Promise<void> {
  narrator.chapter('C to D: every host sends straight to every other');
  await ping(narrator, c, d);
}

async function inSync(narrator: Narrator, member: Member): Promise<void> {
  narrator.chapter('Nothing left to do');
  const { code, stdout } = await command(member, 'diff');
  narrator.show(member.host.name, 'flannelette diff -f examples/flannelette.yaml', stdout);
  narrator.expect(`file and host agree: exit code ${code}`, code === 0);
}

async function drift(narrator: Narrator, member: Member, a: Container, c: Container): Promise<void> {
  narrator.chapter('Somebody deletes the route');
  const { host, daemon } = member;
  narrator.say('The daemon would put it back before anyone could look, so it is stopped for a moment.');
  daemon.signal('SIGSTOP');
  const remove = ['ip', 'route', 'delete', '4.0.0.0/16', 'dev', 'flannel0'];
  narrator.show(host.name, `kill -STOP ${daemon.pid}; ${remove.join(' ')}`, await host.output(remove));
  const { code, stdout } = await command(member, 'diff');
  narrator.show(host.name, 'flannelette diff -f examples/flannelette.yaml', stdout);
  narrator.expect(
    `diff shows what is missing: exit code ${code}`,
    code === 1 && /route:.*4\.0\.0\.0\/16/.test(stdout),
  );
  const lost = await a.run(['ping', '-c', '1', '-W', '1', c.address]);
  narrator.expect('meanwhile A does not reach C', lost.code !== 0);

  narrator.say('\nThe daemon goes on.');
  daemon.signal('SIGCONT');
  const route = await eventually('the route is back', HEAL_MS, async () => {
    const line = await host.output(['ip', 'route', 'show', '4.0.0.0/16']);
    if (!line.includes('flannel0')) throw new Error(`ip route shows "${line.trim()}"`);
    return line;
  });
  narrator.show(host.name, `kill -CONT ${daemon.pid}; ip route show 4.0.0.0/16`, route);
  await ping(narrator, a, c);
}

async function theStatus(narrator: Narrator, member: Member): Promise<void> {
  narrator.chapter('What the daemon says of itself');
  const { code, stdout } = await command(member, 'status');
  narrator.show(member.host.name, 'flannelette status -f examples/flannelette.yaml', stdout);
  narrator.expect(`ready: exit code ${code}`, code === 0);
}

async function ping(narrator: Narrator, from: Container, to: Container): Promise<void> {
  const argv = ['ping', '-c', '2', '-i', '0.2', '-W', '2', to.address];
  const { code, stdout } = await from.run(argv);
  narrator.show(from.name, argv.join(' '), stdout);
  narrator.expect(`${from.name} reaches ${to.name}`, code === 0 && / 0% packet loss/.test(stdout));
}
