/** `capture`: packets of the running daemon's packet loop, each with what became of it, as a pcapng file. */
import { contains, type Prefix, tryParseAddress } from '../../model/address.js';
import type { PacketDirection } from '../../model/captured-packet.js';
import { type ByteOutput, type ControlRequest, NEVER } from '../../ports.js';
import type { CaptureBegun } from '../../runtime/capture/capture-desk.js';
import { CaptureFile, type CaptureLayers } from '../../runtime/capture/capture-file.js';
import { type CaptureReply, decodeCaptureReply } from '../../runtime/capture/capture-reply.js';
import { withDeadline } from '../../runtime/timing/deadline.js';
import { answerAt, askDaemon, noDaemon, statusAt } from '../ask-daemon.js';
import { configArgument, socketPath } from '../config-argument.js';
import { CommandError, EXIT, type ExitCode } from '../exit-codes.js';
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
const END_MS = 5_000;

/** Goes on until the signal aborts, which is no failure: that is how one ends it. */
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
  const begun = await begin(context, socket, options);
  const output = await opened(
    context,
    socket,
    begun,
    options.write === '-' ? '-' : context.absolutePath(options.write),
  );
  const { version, clock } = context;
  const { layer: layers, snap: snapBytes } = options;
  const file = new CaptureFile({ version, begun, layers, snapBytes, startMs: clock.now() });
  const recorder = new Recorder(file, output, options.count);
  try {
    await recorder.begin();
    const isCut = await record(context, socket, begun, recorder, options.duration);
    await recorder.finish(clock.now());
    context.err(`${recorder.summary()}\n`);
    if (!isCut) return EXIT.done;
    throw new CommandError('The daemon has ended the capture: it was stopped, or restarted', EXIT.failed);
  } finally {
    await output.close();
  }
}

async function begin(
  context: CommandContext,
  socket: string,
  { direction, verdict, snap, peer }: CaptureOptions,
): Promise<CaptureBegun> {
  const query = new URLSearchParams({ snap: `${snap}` });
  if (direction !== undefined) query.set('direction', direction);
  if (verdict !== undefined) query.set('verdict', verdict);
  if (peer !== undefined) query.set('peer', await publicIpOf(context, socket, peer));
  const reply = await askDaemon(context, socket, { method: 'POST', path: `/capture?${query}` });
  if (reply === undefined) throw noDaemon(socket);
  return JSON.parse(reply.body) as CaptureBegun;
}

/** What cannot be written must not leave a capture behind that nobody asks about. */
async function opened(
  context: CommandContext,
  socket: string,
  begun: CaptureBegun,
  path: string,
): Promise<ByteOutput> {
  try {
    return await context.openOutput(path);
  } catch (error) {
    await ended(context, socket, begun);
    throw error;
  }
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

/** Until there are enough, the time is up or the signal aborts; true when the daemon knows nothing of it any more. */
async function record(
  context: CommandContext,
  socket: string,
  begun: CaptureBegun,
  recorder: Recorder,
  durationMs = Number.POSITIVE_INFINITY,
): Promise<boolean> {
  const { clock, signal } = context;
  const untilMs = clock.boottimeMs() + durationMs;
  try {
    for (;;) {
      const leftMs = untilMs - clock.boottimeMs();
      if (leftMs <= 0 || recorder.isFull || signal.aborted) break;
      const waitMs = Math.min(leftMs, WAIT_MS);
      const query = new URLSearchParams({ id: `${begun.id}`, waitMs: `${waitMs}` });
      const reply = await answerAt(context, socket, { method: 'GET', path: `/capture?${query}` }, waitMs);
      if (reply?.status !== 200) return true;
      await recorder.add(decodeCaptureReply(reply.body));
    }
  } catch (error) {
    if (!signal.aborted) {
      await ended(context, socket, begun);
      throw error;
    }
  }
  const last = await ended(context, socket, begun);
  if (last !== undefined) await recorder.add(decodeCaptureReply(last));
  return false;
}

/** The last packets; also after the signal has aborted. Undefined when nobody answers. */
async function ended(
  { clock, control }: CommandContext,
  socket: string,
  { id }: CaptureBegun,
): Promise<string | undefined> {
  const request: ControlRequest = { method: 'POST', path: `/capture/end?id=${id}` };
  const limited = (signal: AbortSignal) => control.ask(socket, request, signal);
  const reply = await withDeadline(clock, END_MS, 'ending the capture', NEVER, limited).catch(
    () => undefined,
  );
  return reply?.status === 200 ? reply.body : undefined;
}

/** Writes packets until there are enough of them. */
class Recorder {
  readonly #file: CaptureFile;
  readonly #output: ByteOutput;
  readonly #most: number;
  #written = 0;
  #missed = 0;

  constructor(file: CaptureFile, output: ByteOutput, most = Number.POSITIVE_INFINITY) {
    this.#file = file;
    this.#output = output;
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
    return `${this.#written} packets written, ${this.#missed} missed because they came too fast`;
  }

  async #write(blocks: readonly Uint8Array[]): Promise<void> {
    if (blocks.length > 0) await this.#output.write(blocks);
  }
}
