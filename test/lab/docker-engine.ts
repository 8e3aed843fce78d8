/**
 * A real dockerd on a host of the lab. It and all its children live in a PID namespace of their own, so that none of
 * them, containers included, outlives the test, whatever the test dies of; their mounts end with it.
 */
import { readdir, readFile, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { environmentVariables } from '../../src/model/env-files.js';
import { eventually } from './eventually.js';
import type { Host } from './host.js';
import { type LongProcess, outputOf, type ProcessResult, type RunOptions, runProcess } from './process.js';

/** Debian's, whatever else is in PATH. */
const [DOCKERD, DOCKER] = ['/usr/sbin/dockerd', '/usr/bin/docker'];
export const OPTIONS_FILE = '/run/flannel/docker';
const START_MS = 30_000;
const STOP_MS = 20_000;
/** Long enough for what a container is told to do. */
const COMMAND_MS = 120_000;
const IMAGE = 'busybox';
const CGROUPS = '/sys/fs/cgroup';

/** An image of nothing but Debian's static busybox, and Docker's configuration directory as a fresh one. */
const SETUP = `
mount -t tmpfs -o mode=755 tmpfs /etc/docker
mkdir -p /run/image/bin
cp "$(command -v busybox)" /run/image/bin/busybox
for name in sh head httpd ip mkdir ping sha256sum sleep wget; do ln -s busybox /run/image/bin/$name; done
tar -C /run/image -cf /run/image.tar .`;

export class DockerEngine {
  readonly host: Host;
  readonly #keeper: LongProcess;
  readonly #pid: number;
  readonly #cgroup: string;
  #dockerd: LongProcess | undefined;
  #hasImage = false;

  private constructor(host: Host, keeper: LongProcess, pid: number) {
    this.host = host;
    this.#keeper = keeper;
    this.#pid = pid;
    this.#cgroup = `flannelette-test-${process.pid}-${host.name}`;
  }

  /** A host with everything but a running dockerd. */
  static async prepare(host: Host): Promise<DockerEngine> {
    await host.script(SETUP);
    const namespaces = ['--pid', '--fork', '--kill-child=KILL', '--mount', '--mount-proc'];
    // tini reaps what dockerd leaves; dockerd itself cannot be the first process, since it is restarted.
    const keeper = host.spawn([
      'unshare',
      ...namespaces,
      '--',
      'sh',
      '-c',
      'echo up; exec tini -- sleep infinity',
    ]);
    await keeper.waitForLine(/^up$/, START_MS);
    const children = await readFile(`/proc/${keeper.pid}/task/${keeper.pid}/children`, 'utf8');
    return new DockerEngine(host, keeper, Number(children.trim()));
  }

  /** Starts dockerd as a unit with `EnvironmentFile=-/run/flannel/docker` does; resolves once it answers. */
  async start(...more: readonly string[]): Promise<void> {
    const file = await this.host.readFile(OPTIONS_FILE).catch(() => '');
    const options = environmentVariables(file).get('DOCKER_NETWORK_OPTIONS') ?? '';
    await this.startWith([...options.split(' ').filter((option) => option !== ''), ...more]);
  }

  async startWith(options: readonly string[]): Promise<void> {
    if (this.#dockerd?.isRunning) throw new Error(`Cannot start dockerd on ${this.host.name}: it runs`);
    // /run and /var/lib are the host's own: so are the socket, the pid file, the images and containerd.
    const dockerd = this.host.spawn(
      this.#inside(
        ['--pid'],
        [
          DOCKERD,
          ...['--storage-driver', 'vfs', '--exec-opt', 'native.cgroupdriver=cgroupfs'],
          ...['--cgroup-parent', `/${this.#cgroup}`],
          ...options,
        ],
      ),
    );
    this.#dockerd = dockerd;
    await dockerd.waitForLine(/API listen on \/(var\/)?run\/docker\.sock/, START_MS);
    if (!this.#hasImage) await this.docker('import', '/run/image.tar', IMAGE);
    this.#hasImage = true;
  }

  /** Asks dockerd to stop, or kills it, and waits for its end. Without `--live-restore` its containers end with it. */
  async stop(signal: 'TERM' | 'KILL' = 'TERM'): Promise<void> {
    const dockerd = this.#dockerd;
    if (!dockerd?.isRunning) return;
    await outputOf(this.#inside(['--pid'], ['sh', '-c', `kill -${signal} "$(cat /run/docker.pid)"`]));
    await eventually(`dockerd of ${this.host.name} stops`, STOP_MS, () => {
      if (dockerd.isRunning) throw new Error('it runs');
    });
    // The next one must not take it for its own (docker/docker pidfile).
    if (signal === 'KILL') await this.host.script('rm -f /run/docker.pid');
  }

  async restart(...more: readonly string[]): Promise<void> {
    await this.stop();
    await this.start(...more);
  }

  /** What `docker` prints. */
  docker(...args: readonly string[]): Promise<string> {
    return this.host.output([DOCKER, ...args], { timeoutMs: COMMAND_MS });
  }

  /** A container that does nothing but be there. */
  async addContainer(name: string): Promise<EngineContainer> {
    await this.docker('run', '--detach', '--name', name, '--stop-signal', 'KILL', IMAGE, 'sleep', '1000000');
    const format = '{{.NetworkSettings.IPAddress}} {{.NetworkSettings.SandboxKey}}';
    const [address = '', namespace = ''] = (await this.docker('inspect', '--format', format, name))
      .trim()
      .split(' ');
    // The namespace has a name in dockerd's own mounts only.
    const inside = this.#inside([], ['nsenter', `--net=${namespace}`, '--']);
    return new EngineContainer(this, name, address, inside);
  }

  /** Ends everything, in whatever state it is, and takes the cgroups away: they do not go by themselves. */
  async close(): Promise<void> {
    if (this.#keeper.isRunning) process.kill(this.#pid, 'SIGKILL');
    await this.#keeper.exited;
    await this.#dockerd?.exited;
    await eventually(`the cgroups of ${this.host.name} are gone`, STOP_MS, () => removeCgroups(this.#cgroup));
  }

  #inside(namespaces: readonly string[], argv: readonly string[]): readonly string[] {
    return [
      'nsenter',
      '--target',
      String(this.#pid),
      '--net',
      '--mount',
      '--uts',
      ...namespaces,
      '--',
      ...argv,
    ];
  }
}

/** A container of Docker's. `run` and `spawn` use the host's programs in the container's network. */
export class EngineContainer {
  readonly #engine: DockerEngine;
  readonly #inside: readonly string[];

  constructor(
    engine: DockerEngine,
    readonly name: string,
    readonly address: string,
    inside: readonly string[],
  ) {
    this.#engine = engine;
    this.#inside = inside;
  }

  /** What a program of the image prints, run by `docker exec`. */
  exec(...argv: readonly string[]): Promise<string> {
    return this.#engine.docker('exec', this.name, ...argv);
  }

  run(argv: readonly string[], options?: RunOptions): Promise<ProcessResult> {
    return runProcess([...this.#inside, ...argv], options);
  }

  output(argv: readonly string[], options?: RunOptions): Promise<string> {
    return outputOf([...this.#inside, ...argv], options);
  }

  /** Ends with the engine at the latest: the host knows of it. */
  spawn(argv: readonly string[], options?: RunOptions): LongProcess {
    return this.#engine.host.spawn([...this.#inside, ...argv], options);
  }
}

/** Engines for the length of `body`; afterwards nothing of them is left, also when `body` fails. */
export async function onEngines<T>(
  hosts: readonly Host[],
  body: (engines: readonly DockerEngine[]) => Promise<T>,
): Promise<T> {
  const engines: DockerEngine[] = [];
  try {
    for (const host of hosts) engines.push(await DockerEngine.prepare(host));
    return await body(engines);
  } finally {
    for (const engine of engines) await engine.close();
  }
}

/** Below each hierarchy of version 1, and in the one of version 2. */
async function removeCgroups(name: string): Promise<void> {
  const hierarchies = [CGROUPS, ...(await directoriesIn(CGROUPS))];
  for (const hierarchy of hierarchies) await removeTree(join(hierarchy, name));
}

/** Files in a cgroup are no files: the directories alone can be removed, innermost first. */
async function removeTree(path: string): Promise<void> {
  if ((await stat(path).catch(() => undefined)) === undefined) return;
  for (const child of await directoriesIn(path)) await removeTree(child);
  await rmdir(path);
}

async function directoriesIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(path, name));
}
