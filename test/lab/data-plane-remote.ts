/** A data plane in a process of its own inside a host of the lab, driven from the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ForwarderState, PeerState } from '../../src/model/objects.js';
import type { DataPlaneCounters, Offloads } from '../../src/ports.js';
import { type DataPlane, SystemError } from '../../src/ports.js';
import type { Answer, Call } from './data-plane-node.js';
import type { Holder } from './holder.js';

const PROGRAM = fileURLToPath(new URL('./data-plane-node.js', import.meta.url));

export class RemoteDataPlane {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  #lastId = 0;

  constructor(host: Holder) {
    const [command = '', ...args] = host.inside([process.execPath, PROGRAM]);
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', command, ...args], {
      stdio: ['ignore', 'inherit', 'ignore', 'ipc'],
    });
    this.#child.on('message', (answer: Answer) => {
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    });
    this.exited = once(this.#child, 'exit').then(([code, signal]) => {
      for (const [id, answer] of this.#waiting) {
        answer({ id, error: { message: `the process exited with ${code ?? signal}`, code: undefined } });
      }
      return { code, signal };
    });
  }

  configure(state: ForwarderState): Promise<void> {
    return this.#call({ call: 'configure', state });
  }

  setPeers(...set: readonly PeerState[]): Promise<void> {
    return this.#call({ call: 'updatePeers', change: { set, remove: [] } });
  }

  updatePeers(change: Parameters<DataPlane['updatePeers']>[0]): Promise<void> {
    return this.#call({ call: 'updatePeers', change });
  }

  shutDown(): Promise<void> {
    return this.#call({ call: 'shutDown' });
  }

  async forwarder(): Promise<ForwarderState | undefined> {
    return (await this.#call<ForwarderState | null>({ call: 'forwarder' })) ?? undefined;
  }

  peers(): Promise<readonly PeerState[]> {
    return this.#call({ call: 'peers' });
  }

  counters(): Promise<DataPlaneCounters> {
    return this.#call({ call: 'counters' });
  }

  offloads(): Promise<Offloads> {
    return this.#call({ call: 'offloads' });
  }

  wakes(): Promise<number> {
    return this.#call({ call: 'wakes' });
  }

  /** Processor time that all its threads have used. */
  cpuMs(): Promise<number> {
    return this.#call({ call: 'cpuMs' });
  }

  log(): Promise<readonly string[]> {
    return this.#call({ call: 'log' });
  }

  /** Milliseconds until each of `count` changes of this peer was in force, as its own process measures them. */
  timeChanges(peer: PeerState, count: number): Promise<readonly number[]> {
    return this.#call({ call: 'timeChanges', peer, count });
  }

  stall(ms: number): Promise<void> {
    return this.#call({ call: 'stall', ms });
  }

  die(how: Extract<Call, { call: 'die' }>['how']): Promise<void> {
    return this.#call({ call: 'die', how });
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Ends it whatever it does. May be called again. */
  async close(): Promise<void> {
    this.signal('SIGKILL');
    await this.exited;
  }

  #call<T>(call: Call): Promise<T> {
    const id = ++this.#lastId;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, ({ value, error }) => {
        if (error === undefined) resolve(value as T);
        else
          reject(
            error.code === undefined ? new Error(error.message) : new SystemError(error.message, error.code),
          );
      });
      this.#child.send({ ...call, id }, (error) => {
        if (error !== null) reject(error);
      });
    });
  }
}
