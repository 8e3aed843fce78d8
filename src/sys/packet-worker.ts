/**
 * One worker thread that runs the packet loop, seen from the main thread: starts it, sends it requests, stops
 * it, and says when it ended by itself.
 *
 * - A request settles: confirmed, aborted, or ended with the worker, which is ended when it answers too late.
 * - Confirmations come in the order of the requests, also for those whose caller has given up.
 * - The process never waits for the worker: every exit stops it first.
 */
import { writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { ControlMessage, Report } from '../dataplane/control.js';
import { SystemError } from '../ports.js';
import * as libc from './libc.js';
import { orAborted } from './or-aborted.js';
import type { WorkerData } from './packet-thread.js';

/** The loop answers within a turn, milliseconds; one that takes this long does not turn any more. */
const ANSWER_MS = 5000;
const STOP_MS = 2000;
/** What an eventfd is given: a 64-bit number in the processor's order. */
const ONE = new Uint8Array(BigUint64Array.of(1n).buffer);
const WORKER = new URL('../dataplane/worker.js', import.meta.url);

type WithoutId<Message> = Message extends unknown ? Omit<Message, 'id'> : never;
export type Request = WithoutId<ControlMessage>;

interface Pending {
  readonly onConfirmed: () => void;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export interface PacketWorkerEvents {
  lost(report: Extract<Report, { kind: 'lost' }>): void;
  /** Called once, when the thread is gone and uses no descriptor any more; `error` unless it was told to stop. */
  ended(error: Error | undefined): void;
}

export class PacketWorker {
  readonly #worker: Worker;
  readonly #events: PacketWorkerEvents;
  readonly #stop = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  readonly #eventFd = libc.eventFd();
  readonly #pending = new Map<number, Pending>();
  readonly #ended: Promise<void>;
  readonly #stopNow = () => this.#signalStop();
  #lastId = 0;
  #isOver = false;
  #hasSpoken = false;
  #failure: Error | undefined;

  constructor(countersMemory: SharedArrayBuffer, events: PacketWorkerEvents) {
    this.#events = events;
    const workerData: WorkerData = {
      stopMemory: this.#stop.buffer as SharedArrayBuffer,
      countersMemory,
      eventFd: this.#eventFd,
    };
    this.#worker = new Worker(WORKER, { workerData, name: 'packet-loop' });
    this.#worker.on('message', (report: Report) => this.#onReport(report));
    this.#worker.on('error', (error) => {
      this.#failure ??= error;
    });
    this.#ended = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        this.#onExit(code);
        resolve();
      });
    });
    // After the listeners: listening for messages makes the process wait for the worker again.
    this.#worker.unref();
    process.on('exit', this.#stopNow);
  }

  /**
   * Resolves once the loop has obeyed; `onConfirmed` is called just before, and also when the caller gave up
   * meanwhile. Rejects with the signal's reason, or with SystemError when the loop ends or does not answer.
   */
  async request(request: Request, onConfirmed: () => void, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const id = ++this.#lastId;
    const answered = new Promise<void>((resolve, reject) => {
      this.#pending.set(id, { onConfirmed, resolve, reject });
    });
    this.#worker.postMessage({ ...request, id });
    this.#wake();
    const timer = setTimeout(() => this.#giveUp(id), ANSWER_MS);
    try {
      await orAborted(answered, signal);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves when the thread is gone. May be called again. */
  async stop(signal: AbortSignal): Promise<void> {
    this.#signalStop();
    const timer = setTimeout(() => this.#terminate(), STOP_MS);
    try {
      await orAborted(this.#ended, signal);
    } finally {
      clearTimeout(timer);
    }
  }

  #signalStop(): void {
    Atomics.store(this.#stop, 0, 1);
    this.#wake();
  }

  #wake(): void {
    // After its end the descriptor's number may be somebody else's.
    if (!this.#isOver) writeSync(this.#eventFd, ONE);
  }

  #giveUp(id: number): void {
    const late = new SystemError(`Cannot reach the packet loop: no answer in ${ANSWER_MS} ms`, 'ETIMEDOUT');
    if (this.#hasSpoken) this.#failure ??= late;
    // The request stays in the book: a loop that is only slow to start obeys it yet.
    else this.#pending.get(id)?.reject(late);
    this.#terminate();
  }

  /** A thread that is still loading is left to it: ended in the middle of that, native code aborts the whole process. */
  #terminate(): void {
    if (this.#hasSpoken) void this.#worker.terminate();
  }

  #onReport(report: Report): void {
    this.#hasSpoken = true;
    if (report.kind === 'lost') {
      this.#events.lost(report);
      return;
    }
    const pending = this.#pending.get(report.id);
    this.#pending.delete(report.id);
    pending?.onConfirmed();
    pending?.resolve();
  }

  #onExit(code: number): void {
    process.off('exit', this.#stopNow);
    this.#isOver = true;
    libc.close(this.#eventFd);
    const isStopped = Atomics.load(this.#stop, 0) !== 0 && this.#failure === undefined;
    const cause = this.#failure ?? new Error(`Packet loop ended with code ${code}`);
    this.#events.ended(isStopped ? undefined : cause);
    for (const { reject } of this.#pending.values()) {
      reject(new SystemError('Cannot reach the packet loop: it has ended', 'ENOTCONN', { cause }));
    }
    this.#pending.clear();
  }
}
