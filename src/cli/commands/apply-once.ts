/** `apply` without a daemon: one process takes the host, converges and gives it back. */
import type { Config } from '../../model/config.js';
import type { ConfigPlaces } from '../../model/config-places.js';
import { type DesiredState, isDecided, type Undecided } from '../../model/desired.js';
import { KINDS, type KindName } from '../../model/objects.js';
import { type Origins, originsOf } from '../../model/origin.js';
import type { ActionResult } from '../../model/plan.js';
import { explained, isSameOperation, type PlanDocument, planDocument } from '../../model/plan-document.js';
import { consentText } from '../../model/renumbering.js';
import { asError, NEVER, StoreUnavailableError } from '../../ports.js';
import { type Rollback, Transaction } from '../../runtime/rollback/transaction.js';
import { adopting } from '../../runtime/rounds/adopting.js';
import { type Convergence, converge, obstaclesText, planAll } from '../../runtime/rounds/one-shot.js';
import { CommandError, EXIT } from '../exit-codes.js';
import { type ApplyResult, rollbackText, type TriedAction } from '../render-apply.js';
import { requireUpToDate } from '../saved-plan.js';
import type { CommandContext, HostAccess, Session } from '../session.js';

export interface ApplyQuestion {
  readonly timeoutMs: number;
  /** Takes over what flannel has left on the host. */
  readonly adopt: boolean;
  /** Takes another subnet than the one that this host has in use, where one is wanted. */
  readonly allowRenumber: boolean;
  /** Changes these kinds alone. */
  readonly only?: readonly KindName[];
  /** Does exactly this. */
  readonly saved?: PlanDocument;
}

export interface AppliedFile {
  readonly file: string;
  readonly config: Config;
  readonly places: ConfigPlaces;
}

/** An apply that is over, while its process still holds the host. */
export interface HeldApply {
  readonly result: ApplyResult;
  /** Puts back what it has changed. */
  rollBack(): Promise<Rollback>;
  /** Gives the host back. */
  close(): void;
}

/** Rejects with CommandError when the saved plan is out of date, and with what reading store and host rejects with. */
export async function applyOnce(
  context: CommandContext,
  host: HostAccess,
  applied: AppliedFile,
  question: ApplyQuestion,
): Promise<ApplyResult> {
  const { result, close } = await applyAndHold(context, host, applied, question);
  close();
  return result;
}

/** The same, but holds the host afterwards, for who may want everything back. */
export async function applyAndHold(
  context: CommandContext,
  host: HostAccess,
  applied: AppliedFile,
  question: ApplyQuestion,
): Promise<HeldApply> {
  const { config } = applied;
  const lock = host.lock(config);
  const session = host.openSession(config);
  const close = () => {
    session.close();
    lock.release();
  };
  try {
    await readUntil(context, session, question.timeoutMs);
    return { ...(await convergeSession(context, session, applied, question)), close };
  } catch (error) {
    close();
    throw error;
  }
}

async function convergeSession(
  { clock, signal }: CommandContext,
  session: Session,
  applied: AppliedFile,
  { timeoutMs, adopt, allowRenumber, only, saved }: ApplyQuestion,
): Promise<Omit<HeldApply, 'close'>> {
  const { inputs } = session;
  const reconcilers = adopt ? adopting(session.reconcilers) : session.reconcilers;
  const state = inputs.state();
  const origins = originsIn(session, applied, state);
  if (saved !== undefined) {
    if (!isDecided(state)) throw new CommandError(`Nothing was changed: ${state.reason}`, EXIT.stale);
    const plans = await planAll(reconcilers, state.objects, signal, only);
    const asked = { ...saved, instance: applied.config.instance.name };
    requireUpToDate(saved, planDocument(asked, plans, origins));
  }
  const actions: TriedAction[] = [];
  const planned = new Map(saved?.actions.map((action) => [`${action.kind} ${action.key}`, action]));
  const transaction = new Transaction();
  const rollBack = () =>
    // Also when the order to stop has come: what is half done helps nobody.
    transaction.rollBack((until) => session.access.refresh(until), clock, NEVER);
  let convergence: Convergence;
  try {
    convergence = await converge(
      {
        reconcilers: transaction.noting(reconcilers),
        desired: () => agreed(inputs.state(), allowRenumber),
        clock,
        timeoutMs,
        kinds: only ?? KINDS,
        ...(saved && {
          isPlanned(action) {
            const same = planned.get(`${action.kind} ${action.key}`);
            return same !== undefined && isSameOperation(same, action);
          },
        }),
        onAction: (action, { outcome, error }) => {
          actions.push({ ...explained(action, origins), outcome, ...(error && { error: error.message }) });
        },
      },
      signal,
    );
  } catch (error) {
    if (transaction.isBegun) requireRolledBack(await rollBack(), error);
    throw error;
  }
  const { outcome } = convergence;
  const message = messageOf(convergence, inputs.state(), applied.config);
  if (!transaction.isBegun || !UNDONE.has(outcome))
    return { result: { outcome, message, actions }, rollBack };
  return { result: { outcome, message, actions, rollback: await rollBack() }, rollBack };
}

/** After these nothing is to be left half done. A conflict is somebody else's; a time-out leaves what is on its way. */
const UNDONE: ReadonlySet<Convergence['outcome']> = new Set(['failed', 'undecided', 'refused']);

/** Throws CommandError with both troubles when something could not be put back. */
function requireRolledBack(rollback: Rollback, cause: unknown): void {
  if (rollback.problems.length === 0) return;
  const trouble = asError(cause).message;
  throw new CommandError(`${trouble}. ${rollbackText(rollback)}`, EXIT.rollbackFailed, { cause });
}

/** As things stand before anything is done: so `diff` has it. */
function originsIn(
  { access }: Session,
  { config, places }: AppliedFile,
  state: DesiredState | Undecided,
): Origins {
  return isDecided(state) ? originsOf({ config, places, store: access.view(), state }) : () => undefined;
}

/** `state`, unless it wants another subnet that neither the file's rule nor the operator has said yes to. */
function agreed(state: DesiredState | Undecided, allowRenumber: boolean): DesiredState | Undecided {
  const change = isDecided(state) ? state.renumbering : undefined;
  if (!change?.needsConsent || allowRenumber) return state;
  return { waitsFor: 'renumbering', reason: consentText(change), needsConsent: true };
}

/** A store that is just starting is worth waiting for. */
async function readUntil(
  context: CommandContext,
  { access, inputs }: Session,
  timeoutMs: number,
): Promise<void> {
  const { clock, signal } = context;
  const deadline = clock.boottimeMs() + timeoutMs;
  for (;;) {
    try {
      await access.refresh(signal);
      await inputs.observeHost();
      return;
    } catch (error) {
      if (!(error instanceof StoreUnavailableError) || clock.boottimeMs() >= deadline) throw error;
      await clock.sleep(RETRY_AFTER_MS, signal);
    }
  }
}

const RETRY_AFTER_MS = 500;

function messageOf(convergence: Convergence, state: DesiredState | Undecided, config: Config): string {
  switch (convergence.outcome) {
    case 'converged':
      return afterword(state, config);
    case 'undecided':
    case 'refused':
      return `Nothing was changed: ${convergence.undecided.reason}`;
    case 'conflict':
      return obstaclesText('conflict', convergence.conflicts);
    case 'failed': {
      const reasonOf = ({ error }: ActionResult) => error?.message ?? 'no reason given';
      const failures = convergence.failures.map((failure) => ({
        key: failure.key,
        reason: reasonOf(failure),
      }));
      return obstaclesText('failed', failures);
    }
    case 'timed out':
      return 'Still converging at the time-out';
  }
}

/** Where packets are carried by the daemon alone, say so before somebody wonders. */
function afterword(state: DesiredState | Undecided, config: Config): string {
  if (!isDecided(state) || !state.hasPacketLoop) return '';
  const hours = config.store.type === 'etcd' ? config.store.leaseTtlSeconds / 3600 : undefined;
  const within =
    hours === undefined ? '' : `, and within ${Number(hours.toFixed(2))} h, or the lease expires`;
  return `In place. Backend ${state.network.backend.type} forwards nothing until \`flannelette run\` is started on this host${within}`;
}
