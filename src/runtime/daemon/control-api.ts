/** What the daemon answers on its socket. */
import type { Explanation } from '../../model/explanation.js';
import type { StatusReport } from '../../model/status.js';
import {
  type Clock,
  type ControlAnswer,
  type ControlReply,
  type ControlRequest,
  StoreUnavailableError,
} from '../../ports.js';
import type { EventLog } from '../log/event-log.js';
import { obstaclesText } from '../rounds/one-shot.js';
import type { Attempt } from '../rounds/settling.js';
import { DeadlineError, withDeadline } from '../timing/deadline.js';
import type { Daemon } from './daemon.js';
import { type MonitorSources, monitorReply } from './monitor-api.js';

const DEFAULT_TIMEOUT_MS = 30_000;

export interface ControlSources {
  readonly daemon: Daemon;
  readonly status: () => StatusReport;
  readonly monitor: MonitorSources;
  readonly events: EventLog;
  /** Undefined for an object that there is not. */
  readonly explain: (name: string, signal: AbortSignal) => Promise<Explanation | undefined>;
  readonly clock: Clock;
}

export function controlApi(
  { daemon, status, monitor, events, explain, clock }: ControlSources,
  signal: AbortSignal,
): ControlAnswer {
  return async (request, gone) => {
    const { method, path } = request;
    const [resource, query] = path.split('?', 2);
    if (method === 'GET' && resource === '/status') return json(200, status());
    const asked = new URLSearchParams(query);
    if (method === 'GET' && resource === '/events') return eventsNow(events, asked, signal);
    if (method === 'GET' && resource === '/explain') {
      const name = asked.get('key') ?? '';
      const explanation = await explain(name, signal);
      return explanation ? json(200, explanation) : { status: 404, body: `There is no object "${name}"` };
    }
    if (method === 'POST' && resource === '/apply') return applyNow(daemon, asked, clock, signal, gone);
    return (await monitorReply(monitor, request)) ?? nothing(request);
  };
}

/** The part of it that anybody may ask who reaches the port. */
export function monitorApi(monitor: MonitorSources): (request: ControlRequest) => Promise<ControlReply> {
  return async (request) => (await monitorReply(monitor, request)) ?? nothing(request);
}

/** `waitMs`: how long to wait for the first one after number `after`. */
async function eventsNow(
  events: EventLog,
  query: URLSearchParams,
  signal: AbortSignal,
): Promise<ControlReply> {
  const [after, waitMs] = [Number(query.get('after') ?? 0), Number(query.get('waitMs') ?? 0)];
  if (!(after >= 0 && waitMs >= 0))
    return { status: 400, body: 'Cannot tell events: after and waitMs must be numbers from 0' };
  return json(200, await events.next(after, Math.min(waitMs, MOST_WAIT_MS), signal));
}

const MOST_WAIT_MS = 60_000;

function nothing({ method, path }: ControlRequest): ControlReply {
  return { status: 404, body: `Nothing answers to ${method} ${path.split('?', 1)[0]}` };
}

async function applyNow(
  daemon: Daemon,
  query: URLSearchParams,
  clock: Clock,
  signal: AbortSignal,
  gone: AbortSignal,
): Promise<ControlReply> {
  const file = query.get('file');
  if (file !== null && file !== daemon.config.path) {
    return { status: 409, body: `The daemon runs with ${daemon.config.path}, not with ${file}` };
  }
  const timeoutMs = Number(query.get('timeoutMs') ?? DEFAULT_TIMEOUT_MS);
  if (!(timeoutMs >= 0 && Number.isFinite(timeoutMs))) {
    const given = JSON.stringify(query.get('timeoutMs'));
    return { status: 400, body: `Cannot apply with timeoutMs ${given}: must be a number of milliseconds` };
  }
  const allows = query.get('allowRenumber') === 'true';
  const error = await daemon.reload();
  if (error !== undefined) return { status: 422, body: error };
  const attempts: Attempt[] = [];
  const actions = () =>
    attempts.map(({ action, result }) => ({
      ...action,
      outcome: result.outcome,
      ...(result.error && { error: result.error.message }),
    }));
  try {
    // A yes to another subnet does not outlive who has said it.
    const order = AbortSignal.any([signal, gone]);
    const { outcome, obstacles } = await withDeadline(clock, timeoutMs, 'converging', order, (limited) =>
      daemon.converge((attempt) => attempts.push(attempt), limited, allows),
    );
    const message = outcome === 'converged' ? '' : obstaclesText(outcome, obstacles);
    return json(200, { outcome, message, actions: actions() });
  } catch (error) {
    if (error instanceof StoreUnavailableError) return { status: 503, body: error.message };
    if (!(error instanceof DeadlineError)) throw error;
    const message = 'Still converging at the time-out: `flannelette status` says what is missing';
    return json(200, { outcome: 'timed out', message, actions: actions() });
  }
}

function json(status: number, document: object): ControlReply {
  return { status, body: `${JSON.stringify(document, null, 2)}\n` };
}
