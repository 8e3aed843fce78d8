/**
 * Captures, one at a time, for who asks the daemon: begun, asked for what has come, and ended. One that nobody asks about any
 * more is ended too: whoever asked may have been killed, and packets cost more while they are captured.
 */
import { type Address, parseAddress } from '../../model/address.js';
import type { CaptureQuestion, PacketDirection } from '../../model/captured-packet.js';
import {
  type Clock,
  type ControlReply,
  type ControlRequest,
  type DataPlane,
  type PacketCapture,
  SystemError,
} from '../../ports.js';
import { withDeadline } from '../timing/deadline.js';
import { encodeCaptureReply } from './capture-reply.js';

const ABANDONED_MS = 10_000;
/** The ring of the packet loop is full after this time at 3 Gbit/s. */
const LOOK_EVERY_MS = 10;
const MOST_WAIT_MS = 5_000;
const END_MS = 5_000;
const MOST_SNAP_BYTES = 65_535;

export interface CaptureDeskDependencies {
  readonly dataPlane: DataPlane;
  /** What carries the packets where no packet loop does, and how to watch that. */
  readonly otherwise: () => string;
  readonly clock: Clock;
}

/** What whoever has begun a capture is told. */
export interface CaptureBegun {
  readonly id: number;
  readonly tun: string;
  /** What this host's datagrams come from. */
  readonly local: { readonly address: Address; readonly port: number };
}

interface Running {
  readonly id: number;
  readonly capture: PacketCapture;
  askedMs: number;
}

export class CaptureDesk {
  readonly #deps: CaptureDeskDependencies;
  readonly #signal: AbortSignal;
  #running: Running | undefined;
  #isBeginning = false;
  #lastId = 0;

  constructor(deps: CaptureDeskDependencies, signal: AbortSignal) {
    this.#deps = deps;
    this.#signal = signal;
  }

  /**
   * `POST /capture?snap=`, `GET /capture?id=&waitMs=`, `POST /capture/keep?id=` of who is busy with what it was told,
   * `POST /capture/end?id=`; undefined for anything else.
   */
  async answer({ method, path }: ControlRequest, gone: AbortSignal): Promise<ControlReply | undefined> {
    const [resource, query] = path.split('?', 2);
    const asked = new URLSearchParams(query);
    if (method === 'POST' && resource === '/capture') return this.#begin(asked);
    if (method === 'GET' && resource === '/capture') return this.#tell(asked, gone);
    if (method === 'POST' && resource === '/capture/keep') return this.#keep(asked);
    if (method === 'POST' && resource === '/capture/end') return this.#end(asked);
    return undefined;
  }

  async #begin(asked: URLSearchParams): Promise<ControlReply> {
    const { dataPlane, otherwise, clock } = this.#deps;
    const question = questionOf(asked);
    if (typeof question === 'string') return { status: 400, body: question };
    const forwarder = dataPlane.forwarder();
    if (forwarder === undefined) return { status: 409, body: `Cannot capture packets: ${otherwise()}` };
    if (this.#running !== undefined || this.#isBeginning)
      return { status: 409, body: 'Cannot capture packets: somebody does already; one capture at a time' };
    this.#isBeginning = true;
    try {
      const capture = await dataPlane.capture(question, this.#signal);
      const running = { id: ++this.#lastId, capture, askedMs: clock.boottimeMs() };
      this.#running = running;
      void this.#watchOver(running);
      const { bind, publicIp, tun } = forwarder;
      const begun: CaptureBegun = { id: running.id, tun, local: { address: publicIp, port: bind.port } };
      return json(JSON.stringify(begun));
    } catch (error) {
      if (error instanceof SystemError && error.code === 'EINVAL')
        return { status: 400, body: error.message };
      throw error;
    } finally {
      this.#isBeginning = false;
    }
  }

  /** Waits for the first packets, `waitMs` at most. Ends the capture when whoever asks is gone meanwhile. */
  async #tell(asked: URLSearchParams, gone: AbortSignal): Promise<ControlReply> {
    const running = this.#of(asked);
    if (running === undefined) return over();
    const { clock } = this.#deps;
    const waitMs = Math.min(Number(asked.get('waitMs') ?? 0) || 0, MOST_WAIT_MS);
    const untilMs = clock.boottimeMs() + waitMs;
    for (;;) {
      // First: under load packets come by the hundred, not one with each question.
      await clock.sleep(LOOK_EVERY_MS, this.#signal);
      if (this.#running !== running) return over();
      if (gone.aborted) {
        await this.#stop(running);
        return over();
      }
      running.askedMs = clock.boottimeMs();
      const taken = running.capture.take();
      if (taken.packets.length > 0 || taken.missed > 0 || running.askedMs >= untilMs)
        return json(encodeCaptureReply(taken));
    }
  }

  #keep(asked: URLSearchParams): ControlReply {
    const running = this.#of(asked);
    if (running === undefined) return over();
    running.askedMs = this.#deps.clock.boottimeMs();
    return { status: 200, body: '' };
  }

  async #end(asked: URLSearchParams): Promise<ControlReply> {
    const running = this.#of(asked);
    if (running === undefined) return over();
    await this.#stop(running);
    return json(encodeCaptureReply(running.capture.take()));
  }

  #of(asked: URLSearchParams): Running | undefined {
    return this.#running?.id === Number(asked.get('id')) ? this.#running : undefined;
  }

  async #stop(running: Running): Promise<void> {
    if (this.#running === running) this.#running = undefined;
    await withDeadline(this.#deps.clock, END_MS, 'the capture', this.#signal, (limited) =>
      running.capture.end(limited),
    );
  }

  async #watchOver(running: Running): Promise<void> {
    const { clock } = this.#deps;
    try {
      while (this.#running === running) {
        const leftMs = running.askedMs + ABANDONED_MS - clock.boottimeMs();
        if (leftMs <= 0) return await this.#stop(running);
        await clock.sleep(leftMs, this.#signal);
      }
    } catch {
      // The daemon ends, or the loop has: then there is nothing to end.
    }
  }
}

function questionOf(asked: URLSearchParams): CaptureQuestion | string {
  const snapBytes = Number(asked.get('snap') ?? MOST_SNAP_BYTES);
  if (!Number.isInteger(snapBytes) || snapBytes < 1 || snapBytes > MOST_SNAP_BYTES)
    return `Cannot capture packets: snap is ${asked.get('snap')}, must be a number from 1 to ${MOST_SNAP_BYTES}`;
  const [direction, peer, verdict] = [asked.get('direction'), asked.get('peer'), asked.get('verdict')];
  if (direction !== null && direction !== 'in' && direction !== 'out')
    return `Cannot capture packets: direction is "${direction}", must be in or out`;
  try {
    return {
      snapBytes,
      ...(direction !== null && { direction: direction satisfies PacketDirection }),
      ...(peer !== null && { peer: parseAddress(peer) }),
      ...(verdict !== null && { verdict }),
    };
  } catch (error) {
    return `Cannot capture packets: ${(error as Error).message}`;
  }
}

function json(body: string): ControlReply {
  return { status: 200, body, contentType: 'application/json' };
}

function over(): ControlReply {
  return { status: 404, body: 'There is no such capture: it has been ended' };
}
