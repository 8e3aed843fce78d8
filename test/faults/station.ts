/** One host of the scoreboard: its daemon, which may be restarted, a container behind it, and ways to look at both quickly. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import type { StatusReport } from '../../src/model/status.js';
import { KernelNetlink } from '../../src/sys/netlink/netlink.js';
import type { Member } from '../lab/cluster.js';
import { applyThrough, statusOf } from '../lab/daemon-status.js';
import type { Container } from '../lab/docker-bridge.js';
import { eventually } from '../lab/eventually.js';
import type { Host } from '../lab/host.js';
import { worldDifference } from '../lab/host-world.js';
import { inNamespaceOf } from '../lab/namespace.js';
import type { LongProcess, RunOptions } from '../lab/process.js';
import { Shell } from '../lab/shell.js';
import { withContainer } from '../lab/sites.js';

/** Longer than any of them should take: what is not healed then counts as not healed. */
export const HEALED_MS = 20_000;
const TICKS_PER_SECOND = 100; // USER_HZ of every architecture

export class Station {
  daemon: LongProcess;

  private constructor(
    readonly member: Member,
    readonly container: Container,
    /** Inside the host. */
    readonly shell: Shell,
    readonly netlink: KernelNetlink,
    daemon: LongProcess,
  ) {
    this.daemon = daemon;
  }

  static async start(member: Member): Promise<Station> {
    const daemon = await member.run();
    const { container } = await withContainer(member);
    const netlink = await inNamespaceOf(member.host.pid, async () => new KernelNetlink());
    return new Station(member, container, new Shell(member.host), netlink, daemon);
  }

  async close(): Promise<void> {
    this.netlink.close();
    await this.shell.close();
  }

  get host(): Host {
    return this.member.host;
  }

  status(instance?: string): Promise<StatusReport> {
    return statusOf(this.host, instance);
  }

  /** Path of a file of the host's, for this process. */
  path(name: string): string {
    return `/proc/${this.host.pid}/root${name}`;
  }

  /** What the kernel has of the overlay: flannel's device, what is on it, and every route into the network or over it. */
  async picture(): Promise<string> {
    const { netlink } = this;
    const links = (await netlink.links()).filter(({ name }) => name.startsWith('flannel'));
    const addresses = (await netlink.addresses()).filter(
      ({ link, address }) => link.startsWith('flannel') && !address.includes(':'),
    );
    const routes = (await netlink.routes()).filter(
      ({ destination, link, table }) =>
        table !== 255 &&
        (destination.startsWith('4.') || link?.startsWith('flannel')) &&
        link !== 'docker0' &&
        !destination.includes(':'),
    );
    const tables = await Promise.all(
      links
        .filter(({ kind }) => kind === 'vxlan')
        .flatMap(({ name }) => [netlink.neighbours(name), netlink.fdb(name)]),
    );
    const entries = tables.flat().filter(({ permanent }) => permanent);
    const visible = links.map(({ index: _, carrier: __, ...link }) => link);
    return [...visible, ...addresses, ...routes, ...entries]
      .map((one) => JSON.stringify(one))
      .sort()
      .join('\n');
  }

  /** Looks again and again until `probe` does not throw; resolves with how long that was from `sinceMs` (performance.now). */
  async until(what: string, sinceMs: number, probe: () => unknown, everyMs = LOOK_EVERY_MS): Promise<number> {
    await eventually(what, HEALED_MS, probe, everyMs);
    return performance.now() - sinceMs;
  }

  /** Injects by the shell; resolves with the milliseconds from then to the kernel having what it has now. */
  async healedAfter(script: string): Promise<number> {
    const wanted = await this.picture();
    const start = performance.now();
    await this.shell.run(script);
    return this.until('the kernel has all again', start, async () =>
      assert.deepEqual(worldDifference(wanted, await this.picture()), []),
    );
  }

  /** Everything is in place and the daemon has nothing left to do; what it took for a fight, or kept for a while, is over. */
  async settle(): Promise<void> {
    await eventually('the daemon is content', HEALED_MS, async () => {
      const { ready, traffic, notes } = await this.status();
      assert.equal(ready, true);
      // Whether it can have a fast path it finds out a moment later.
      const isDecided =
        traffic.offloads.fastPath || notes.some((note) => note.startsWith('the packet loop carries'));
      assert.ok(isDecided || !traffic.offloads.tso, 'a fast path, or a reason for none');
      assert.deepEqual(await this.apply(), { outcome: 'converged', message: '', actions: [] });
    });
  }

  /** As an operator would, beside the running daemon. */
  apply(): Promise<unknown> {
    return applyThrough(this.host);
  }

  /** Starts the daemon that has ended; resolves when it is ready. */
  async restart(options?: RunOptions): Promise<void> {
    this.daemon = await this.member.run(options);
  }

  /** Processor time of the daemon since its start, milliseconds. */
  cpuMs(): number {
    const stat = readFileSync(`/proc/${this.daemon.pid}/stat`, 'utf8');
    const [user, system] = stat.slice(stat.lastIndexOf(')')).split(' ').slice(12, 14).map(Number);
    return ((user ?? 0) + (system ?? 0)) * (1000 / TICKS_PER_SECOND);
  }

  descriptors(): number {
    return readdirSync(`/proc/${this.daemon.pid}/fd`).length;
  }
}

/** What the kernel has is told quickly; what the daemon or a program says costs the one that is measured. */
const LOOK_EVERY_MS = 3;
export const ASK_EVERY_MS = 15;
