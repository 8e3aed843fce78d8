/** `leases`: who holds which subnet; `leases release`: takes one away from a host that is gone. */
import { isSameHost, type Lease, NO_ETCD_LEASE, type PublicIps } from '../../model/lease.js';
import { readableLeases, type StoreView } from '../../model/store-view.js';
import { deleteLease, type StoreAccess } from '../../reconcilers/store-access.js';
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
      await publicIpsOf(session),
    );
    context.out(formatted(format, document, leasesText));
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
    if (isSameHost(found.attributes.publicIps, await publicIpsOf(session))) {
      const remedy = 'use `flannelette destroy --lease` on this host';
      throw new CommandError(`Cannot release ${subnet}: it is this host's own; ${remedy}`, EXIT.failed);
    }
    if (!(await deleteLease(session.access.store, view, found, context.signal))) {
      const cause = 'it was written anew meanwhile, so its host lives';
      throw new CommandError(`Cannot release ${subnet}: ${cause}`, EXIT.failed);
    }
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

/** None while this host cannot say by which interface it is reached. */
async function publicIpsOf({ inputs }: Session): Promise<PublicIps> {
  await inputs.observeHost();
  return inputs.publicIps;
}

function isNamedBy({ ipv4, ipv6 }: Lease['subnets'], subnet: string): boolean {
  return ipv4 === subnet || ipv6 === subnet;
}
