/**
 * The troubles that `status` names: a short fixed list that an alert can hang on. What each means and what to do about it
 * is docs/conditions.md. Pure: from how things stand to the conditions that hold.
 */
import { counted } from './counted.js';
import type { Undecided } from './desired.js';
import type { KindName } from './objects.js';
import type { ObjectStatus } from './status.js';
import type { StoreView } from './store-view.js';
import { type TrialStanding, trialText } from './trial.js';

export const CONDITION_TYPES = [
  'EtcdUnavailable',
  'EtcdAuth',
  'EtcdTls',
  'EtcdAlarm',
  'LeasesVanished',
  'NetworkMissing',
  'NetworkInvalid',
  'NetworkConflict',
  'SubnetUnavailable',
  'LeaseConflict',
  'RenumberRequired',
  'LeaseAtRisk',
  'LeasesSetAside',
  'InterfaceUnusable',
  'BackendUnusable',
  'ForeignRoute',
  'ForeignObject',
  'Contested',
  'ForwarderFailed',
  'FileWrite',
  'ChangeFailed',
  'DockerOutOfStep',
  'ConfigKept',
  'ChangeOnTrial',
] as const;

export type ConditionType = (typeof CONDITION_TYPES)[number];

/** At most one of each type holds at a time. */
export interface Condition {
  readonly type: ConditionType;
  readonly message: string;
}

/** What keeps a store from serving: nobody answers, it knows us not, it cannot be trusted, or it has raised an alarm. */
export type StoreTrouble = 'unreachable' | 'auth' | 'tls' | 'alarm';

export interface ConditionFacts {
  readonly store: {
    readonly description: string;
    /** Why it is not followed now. */
    readonly failure?: { readonly trouble: StoreTrouble; readonly message: string };
    /** Raised by the store while it serves: `NOSPACE`. */
    readonly alarms: readonly string[];
    readonly view: StoreView | undefined;
  };
  /** Whether the file declares the network itself. */
  readonly declaresNetwork: boolean;
  readonly undecided: Undecided | undefined;
  readonly objects: readonly (ObjectStatus & { readonly kind: KindName })[];
  /** Absent where no lease runs out. */
  readonly leaseTerm?: { readonly leftMs: number; readonly ttlMs: number } | undefined;
  readonly configError?: string | undefined;
  readonly trial?: TrialStanding | undefined;
}

/** In the order of CONDITION_TYPES. */
export function conditionsOf(facts: ConditionFacts): readonly Condition[] {
  const conditions = [
    ...storeConditions(facts.store),
    ...networkConditions(facts),
    ...decisionConditions(facts),
    ...leaseConditions(facts),
    ...objectConditions(facts),
    ...(facts.configError === undefined
      ? []
      : [{ type: 'ConfigKept', message: facts.configError } satisfies Condition]),
    ...(facts.trial === undefined
      ? []
      : [{ type: 'ChangeOnTrial', message: trialText(facts.trial) } satisfies Condition]),
  ];
  return conditions.sort(
    (left, right) => CONDITION_TYPES.indexOf(left.type) - CONDITION_TYPES.indexOf(right.type),
  );
}

const STORE_CONDITIONS = {
  unreachable: 'EtcdUnavailable',
  auth: 'EtcdAuth',
  tls: 'EtcdTls',
  alarm: 'EtcdAlarm',
} as const satisfies Record<StoreTrouble, ConditionType>;

function storeConditions({ description, failure, alarms }: ConditionFacts['store']): readonly Condition[] {
  if (failure !== undefined) return [{ type: STORE_CONDITIONS[failure.trouble], message: failure.message }];
  if (alarms.length === 0) return [];
  return [{ type: 'EtcdAlarm', message: `${description} has raised ${alarms.join(', ')}` }];
}

function networkConditions({ store: { view }, declaresNetwork }: ConditionFacts): readonly Condition[] {
  if (declaresNetwork || view === undefined) return [];
  if (view.network === undefined)
    return [
      { type: 'NetworkMissing', message: 'no network is published in the store, and the file has none' },
    ];
  return 'error' in view.network ? [{ type: 'NetworkInvalid', message: view.network.error }] : [];
}

/** Not what has simply not been read yet; a missing network has a condition of its own. */
const UNDECIDED_CONDITIONS: Partial<Record<Undecided['waitsFor'], ConditionType>> = {
  subnet: 'SubnetUnavailable',
  renumbering: 'RenumberRequired',
  interface: 'InterfaceUnusable',
  backend: 'BackendUnusable',
};

function decisionConditions({ undecided }: ConditionFacts): readonly Condition[] {
  if (undecided === undefined) return [];
  const { waitsFor, reason, leaseConflict } = undecided;
  const type = UNDECIDED_CONDITIONS[waitsFor];
  return [
    ...(leaseConflict === undefined ? [] : [{ type: 'LeaseConflict', message: leaseConflict } as const]),
    ...(type === undefined ? [] : [{ type, message: reason }]),
  ];
}

function leaseConditions({ leaseTerm, store: { view } }: ConditionFacts): readonly Condition[] {
  const conditions: Condition[] = [];
  const vanished = view?.vanished ?? 0;
  if (vanished > 0)
    conditions.push({
      type: 'LeasesVanished',
      message: `${counted(vanished, 'lease')} went away at once, kept for 10 s`,
    });
  if (leaseTerm !== undefined && leaseTerm.leftMs < leaseTerm.ttlMs / 2) {
    const left = Math.max(0, Math.round(leaseTerm.leftMs / 60_000));
    conditions.push({
      type: 'LeaseAtRisk',
      message: `the lease was not refreshed, ${left} min are left of it`,
    });
  }
  const [first, ...more] = view?.quarantined ?? [];
  if (first !== undefined) {
    const message = `${JSON.stringify(first.key)}: ${first.reason}`;
    conditions.push({ type: 'LeasesSetAside', message: andMore(message, more.length) });
  }
  return conditions;
}

/** Of the last list: it is asked for again and again while a thousand objects wait. */
const remembered = new WeakMap<ConditionFacts['objects'], readonly Condition[]>();

function objectConditions({ objects }: ConditionFacts): readonly Condition[] {
  const known = remembered.get(objects);
  if (known !== undefined) return known;
  const conditions = conditionsOfObjects(objects);
  remembered.set(objects, conditions);
  return conditions;
}

function conditionsOfObjects(objects: ConditionFacts['objects']): readonly Condition[] {
  const found = new Map<ConditionType, { readonly message: string; more: number }>();
  for (const { kind, key, state, reason } of objects) {
    const type = objectCondition(kind, state);
    if (type === undefined) continue;
    const before = found.get(type);
    if (before === undefined) found.set(type, { message: `${key}: ${reason}`, more: 0 });
    else before.more++;
  }
  return [...found].map(([type, { message, more }]) => ({ type, message: andMore(message, more) }));
}

/** Of objects that are in the place of nothing that is wanted. */
const FOREIGN_CONDITIONS: Partial<Record<KindName, ConditionType>> = {
  'docker-bridge': 'DockerOutOfStep',
  route: 'ForeignRoute',
};

function objectCondition(kind: KindName, state: ObjectStatus['state']): ConditionType | undefined {
  if (state === 'contested') return 'Contested';
  if (state === 'foreign') return FOREIGN_CONDITIONS[kind];
  if (state === 'conflict') {
    if (kind === 'network-config') return 'NetworkConflict';
    return kind === 'route' ? 'ForeignRoute' : 'ForeignObject';
  }
  if (state !== 'failed') return undefined;
  if (kind === 'forwarder') return 'ForwarderFailed';
  return kind === 'file' || kind === 'docker-settings' ? 'FileWrite' : 'ChangeFailed';
}

function andMore(message: string, more: number): string {
  return more === 0 ? message : `${message} (and ${more} more)`;
}
