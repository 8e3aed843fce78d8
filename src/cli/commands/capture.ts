/** `capture`: packets of the running daemon's packet loop, each with what became of it, as a pcapng file. */
import { contains, type Prefix, tryParseAddress } from '../../model/address.js';
import type { PacketDirection } from '../../model/captured-packet.js';
import { counted } from '../../model/counted.js';
import { type ByteOutput, SystemError } from '../../ports.js';
import { CaptureFile, type CaptureLayers } from '../../runtime/capture/capture-file.js';
import type { CaptureReply } from '../../runtime/capture/capture-reply.js';
import { noDaemon, statusAt } from '../ask-daemon.js';
import { configArgument, socketPath } from '../config-argument.js';
import { CommandError, EXIT, type ExitCode } from '../exit-codes.js';
import { whileShown } from '../progress.js';
import { RunningCapture } from '../running-capture.js';
import type { CommandContext } from '../session.js';

export interface CaptureOptions {
  readonly write: string;
  readonly layer: CaptureLayers;
  readonly direction?: PacketDirection;
  readonly peer?: string;
  readonly verdict?: string;
  readonly snap: number;
  readonly count?: number;
  readonly duration?: number;
}

/** How long one question may wait for packets; then it is asked again. */
const WAIT_MS = 1_000;

/** Goes on until the signal aborts, or nobody reads any more, which are no failures: that is how one ends it. */
export async function capture(
  context: CommandContext,
  path: string,
  options: CaptureOptions,
): Promise<ExitCode> {
  if (options.write === '-' && context.isTerminal) {
    const remedy = 'name a file with -w, or pipe it: `flannelette capture | tcpdump -n -r -`';
    throw new CommandError(`Cannot write packets to a terminal: ${remedy}`, EXIT.usage);
  }
  const socket = socketPath((await configArgument(context, path)).instance);
  const question = await questionOf(context, socket, options);
  const running = await RunningCapture.begin(context, socket, question);
  try {
    // After the beginning: what the daemon refuses must not empty a file.
    const output = await context.openOutput(
      options.write === '-' ? '-' : context.absolutePath(options.write),
    );
    try {
      return await writeTo(output, context, running, options);
    } finally {
      await output.close();
    }
  } catch (error) {
    if (error instanceof SystemError && error.code === 'EPIPE') return EXIT.done;
    throw error;
  } finally {
    await running.end();
  }
}

async function questionOf(
  context: CommandContext,
  socket: string,
  { direction, verdict, snap, peer }: CaptureOptions,
): Promise<URLSearchParams> {
  const query = new URLSearchParams({ snap: `${snap}` });
  if (direction !== undefined) query.set('direction', direction);
  if (verdict !== undefined) query.set('verdict', verdict);
  if (peer !== undefined) query.set('peer', await publicIpOf(context, socket, peer));
  return query;
}

async function publicIpOf(context: CommandContext, socket: string, asked: string): Promise<string> {
  const report = await statusAt(context, socket);
  if (report === undefined) throw noDaemon(socket);
  const found = report.peers.find(
    ({ subnet, publicIp }) => [subnet, publicIp].includes(asked) || holds(subnet as Prefix, asked),
  );
  if (found !== undefined) return found.publicIp;
  throw new CommandError(
    `Cannot capture packets of "${asked}": no peer has it; \`flannelette peers\` names them`,
    EXIT.usage,
  );
}

function holds(subnet: Prefix, text: string): boolean {
  const address = tryParseAddress(text);
  return address !== undefined && contains(subnet, address);
}

async function writeTo(
  output: ByteOutput,
  context: CommandContext,
  running: RunningCapture,
  { write, layer: layers, snap: snapBytes, count, duration }: CaptureOptions,
): Promise<ExitCode> {
  const { version, clock } = context;
  const { begun } = running;
  const file = new CaptureFile({ version, begun, layers, snapBytes, startMs: clock.now() });
  const recorder = new Recorder(file, output, running, count);
  await recorder.begin();
  const recorded = () => record(context, running, recorder, duration);
  // Whoever reads the packets may show them on the same terminal.
  const isCut = await (write === '-' ? recorded() : whileShown(context, () => recorder.summary(), recorded));
  await recorder.finish(clock.now());
  context.err(`${recorder.summary()}\n`);
  if (!isCut) return EXIT.done;
  throw new CommandError('The daemon has ended the capture: it was stopped, or restarted', EXIT.failed);
}

/** Until there are enough, the time is up or the signal aborts; true when the daemon knows nothing of it any more. */
async function record(
  { clock, signal }: CommandContext,
  running: RunningCapture,
  recorder: Recorder,
  durationMs = Number.POSITIVE_INFINITY,
): Promise<boolean> {
  const untilMs = clock.boottimeMs() + durationMs;
  for (;;) {
    const leftMs = untilMs - clock.boottimeMs();
    if (leftMs <= 0 || recorder.isFull || signal.aborted) break;
    const reply = await running.next(Math.min(leftMs, WAIT_MS));
    if (reply !== undefined) await recorder.add(reply);
    else if (!signal.aborted) return true;
  }
  const last = await running.end();
  if (last !== undefined) await recorder.add(last);
  return false;
}

/** Writes packets until there are enough of them. */
class Recorder {
  readonly #file: CaptureFile;
  readonly #output: ByteOutput;
  readonly #running: RunningCapture;
  readonly #most: number;
  #written = 0;
  #missed = 0;

  constructor(
    file: CaptureFile,
    output: ByteOutput,
    running: RunningCapture,
    most = Number.POSITIVE_INFINITY,
  ) {
    this.#file = file;
    this.#output = output;
    this.#running = running;
    this.#most = most;
  }

  get isFull(): boolean {
    return this.#written >= this.#most;
  }

  begin(): Promise<void> {
    return this.#write(this.#file.beginning());
  }

  async add({ packets, missed }: CaptureReply): Promise<void> {
    if (this.isFull) return;
    const shown = packets.filter((packet) => this.#file.shows(packet)).slice(0, this.#most - this.#written);
    this.#written += shown.length;
    this.#missed += missed;
    await this.#write(shown.flatMap((packet) => this.#file.packet(packet)));
  }

  finish(nowMs: number): Promise<void> {
    return this.#write(this.#file.end(nowMs, this.#missed));
  }

  summary(): string {
    const written = `${counted(this.#written, 'packet')} written`;
    if (this.#missed === 0) return `${written}, none missed`;
    return `${written}, ${this.#missed} missed because they came too fast; fewer are with --peer, --verdict or --snap 96`;
  }

  async #write(blocks: readonly Uint8Array[]): Promise<void> {
    if (blocks.length > 0) await this.#running.attend(this.#output.write(blocks));
  }
}
