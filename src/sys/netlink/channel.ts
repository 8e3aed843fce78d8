/**
 * Netlink's conversation: requests in batches, an acknowledgement for each, lists in many parts. Synchronous, since
 * the kernel answers before send() returns. Knows no message type of rtnetlink.
 */
import { Buffer } from 'node:buffer';
import {
  align,
  formatMessage,
  getString,
  type NetlinkMessage,
  pad,
  parseAttributes,
  parseMessages,
  readS32,
  readU32,
} from 'netlink/dist/structs.js';
import { ObserveError, SystemError } from '../../ports.js';
import { systemError } from '../libc.js';
import type { Datagrams } from './socket.js';

export interface Message {
  readonly type: number;
  /** NLM_F_* beside REQUEST and ACK, which the channel adds. */
  readonly flags: number;
  readonly body: readonly Uint8Array[];
}

/** What the kernel said no to. */
export interface Refusal {
  /** Positive. */
  readonly errno: number;
  /** The kernel's own words, where it has any. */
  readonly text?: string;
}

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLM_F_DUMP = 0x300;
const NLMSGERR_ATTR_MSG = 1;
const ERRNO_BYTES = 4;
const HEADER_BYTES = 16;
const ENOBUFS = 105;

// Measured: 64 messages per send take half the time of one per send; 1,000 gain nothing more.
const BATCH_MESSAGES = 64;
// A list that changes while it is read is read again; each attempt takes milliseconds.
const DUMP_ATTEMPTS = 10;

export class NetlinkChannel {
  readonly #datagrams: Datagrams;
  #sequence = 0;

  constructor(datagrams: Datagrams) {
    this.#datagrams = datagrams;
  }

  /** Sends `messages` in order; one entry each, undefined for success. Throws SystemError when sending itself fails. */
  request(messages: readonly Message[]): readonly (Refusal | undefined)[] {
    const outcomes: (Refusal | undefined)[] = [];
    for (let start = 0; start < messages.length; start += BATCH_MESSAGES) {
      outcomes.push(...this.#batch(messages.slice(start, start + BATCH_MESSAGES)));
    }
    return outcomes;
  }

  /** The one object that `message` asks for, as the body of the answer. */
  get(message: Message): Buffer | Refusal {
    const sequence = this.#send([{ ...message, flags: message.flags | NLM_F_REQUEST }]);
    for (const answer of this.#answers()) {
      if (answer.seq !== sequence) continue;
      if (answer.type !== NLMSG_ERROR) return answer.data;
      const refusal = refusalIn(answer);
      if (refusal !== undefined) return refusal;
    }
    throw new ObserveError('Cannot read over netlink: the kernel gave no answer');
  }

  /**
   * The bodies of all objects of a list. Throws ObserveError when it kept changing or broke off, SystemError when
   * the kernel refused. `action` reads after "Cannot": `list routes`.
   */
  dump(type: number, body: readonly Uint8Array[], action: string): readonly Buffer[] {
    for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
      const bodies = this.#dumpOnce({ type, flags: NLM_F_DUMP, body }, action);
      if (bodies !== 'changed') return bodies;
    }
    throw new ObserveError(`Cannot ${action}: the list changed during each of ${DUMP_ATTEMPTS} attempts`);
  }

  #dumpOnce(message: Message, action: string): readonly Buffer[] | 'changed' {
    const sequence = this.#send([{ ...message, flags: message.flags | NLM_F_REQUEST }]);
    const bodies: Buffer[] = [];
    let changed = false;
    for (const part of this.#answers()) {
      // Earlier conversations were emptied out before this one began: an answer to another one makes this list doubtful.
      changed ||= part.seq !== sequence || (part.flags & NLM_F_DUMP_INTR) !== 0;
      if (part.seq !== sequence) continue;
      if (part.type === NLMSG_ERROR || part.type === NLMSG_DONE) {
        const refusal = refusalIn(part);
        if (refusal !== undefined) throw systemError(action, refusal.errno, refusal.text);
        return changed ? 'changed' : bodies;
      }
      bodies.push(part.data);
    }
    throw new ObserveError(`Cannot ${action}: the list broke off after ${bodies.length} entries`);
  }

  #batch(messages: readonly Message[]): readonly (Refusal | undefined)[] {
    // Until its acknowledgement has come, a request counts as lost.
    const outcomes: (Refusal | undefined)[] = messages.map(() => ({
      errno: ENOBUFS,
      text: 'the acknowledgement was lost',
    }));
    const first = this.#send(
      messages.map((message) => ({ ...message, flags: message.flags | NLM_F_REQUEST | NLM_F_ACK })),
    );
    let missing = messages.length;
    for (const answer of this.#answers()) {
      const index = answer.seq - first;
      if (answer.type !== NLMSG_ERROR || index < 0 || index >= messages.length) continue;
      outcomes[index] = refusalIn(answer);
      missing--;
      if (missing === 0) break;
    }
    return outcomes;
  }

  /** Returns the first message's sequence number; the others follow it. */
  #send(messages: readonly Message[]): number {
    const first = this.#sequence + 1;
    const parts = messages.flatMap(({ type, flags, body }, index) =>
      // The next header must start at a multiple of four; formatMessage leaves that to its caller.
      pad(formatMessage({ type, flags, seq: first + index, port: 0, data: [...body] })),
    );
    this.#forgetEarlierAnswers();
    // Starts again long before the 32 bits of nlmsg_seq are used up.
    this.#sequence = (first + messages.length - 1) % 0x7fff_0000;
    this.#datagrams.send(Buffer.concat(parts));
    return first;
  }

  /** Rests of a conversation that was given up. The kernel refuses a new list (EBUSY) while an old one is half-read. */
  #forgetEarlierAnswers(): void {
    while (this.#receive() !== undefined);
  }

  /** Every message that is waiting. An overrun ends it, and what cannot be read: the answer is incomplete. */
  *#answers(): Generator<NetlinkMessage> {
    for (;;) {
      const datagram = this.#receive();
      const messages = datagram === undefined || datagram === 'overrun' ? undefined : readable(datagram);
      if (messages === undefined) return;
      yield* messages;
    }
  }

  #receive(): Buffer | 'overrun' | undefined {
    try {
      return this.#datagrams.receive();
    } catch (error) {
      if (error instanceof SystemError && error.code === 'ENOBUFS') return 'overrun';
      throw error;
    }
  }
}

/** Undefined when its messages do not fill the datagram. */
function readable(datagram: Buffer): readonly NetlinkMessage[] | undefined {
  try {
    return parseMessages(datagram);
  } catch {
    return undefined;
  }
}

/** Reads struct nlmsgerr, or the errno at the end of a list. Undefined for success. */
function refusalIn({ type, flags, data }: NetlinkMessage): Refusal | undefined {
  if (data.length < ERRNO_BYTES) return undefined; // an empty list may end without an errno
  const errno = -readS32.call(data, 0);
  if (errno === 0) return undefined;
  if ((flags & NLM_F_ACK_TLVS) === 0) return { errno };
  const echoed = type === NLMSG_DONE ? 0 : echoedBytes(data, flags);
  const text = refusalText(data.subarray(ERRNO_BYTES + echoed));
  return text === undefined ? { errno } : { errno, text };
}

function echoedBytes(data: Buffer, flags: number): number {
  const isCapped = (flags & NLM_F_CAPPED) !== 0 || data.length < ERRNO_BYTES + HEADER_BYTES;
  return isCapped ? HEADER_BYTES : align(readU32.call(data, ERRNO_BYTES));
}

/** Undefined when there is none, or none that can be read: the errno says enough. */
function refusalText(attributes: Buffer): string | undefined {
  let text: string | undefined;
  try {
    parseAttributes(attributes, ({ type, data }) => {
      if (type === NLMSGERR_ATTR_MSG) text = getString(data);
    });
  } catch {
    return undefined;
  }
  return text;
}
