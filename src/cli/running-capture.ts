/** A capture that the daemon carries out for a command, from its beginning to its end. */
import { type ControlReply, type ControlRequest, NEVER, SystemError } from '../ports.js';
import type { CaptureBegun } from '../runtime/capture/capture-desk.js';
import { type CaptureReply, decodeCaptureReply } from '../runtime/capture/capture-reply.js';
import { withChildAbort } from '../runtime/timing/child-abort.js';
import { answerAt, askDaemon, noDaemon } from './ask-daemon.js';
import type { CommandContext } from './session.js';

const KEEP_EVERY_MS = 1_000;

type Asking = Pick<CommandContext, 'clock' | 'control' | 'signal'>;

export class RunningCapture {
  readonly #context: Asking;
  readonly #socket: string;
  readonly begun: CaptureBegun;
  #last: Promise<CaptureReply | undefined> | undefined;

  private constructor(context: Asking, socket: string, begun: CaptureBegun) {
    this.#context = context;
    this.#socket = socket;
    this.begun = begun;
    // Beside the question that is under way, which is answered then: no packet is lost by an interruption.
    context.signal.addEventListener('abort', () => void this.end(), { once: true });
  }

  /** `question`: snap, direction, peer, verdict. Rejects with CommandError. */
  static async begin(
    context: CommandContext,
    socket: string,
    question: URLSearchParams,
  ): Promise<RunningCapture> {
    const reply = await askDaemon(context, socket, { method: 'POST', path: `/capture?${question}` });
    if (reply === undefined) throw noDaemon(socket);
    return new RunningCapture(context, socket, JSON.parse(reply.body) as CaptureBegun);
  }

  /** What has come, after `waitMs` at most; undefined when the daemon knows nothing of this capture any more. */
  async next(waitMs: number): Promise<CaptureReply | undefined> {
    const reply = await this.#ask('GET', '/capture', { waitMs: `${waitMs}` }, waitMs).catch(brokenOff);
    return reply?.status === 200 ? decodeCaptureReply(reply.body) : undefined;
  }

  /** Waits for `writing`, and lets the daemon know meanwhile that somebody is there: a reader may be slow. */
  async attend(writing: Promise<void>): Promise<void> {
    await withChildAbort(this.#context.signal, async (written) => {
      void this.#keepUntil(written.signal);
      await writing.finally(() => written.abort());
    });
  }

  /** Ends it, also after the signal has aborted. The last packets; undefined when nobody gives them. Never rejects. */
  end(): Promise<CaptureReply | undefined> {
    this.#last ??= this.#ask('POST', '/capture/end').then(
      (reply) => (reply?.status === 200 ? decodeCaptureReply(reply.body) : undefined),
      () => undefined,
    );
    return this.#last;
  }

  async #keepUntil(over: AbortSignal): Promise<void> {
    try {
      for (;;) {
        await this.#context.clock.sleep(KEEP_EVERY_MS, over);
        await this.#ask('POST', '/capture/keep');
      }
    } catch {
      // All is written; or nobody answers, which the next question meets too.
    }
  }

  #ask(
    method: ControlRequest['method'],
    resource: string,
    more: Readonly<Record<string, string>> = {},
    takesMs = 0,
  ): Promise<ControlReply | undefined> {
    const query = new URLSearchParams({ id: `${this.begun.id}`, ...more });
    const context = { ...this.#context, signal: NEVER };
    return answerAt(context, this.#socket, { method, path: `${resource}?${query}` }, takesMs);
  }
}

/** The daemon has ended in the middle of its answer. */
function brokenOff(error: unknown): undefined {
  if (!(error instanceof SystemError)) throw error;
}
