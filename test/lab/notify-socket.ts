/** The listening end of sd_notify(3): a datagram socket, and what came to it. */
import { Buffer } from 'node:buffer';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as libc from '../../src/sys/libc.js';
import { eventually } from './eventually.js';

let last = 0;

export class NotifySocket {
  /** As NOTIFY_SOCKET has it. */
  readonly name: string;
  readonly #fd: number;
  readonly #messages: string[] = [];
  readonly #buffer = new Uint8Array(4096);

  private constructor(name: string) {
    this.name = name;
    const path = Buffer.from(name.startsWith('@') ? name.replace('@', '\0') : `${name}\0`);
    this.#fd = libc.socket(libc.AF_UNIX, libc.SOCK_DGRAM, 0, 'listen for notifications');
    const family = new Uint8Array(Uint16Array.of(libc.AF_UNIX).buffer);
    libc.bind(this.#fd, Buffer.concat([family, path]), `listen on ${name}`);
  }

  /** In the file system, reachable from every network namespace; or abstract, reachable from this one only. */
  static open(kind: 'path' | 'abstract' = 'path'): NotifySocket {
    const name = `flannelette-notify-${process.pid}-${++last}`;
    return new NotifySocket(kind === 'path' ? join(tmpdir(), name) : `@${name}`);
  }

  /** All messages so far, each as its lines. */
  messages(): readonly (readonly string[])[] {
    for (;;) {
      const bytes = libc.receive(this.#fd, this.#buffer, `receive from ${this.name}`);
      if (bytes === undefined) return this.#messages.map((message) => message.split('\n'));
      this.#messages.push(Buffer.from(this.#buffer.subarray(0, bytes)).toString());
    }
  }

  /** All lines so far. */
  lines(): readonly string[] {
    return this.messages().flat();
  }

  /** Resolves with the first line that matches, beyond the first `from` ones. */
  async line(pattern: RegExp, timeoutMs: number, from = 0): Promise<string> {
    return eventually(`a notification like ${pattern}`, timeoutMs, () => {
      const found = this.lines()
        .slice(from)
        .find((line) => pattern.test(line));
      if (found === undefined) throw new Error(JSON.stringify(this.messages()));
      return found;
    });
  }

  close(): void {
    libc.close(this.#fd);
    if (!this.name.startsWith('@')) rmSync(this.name, { force: true });
  }
}
