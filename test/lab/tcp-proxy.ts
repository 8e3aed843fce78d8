/** A TCP proxy on loopback that can be as bad as a network: silent, cut, slow, or closed. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class TcpProxy {
  /** Bytes that came from the target since the start. */
  receivedBytes = 0;
  readonly #targetPort: number;
  readonly #sockets = new Set<Socket>();
  /** Those of them that lead to the target. */
  readonly #targets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;
  #isPaused = false;
  #delayMs = 0;
  #cutAt: number | undefined;

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
  }

  static async start(targetPort: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort);
    await proxy.open();
    return proxy;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Listens (again), always on the same port. */
  async open(): Promise<void> {
    const server = createServer((client) => this.#accept(client));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** A black hole: connections stay and new ones are taken, but no byte goes through. */
  pause(): void {
    this.#isPaused = true;
    for (const socket of this.#sockets) socket.pause();
  }

  /** The connections there are still take requests to the target, and bring no byte of its answers. */
  keepAnswers(): void {
    for (const target of this.#targets) target.pause();
  }

  resume(): void {
    this.#isPaused = false;
    for (const socket of this.#sockets) socket.resume();
  }

  /** From now on every chunk is late by this much, in both directions. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** Breaks every connection; new ones are taken. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Breaks every connection once, when this many more bytes have come from the target. */
  cutAfter(bytes: number): void {
    this.#cutAt = this.receivedBytes + bytes;
  }

  /** Breaks every connection and refuses new ones. May be called again. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.cut();
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }

  #accept(client: Socket): void {
    const target = connect(this.#targetPort, '127.0.0.1');
    this.#targets.add(target);
    target.on('close', () => this.#targets.delete(target));
    this.#join(client, target, () => {});
    this.#join(target, client, (bytes) => this.#onReceived(bytes));
  }

  #join(from: Socket, to: Socket, onBytes: (bytes: number) => void): void {
    this.#sockets.add(from);
    if (this.#isPaused) from.pause();
    from.on('data', (chunk: Buffer) => {
      onBytes(chunk.length);
      if (this.#delayMs === 0) to.write(chunk);
      else setTimeout(() => to.write(chunk), this.#delayMs);
    });
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }

  #onReceived(bytes: number): void {
    this.receivedBytes += bytes;
    if (this.#cutAt === undefined || this.receivedBytes < this.#cutAt) return;
    this.#cutAt = undefined;
    this.cut();
  }
}
