/**
 * A machine of the lab: systemd as its first process, over a copy of this machine's own file system that is thrown
 * away afterwards. It is a host with an init, users and packages: what an operator installs on.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { eventually } from './eventually.js';
import { Holder } from './holder.js';
import { LongProcess } from './process.js';
import { repositoryRoot } from './repository.js';

const BOOT_MS = 30_000;
let booted = 0;

/**
 * Nothing that this machine starts by itself is started there: no unit of /etc, nothing that is pulled in by one of
 * the distribution's, but for the journal, which is kept in memory.
 */
const SETUP = `
cgroup=$1 name=$2 repository=$3 node=$4
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root
cd /mnt/root

mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/net dev/pts dev/shm
for device in full null random tty urandom zero net/tun; do
  mknod -m 666 dev/$device c $((0x$(stat -c %t /dev/$device))) $((0x$(stat -c %T /dev/$device)))
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
touch dev/console

find etc/systemd/system -mindepth 1 -delete
rm -rf usr/lib/systemd/system/*.wants/* var/lib/flannelette var/log/journal usr/sbin/policy-rc.d
mkdir -p etc/systemd/journald.conf.d etc/systemd/system/sysinit.target.wants
ln -s /usr/lib/systemd/system/systemd-journald.service etc/systemd/system/sysinit.target.wants/
printf '[Journal]\\nStorage=volatile\\nRateLimitIntervalSec=0\\n' >etc/systemd/journald.conf.d/lab.conf
: >etc/fstab
echo "$name" >etc/hostname
[ -e usr/bin/node ] || ln -sf "$node" usr/local/bin/node
# Where it is a file system of its own the copy lacks it.
[ -e ".$repository" ] || { mkdir -p ".$repository" && mount --bind "$repository" ".$repository"; }

ip link set lo up
echo 0 >/proc/sys/net/ipv4/ip_forward
hostname "$name"
mkdir old
pivot_root . old
umount -l /old
container=lab exec /lib/systemd/systemd --system --unit=multi-user.target --log-target=journal </dev/null >/dev/null 2>&1
`;

export class Machine extends Holder {
  readonly #keeper: LongProcess;
  readonly #cgroup: string;
  readonly #init: number;

  private constructor(
    readonly name: string,
    keeper: LongProcess,
    cgroup: string,
    init: number,
  ) {
    super(keeper);
    this.#keeper = keeper;
    this.#cgroup = cgroup;
    this.#init = init;
  }

  /** Resolves once systemd runs and has nothing left to start. Without any network but its loopback. */
  static async boot(name: string): Promise<Machine> {
    const cgroup = join(await cgroupRoot(), `flannelette-${process.pid}-${++booted}`);
    await mkdir(cgroup);
    const namespaces = ['--mount', '--net', '--uts', '--ipc', '--pid', '--cgroup'];
    const unshare = `exec unshare ${namespaces.join(' ')} --fork --kill-child sh -euc "$0" - "$@"`;
    const argv = ['sh', '-euc', `echo $$ >"$1/cgroup.procs"\n${unshare}`, SETUP];
    const keeper = new LongProcess([...argv, cgroup, name, repositoryRoot(), process.execPath]);
    try {
      const init = await eventually('systemd as the first process', BOOT_MS, () => initOf(keeper));
      const machine = new Machine(name, keeper, cgroup, init);
      await eventually(`systemd of ${name}`, BOOT_MS, () => machine.#mustRun());
      return machine;
    } catch (cause) {
      keeper.signal('SIGKILL');
      await keeper.exited;
      await removeCgroup(cgroup);
      const said = keeper.lines.join('\n');
      throw new Error(`Cannot boot a machine: is systemd installed, and is this root?\n${said}`, { cause });
    }
  }

  /** The first process. */
  override get pid(): number {
    return this.#init;
  }

  override inside(argv: readonly string[]): readonly string[] {
    const namespaces = ['--mount', '--net', '--uts', '--ipc', '--pid', '--cgroup'];
    return ['nsenter', '--target', String(this.pid), ...namespaces, '--', ...argv];
  }

  /** `systemctl VERB ...`; rejects with what it and the journal say unless it exits with 0. */
  async systemctl(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(['systemctl', ...args], { timeoutMs: 60_000 });
    if (code === 0) return stdout;
    throw new Error(`systemctl ${args.join(' ')} exited with ${code}: ${stderr}\n${await this.journal()}`);
  }

  /** One property of a unit, as `systemctl show` has it. */
  async property(unit: string, name: string): Promise<string> {
    return (await this.output(['systemctl', 'show', '--value', '--property', name, unit])).trimEnd();
  }

  /** The last lines of the journal. */
  journal(lines = 60): Promise<string> {
    return this.output(['journalctl', '--quiet', '--no-pager', '--output=cat', '--lines', String(lines)]);
  }

  readFile(path: string): Promise<string> {
    return readFile(this.seenFromOutside(path), 'utf8');
  }

  /** Makes missing directories. */
  async writeFile(path: string, content: string, mode = 0o644): Promise<void> {
    await mkdir(dirname(this.seenFromOutside(path)), { recursive: true });
    await writeFile(this.seenFromOutside(path), content, { mode });
  }

  exists(path: string): boolean {
    return existsSync(this.seenFromOutside(path));
  }

  /** A path of the machine's, for whoever is outside. An absolute symlink on the way leads astray. */
  seenFromOutside(path: string): string {
    return `/proc/${this.#init}/root${path}`;
  }

  /** Pulls the plug: the kernel ends every process with the first one. */
  override async close(): Promise<void> {
    this.#keeper.signal('SIGKILL');
    await this.#keeper.exited;
    await eventually(`the end of ${this.name}`, 5_000, () => removeCgroup(this.#cgroup));
  }

  async #mustRun(): Promise<void> {
    const { stdout } = await this.run(['systemctl', 'is-system-running']);
    if (stdout.trim() !== 'running') throw new Error(`${stdout.trim()}\n${this.#keeper.lines.join('\n')}`);
  }
}

/** Where the kernel's unified hierarchy of control groups is: by itself, or beside the old ones. */
async function cgroupRoot(): Promise<string> {
  const [, path] =
    / (\/\S+) \S+(?: \S+)* - cgroup2 /.exec(await readFile('/proc/self/mountinfo', 'utf8')) ?? [];
  if (path === undefined) throw new Error('Cannot boot a machine: no cgroup2 is mounted');
  return path;
}

/** The child of unshare, once it has become systemd. */
async function initOf({ pid, isRunning, lines }: LongProcess): Promise<number> {
  if (!isRunning) throw new Error(`it ended: ${lines.join('\n')}`);
  const [child = ''] = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ');
  const name = (await readFile(`/proc/${child}/comm`, 'utf8')).trim();
  if (name !== 'systemd') throw new Error(`the first process is "${name}"`);
  return Number(child);
}

async function removeCgroup(path: string): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeCgroup(join(path, entry.name));
  }
  await rmdir(path);
}
