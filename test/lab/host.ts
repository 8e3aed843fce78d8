/**
 * A host of the lab: network, mount and UTS namespaces of its own. /run and /var/lib are empty and private,
 * so the default paths (/run/flannel, /run/flannelette, /var/lib/flannelette) are each host's own.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Holder, startKeeper } from './holder.js';
import type { LongProcess } from './process.js';

// A real host begins with forwarding off; a new network namespace copies the machine's setting.
const SETUP = `
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /var/lib
ip link set lo up
echo 0 >/proc/sys/net/ipv4/ip_forward
`;

export class Host extends Holder {
  private constructor(
    keeper: LongProcess,
    readonly name: string,
  ) {
    super(keeper);
  }

  /** A host without any network but its loopback. */
  static async start(name: string): Promise<Host> {
    const keeper = await startKeeper(['--net', '--mount', '--uts'], `${SETUP}hostname ${name}`, undefined);
    return new Host(keeper, name);
  }

  /** A file as the host sees it. Rejects when there is none. */
  readFile(path: string): Promise<string> {
    return readFile(this.#seenFromOutside(path), 'utf8');
  }

  /** Makes missing directories. */
  async writeFile(path: string, content: string): Promise<void> {
    await mkdir(dirname(this.#seenFromOutside(path)), { recursive: true });
    await writeFile(this.#seenFromOutside(path), content);
  }

  #seenFromOutside(path: string): string {
    return `/proc/${this.pid}/root${path}`;
  }
}
