/** A table or chain of the firewall as it was, foreign rules in it too. */
import type { Family } from '../model/address.js';
import type { Action } from '../model/plan.js';
import type { Firewall, FirewallPlace } from '../ports.js';
import type { Keepsake } from './reconciler.js';

/** Of the families that `actions` are about. */
export async function keptRules(
  firewall: Firewall,
  what: FirewallPlace['what'],
  name: string,
  actions: readonly Action<{ readonly family: Family }>[],
  signal: AbortSignal,
): Promise<Keepsake> {
  const families = actions.flatMap(({ before, after }) => (after ?? before)?.family ?? []);
  const places = families.map((family): FirewallPlace => ({ what, family, name }));
  const were = await Promise.all(
    places.map(async (place) => ({ place, was: await firewall.copyOf(place, signal) })),
  );
  const putBack = async (isWanted: (was: string | undefined) => boolean, until: AbortSignal) => {
    for (const { place, was } of were)
      if (isWanted(was) && (await firewall.copyOf(place, until)) !== was)
        await firewall.putBack(place, was, until);
  };
  return {
    takeAway: (until) => putBack((was) => was === undefined, until),
    bringBack: (until) => putBack((was) => was !== undefined, until),
    async differences(until) {
      const changed = were.map(async ({ place, was }) => {
        const now = await firewall.copyOf(place, until);
        return now === was
          ? []
          : [`${place.what} ${place.name}: was ${was ?? 'not there'}, is ${now ?? 'not there'}`];
      });
      return (await Promise.all(changed)).flat();
    },
  };
}
