/** The packet loop's own end of the line to the main thread, inside its worker thread. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { ControlMessage, ControlPort } from '../dataplane/control.js';

/** What a worker is started with. */
export interface WorkerData {
  /** One Int32: not 0 once the loop must end. */
  readonly stopMemory: SharedArrayBuffer;
  readonly countersMemory: SharedArrayBuffer;
  /** Written to by the main thread after each message, and to stop. */
  readonly eventFd: number;
}

/** For the worker's own thread only. The thread never turns its event loop: messages are fetched, not awaited. */
export function packetThread(): WorkerData & { readonly control: ControlPort } {
  const port = parentPort;
  if (port === null) throw new Error('Cannot start the packet loop: this is not a worker thread');
  const data = workerData as WorkerData;
  const stop = new Int32Array(data.stopMemory);
  const control: ControlPort = {
    isStopped: () => Atomics.load(stop, 0) !== 0,
    receive: () => receiveMessageOnPort(port)?.message as ControlMessage | undefined,
    post: (report) => port.postMessage(report),
  };
  return { ...data, control };
}
