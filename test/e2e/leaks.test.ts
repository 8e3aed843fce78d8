/** After a network of hosts is closed, the machine is as it was: no process, no namespace, no interface, no file. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import test from 'node:test';
import { eventually } from '../lab/eventually.js';
import { onSites, siteAt } from '../lab/sites.js';

const NAMESPACES = ['net', 'mnt', 'uts'] as const;
/** The kernel ends a namespace some time after its last process. */
const GONE_MS = 30_000;
/** Names that a host of the lab has; one of them on the machine would be a slip out of the lab. */
const OF_THE_LAB = /^(flannel|docker|veth|port\d|underlay)/;

test('hosts that were killed, stopped and left running leave nothing', { timeout: 120_000 }, async () => {
  const machine = machineState();
  const home = new Set(namespacesOf('self'));
  let inside: readonly string[] = [];
  let closedAt = 0;
  await onSites({ hosts: 2 }, async (sites, { etcdProcess, etcd }) => {
    const [first, second] = [siteAt(sites, 0), siteAt(sites, 1)];
    first.container.spawn(['ping', '-n', '-i', '0.1', second.container.address]);
    first.daemon.signal('SIGKILL');
    await first.daemon.exited;
    second.daemon.signal('SIGSTOP');
    etcdProcess.signal('SIGSTOP');
    const holders = [etcd, ...sites.flatMap(({ member, container }) => [member.host, container])];
    inside = holders.flatMap(({ pid }) => namespacesOf(pid)).filter((namespace) => !home.has(namespace));
    const pids = processesIn(inside);
    // Three hosts and two containers; a container has its host's mounts.
    assert.ok(new Set(inside).size >= 13, inside.join(' '));
    assert.ok(pids.length >= 8, pids.join(' '));
    closedAt = secondsSinceBoot();
  });
  await eventually('the machine is as it was', GONE_MS, () => {
    // Numbers of namespaces are used again, so a younger process is somebody else's.
    assert.deepEqual(
      processesIn(inside).filter((pid) => startOf(pid) <= closedAt),
      [],
    );
    assert.deepEqual(machineState(), machine);
    const open = readdirSync('/proc/self/fd').filter((fd) => inside.includes(linkOf(`/proc/self/fd/${fd}`)));
    assert.deepEqual(open, [], 'a descriptor of this process keeps a namespace');
  });
});

/** Those of one process, such as `net:[4026531840]`; none when it is gone. */
function namespacesOf(pid: string | number): readonly string[] {
  return NAMESPACES.map((kind) => linkOf(`/proc/${pid}/ns/${kind}`)).filter((name) => name !== '');
}

function processesIn(namespaces: readonly string[]): readonly string[] {
  return readdirSync('/proc').filter(
    (name) => /^\d+$/.test(name) && namespacesOf(name).some((namespace) => namespaces.includes(namespace)),
  );
}

/** On the clock of startOf. */
function secondsSinceBoot(): number {
  return Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
}

/** Field 22 of proc_pid_stat(5), in hundredths of a second; the name before it may hold anything but the last parenthesis. */
function startOf(pid: string): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')')).split(' ')[20]) / 100;
  } catch {
    return Number.POSITIVE_INFINITY; // Gone meanwhile.
  }
}

/** What of the lab could have slipped out of it. */
function machineState(): object {
  return {
    interfaces: readdirSync('/sys/class/net').filter((name) => OF_THE_LAB.test(name)),
    run: readdirSync('/run').filter((name) => name.startsWith('flannel')),
    state: readdirSync('/var/lib').filter((name) => name.startsWith('flannel')),
  };
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // Gone, or not a link.
  }
}
