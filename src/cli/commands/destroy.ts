/** `destroy`: removes everything of ours from this host; the lease only when asked. What cannot be done keeps nothing else from being done. */
import type { Config } from '../../model/config.js';
import { isDecided } from '../../model/desired.js';
import { type DesiredObjects, IN_STORE, KINDS } from '../../model/objects.js';
import { printable, printableDocument } from '../../model/printable.js';
import { StoreUnavailableError } from '../../ports.js';
import { converge, planAll } from '../../runtime/rounds/one-shot.js';
import type { Reconcilers } from '../../runtime/rounds/reconcilers.js';
import { configArgument } from '../config-argument.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { actionLine, foreignLine } from '../render-plan.js';
import type { CommandContext, Session } from '../session.js';
import { APPLY_COLOURS } from '../state-colours.js';

export interface DestroyOptions {
  /** Gives the subnet back too. */
  readonly lease: boolean;
  readonly timeoutMs: number;
}

export async function destroy(
  context: CommandContext,
  path: string,
  options: DestroyOptions,
): Promise<ExitCode> {
  const config = await configArgument(context, path);
  const host = await context.host();
  await host.requirePrivileges(config);
  const lock = host.lock(config);
  const session = host.openSession(config);
  try {
    const keptLease = options.lease ? await whyLeaseStays(session, config, context.signal) : undefined;
    let done = 0;
    const givesBack = options.lease && keptLease === undefined;
    const reconcilers = givesBack ? session.reconcilers : withoutStore(session.reconcilers);
    const convergence = await converge(
      {
        reconcilers,
        desired: () => ({ objects: NOTHING }),
        clock: context.clock,
        timeoutMs: options.timeoutMs,
        onAction: (action, { outcome, error }) => {
          if (outcome === 'done') done++;
          const line = actionLine(printableDocument(action), 0, context.paint);
          context.out(`${line}${error === undefined ? '' : `: ${printable(error.message)}`}\n`);
        },
      },
      context.signal,
    );
    await host.forget(config);
    const plans = await planAll(reconcilers, NOTHING, context.signal);
    for (const conflict of KINDS.flatMap((kind) => plans[kind]?.foreign ?? []))
      context.out(`${foreignLine(printableDocument(conflict), 0, context.paint)}\n`);
    context.out(
      `Destroy: ${done} done, ${context.paint(APPLY_COLOURS[convergence.outcome], convergence.outcome)}\n`,
    );
    if (keptLease !== undefined) {
      context.err(`The lease was not given back: ${keptLease.reason}; ${GIVE_BACK_LATER}\n`);
      return keptLease.exitCode;
    }
    if (convergence.outcome === 'converged') return EXIT.done;
    return convergence.outcome === 'timed out' ? EXIT.converging : EXIT.failed;
  } finally {
    session.close();
    lock.release();
  }
}

const GIVE_BACK_LATER =
  'run `flannelette destroy --lease` again, or `flannelette leases release SUBNET` on another host';

interface KeptLease {
  readonly reason: string;
  readonly exitCode: ExitCode;
}

/** Reads store and host, as far as it takes to know this host's lease; undefined when it can be given back, if there is one. */
async function whyLeaseStays(
  { access, inputs }: Session,
  { store }: Config,
  signal: AbortSignal,
): Promise<KeptLease | undefined> {
  try {
    await access.refresh(signal);
  } catch (error) {
    if (!(error instanceof StoreUnavailableError)) throw error;
    return { reason: error.message, exitCode: EXIT.storeUnreachable };
  }
  // A list in the file is the operator's: nothing there is to be given back.
  if (store.type !== 'etcd') return undefined;
  await inputs.observeHost();
  const { ipv4, ipv6 } = inputs.publicIps;
  if (ipv4 !== undefined || ipv6 !== undefined) return undefined;
  const state = inputs.state();
  const cause = isDecided(state) ? '' : `: ${state.reason}`;
  return { reason: `this host is known by no public address${cause}`, exitCode: EXIT.failed };
}

const NOTHING = Object.fromEntries(KINDS.map((kind) => [kind, []])) as unknown as DesiredObjects;

/** What is on this host can be removed with the store out of reach. */
function withoutStore(reconcilers: Reconcilers): Reconcilers {
  const onHost = KINDS.filter((kind) => !IN_STORE.has(kind));
  return Object.fromEntries(onHost.map((kind) => [kind, reconcilers[kind]]));
}
