/**
 * Keeps strangers' datagrams away from the socket of the packet loop: dropped in the kernel, a flood of them costs no more
 * than one at a port where nobody listens.
 *
 * - A new peer is let in at once: a filter that does not know it is taken off, which is one system call whatever the number
 *   of peers. Another one is put on a second later.
 * - What cannot be filtered is judged by the loop, as it is without a filter.
 */
import { type Instruction, MOST_RANGES, rangesOf, senderFilter } from '../dataplane/sender-filter.js';
import type { Prefix } from '../model/address.js';
import type { ForwarderState, PeerState } from '../model/objects.js';
import { type Log, SystemError } from '../ports.js';
import { ipv4Key } from '../wire/ipv4.js';
import * as libc from './libc.js';

// asm-generic/socket.h
const SO_ATTACH_FILTER = 26;
const SO_DETACH_FILTER = 27;
const SO_MEMINFO = 55;
/** SK_MEMINFO_DROPS of linux/sock_diag.h: what was dropped between the network and the socket's reader. */
const DROPS = 8;
const MEMINFO_NUMBERS = 9;

/** Between a change and the filter that knows of it: many hosts that join together cost one. */
const ATTACH_AFTER_MS = 1_000;
/** With room for fewer than this it is done without. */
const LEAST_RANGES = 16;

export class SenderFilter {
  readonly #log: Log;
  readonly #senders = new Map<Prefix, number>();
  /** Addresses of our own: what comes back from them is told from what strangers send. */
  #own: readonly number[] = [];
  #fd: number | undefined;
  #isWanted = false;
  /** Whom the filter in force lets in; undefined while there is none. */
  #admitted: ReadonlySet<number> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #hasFailed = false;
  /** At sockets that are closed by now. */
  #dropsBefore = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /** To be told before the loop is; `fd` is closed by the caller, who says so first, with undefined. */
  use(fd: number | undefined, { sourceCheck, publicIp, bind }: ForwarderState): void {
    this.#own = [publicIp, bind.address].map((address) => ipv4Key(address) >>> 0);
    const isWanted = sourceCheck !== 'off';
    if (fd !== this.#fd) {
      this.#dropsBefore = this.drops();
      this.#admitted = undefined;
    }
    this.#fd = fd;
    this.#isWanted = isWanted;
    if (!isWanted) this.#detach();
    this.#schedule();
  }

  /** The socket is about to be closed. */
  forget(fd: number): void {
    if (fd !== this.#fd) return;
    this.#dropsBefore = this.drops();
    this.#fd = undefined;
    this.#admitted = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** To be told before the loop is: from now on those may send. */
  change(change: { readonly set: readonly PeerState[]; readonly remove: readonly Prefix[] }): void {
    for (const { subnet, publicIp } of change.set) {
      const address = ipv4Key(publicIp) >>> 0;
      this.#senders.set(subnet, address);
      if (this.#admitted !== undefined && !this.#admitted.has(address)) this.#detach();
    }
    for (const subnet of change.remove) this.#senders.delete(subnet);
    this.#schedule();
  }

  /** Nobody is a peer any more. */
  clear(): void {
    this.#senders.clear();
  }

  /** Datagrams that the kernel dropped before the loop could read them: strangers', and what found the buffer full. */
  drops(): number {
    if (this.#fd === undefined) return this.#dropsBefore;
    const numbers = new Uint32Array(MEMINFO_NUMBERS);
    libc.socketOption(this.#fd, libc.SOL_SOCKET, SO_MEMINFO, new Uint8Array(numbers.buffer));
    return this.#dropsBefore + (numbers[DROPS] ?? 0);
  }

  #schedule(): void {
    if (this.#fd === undefined || !this.#isWanted || this.#hasFailed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#attach();
    }, ATTACH_AFTER_MS).unref();
  }

  #attach(): void {
    if (this.#fd === undefined || !this.#isWanted) return;
    const admitted = new Set([...this.#senders.values(), ...this.#own]);
    try {
      attachAnyOf(this.#fd, admitted);
      this.#admitted = admitted;
    } catch (error) {
      this.#hasFailed = true;
      this.#log.warn({ error: String(error) }, 'strangers not filtered');
    }
  }

  #detach(): void {
    if (this.#fd === undefined || this.#admitted === undefined) return;
    this.#admitted = undefined;
    libc.setSocketOption(this.#fd, libc.SOL_SOCKET, SO_DETACH_FILTER, 0);
  }
}

/** With fewer ranges where the kernel has no room for more (net.core.optmem_max). Throws SystemError. */
function attachAnyOf(fd: number, admitted: ReadonlySet<number>): void {
  for (let most = MOST_RANGES; ; most = Math.floor(most / 2)) {
    const program = senderFilter(rangesOf(admitted, most));
    try {
      libc.setSocketProgram(fd, SO_ATTACH_FILTER, programBytes(program));
      return;
    } catch (error) {
      if (most < LEAST_RANGES || !(error instanceof SystemError) || error.code !== 'ENOMEM') throw error;
    }
  }
}

/** struct sock_filter: 16 bits of code, 8 and 8 of jumps, 32 of k. */
function programBytes(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const halves = new Uint16Array(bytes.buffer);
  const words = new Uint32Array(bytes.buffer);
  program.forEach(({ code, jt, jf, k }, index) => {
    halves[index * 4] = code;
    bytes[index * 8 + 2] = jt;
    bytes[index * 8 + 3] = jf;
    words[index * 2 + 1] = k;
  });
  return bytes;
}
