/** `leases`: who holds which subnet; `leases release`: takes one away from a host that is gone. */
import { isDecided } from '../../model/desired.js';
import { subnetKey } from '../../model/keys.js';
import { type Lease, NO_ETCD_LEASE } from '../../model/lease.js';
import { readableLeases, type StoreView } from '../../model/store-view.js';
import type { StoreAccess } from '../../reconcilers/store-access.js';
import { configArgument } from '../config-argument.js';
import { CommandError, EXIT, type ExitCode } from '../exit-codes.js';
import { type Format, formatted } from '../output.js';
import { leasesDocument, leasesText } from '../render-leases.js';
import type { CommandContext, Session } from '../session.js';

export async function leases(context: CommandContext, path: string, format: Format): Promise<ExitCode> {
  return withStore(context, path, async (session, view) => {
    const document = leasesDocument(
      view,
      await termsOf(session.access, view, context.signal),
      await ownKey(session),
    );
    context.out(formatted(format, document, () => leasesText(document)));
    return EXIT.done;
  });
}

/** Deletes the lease of `subnet` (`4.0.32.0/24`) if it is still the one that was read. A host that lives takes it back at once. */
export async function releaseLease(context: CommandContext, path: string, subnet: string): Promise<ExitCode> {
  return withStore(context, path, async (session, view) => {
    const found = readableLeases(view).find(({ subnets }) => isNamedBy(subnets, subnet));
    if (found === undefined) {
      throw new CommandError(
        `Cannot release ${subnet}: nobody holds it; see \`flannelette leases\``,
        EXIT.failed,
      );
    }
    const key = subnetKey(found.subnets);
    if (key === (await ownKey(session))) {
      const remedy = 'use `flannelette destroy --lease` on this host';
      throw new CommandError(`Cannot release ${subnet}: it is this host's own; ${remedy}`, EXIT.failed);
    }
    await release(session.access, view, found, key, context.signal);
    const { ipv4, ipv6 } = found.attributes.publicIps;
    context.out(`Released ${subnet}, which ${ipv4 ?? ipv6 ?? 'nobody'} held\n`);
    return EXIT.done;
  });
}

async function withStore(
  context: CommandContext,
  path: string,
  body: (session: Session, view: StoreView) => Promise<ExitCode>,
): Promise<ExitCode> {
  const config = await configArgument(context, path);
  if (config.store.type === 'static') {
    const remedy = `the hosts are written in ${path}, under store.static.peers`;
    throw new CommandError(`There are no leases: ${remedy}`, EXIT.failed);
  }
  const session = (await context.host()).openSession(config);
  try {
    await session.access.refresh(context.signal);
    return await body(session, session.access.view() as StoreView);
  } finally {
    session.close();
  }
}

/** Seconds by etcd lease: one question each, some at a time. */
async function termsOf(
  { store }: StoreAccess,
  view: StoreView,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const ids = [...new Set(view.leases.map(({ etcdLease }) => etcdLease))].filter(
    (id) => id !== NO_ETCD_LEASE,
  );
  const terms = new Map<string, number>();
  const ask = async () => {
    for (let id = ids.pop(); id !== undefined; id = ids.pop())
      terms.set(id, await store.secondsLeft(id, signal));
  };
  await Promise.all(Array.from({ length: QUESTIONS_AT_A_TIME }, ask));
  return terms;
}

const QUESTIONS_AT_A_TIME = 16;

/** Undefined while this host cannot say which subnet is its own. */
async function ownKey({ inputs }: Session): Promise<string | undefined> {
  await inputs.observeHost();
  const state = inputs.state();
  return isDecided(state) ? subnetKey(state.subnets) : undefined;
}

function isNamedBy({ ipv4, ipv6 }: Lease['subnets'], subnet: string): boolean {
  return ipv4 === subnet || ipv6 === subnet;
}

async function release(
  { store }: StoreAccess,
  view: StoreView,
  { modRevision, etcdLease }: Lease,
  key: string,
  signal: AbortSignal,
): Promise<void> {
  if (!(await store.compareAndDelete(`subnets/${key}`, modRevision, signal))) {
    throw new CommandError(
      'Cannot release it: it was written anew meanwhile, so its host lives',
      EXIT.failed,
    );
  }
  // flannel hangs one key on a lease; whoever hung more on it keeps them.
  const isShared = readableLeases(view).filter((other) => other.etcdLease === etcdLease).length > 1;
  if (etcdLease !== NO_ETCD_LEASE && !isShared) await store.revokeLease(etcdLease, signal);
}
