/** `destroy`: removes everything of ours from this host; the lease only when asked. */
import { type DesiredObjects, KINDS } from '../../model/objects.js';
import { converge, planAll } from '../../runtime/one-shot.js';
import type { Reconcilers } from '../../runtime/reconcilers.js';
import { configArgument } from '../config-argument.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { lookOnce } from '../look-once.js';
import { actionLine, foreignLine } from '../render-plan.js';
import type { CommandContext } from '../session.js';

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
    if (options.lease) await lookOnce(session, context.signal);
    let done = 0;
    const reconcilers = options.lease ? session.reconcilers : withoutStore(session.reconcilers);
    const convergence = await converge(
      {
        reconcilers,
        desired: () => ({ objects: NOTHING }),
        clock: context.clock,
        timeoutMs: options.timeoutMs,
        onAction: (action, { outcome, error }) => {
          if (outcome === 'done') done++;
          context.out(`${actionLine(action)}${error === undefined ? '' : `: ${error.message}`}\n`);
        },
      },
      context.signal,
    );
    await host.forget(config);
    const plans = await planAll(reconcilers, NOTHING, context.signal);
    for (const conflict of KINDS.flatMap((kind) => plans[kind]?.foreign ?? []))
      context.out(`${foreignLine(conflict)}\n`);
    context.out(`Destroy: ${done} done, ${convergence.outcome}\n`);
    if (convergence.outcome === 'converged') return EXIT.done;
    return convergence.outcome === 'timed out' ? EXIT.converging : EXIT.failed;
  } finally {
    session.close();
    lock.release();
  }
}

const NOTHING = Object.fromEntries(KINDS.map((kind) => [kind, []])) as unknown as DesiredObjects;

/** What is on this host can be removed with the store out of reach. */
function withoutStore({ lease: _lease, 'network-config': _network, ...onHost }: Reconcilers): Reconcilers {
  return onHost;
}
