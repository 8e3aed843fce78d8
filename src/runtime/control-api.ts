/** What the daemon answers on its socket. */
import type { StatusReport } from '../model/status.js';
import type { Clock, ControlReply, ControlRequest } from '../ports.js';
import type { Daemon } from './daemon.js';
import { DeadlineError, withDeadline } from './deadline.js';

const MOST_TIMEOUT_MS = 600_000;

export function controlApi(
  daemon: Daemon,
  status: () => StatusReport,
  clock: Clock,
  signal: AbortSignal,
): (request: ControlRequest) => Promise<ControlReply> {
  return async ({ method, path }) => {
    const { pathname, searchParams } = new URL(path, 'http://localhost');
    if (method === 'GET' && pathname === '/status') return json(200, status());
    if (method === 'POST' && pathname === '/apply') {
      const file = searchParams.get('file');
      if (file !== null && file !== daemon.config.path) {
        return { status: 409, body: `The daemon runs with ${daemon.config.path}, not with ${file}` };
      }
      return applyNow(
        daemon,
        Math.min(Number(searchParams.get('timeoutMs') ?? 30_000), MOST_TIMEOUT_MS),
        clock,
        signal,
      );
    }
    return { status: 404, body: `Nothing answers to ${method} ${pathname}` };
  };
}

async function applyNow(
  daemon: Daemon,
  timeoutMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<ControlReply> {
  const error = await daemon.reload();
  if (error !== undefined) return { status: 422, body: error };
  const attempts: Parameters<Parameters<Daemon['converge']>[0]>[0][] = [];
  const actions = () =>
    attempts.map(({ action, result }) => ({
      ...action,
      outcome: result.outcome,
      ...(result.error && { error: result.error.message }),
    }));
  try {
    await withDeadline(clock, timeoutMs, 'converging', signal, (limited) =>
      daemon.converge((attempt) => attempts.push(attempt), limited),
    );
    return json(200, { outcome: 'converged', message: '', actions: actions() });
  } catch (error) {
    if (!(error instanceof DeadlineError)) throw error;
    const message = 'Still converging at the time-out: `flannelette status` says what is missing';
    return json(200, { outcome: 'timed out', message, actions: actions() });
  }
}

function json(status: number, document: object): ControlReply {
  return { status, body: `${JSON.stringify(document, null, 2)}\n` };
}
