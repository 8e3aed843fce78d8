/** What the desired state is computed from: the file, the store, the host. Wakes its subscribers when one of them changed. */
import type { Config } from '../../model/config.js';
import {
  type DesiredState,
  desiredState,
  hasItsSubnet,
  isDecided,
  type Undecided,
} from '../../model/desired.js';
import { DesiredMemory } from '../../model/desired-memory.js';
import { equalJson } from '../../model/equal-json.js';
import { InterfaceError } from '../../model/external-interface.js';
import type { HostFacts } from '../../model/host.js';
import { isSameHost, type PublicIps } from '../../model/lease.js';
import { withMovedLease } from '../../model/moved-lease.js';
import { familiesOf, type NetworkConfig } from '../../model/network.js';
import { leasesHeldBy, type StoreView } from '../../model/store-view.js';
import {
  asError,
  type Clock,
  type Files,
  type Log,
  type Netlink,
  type Random,
  type Sysctls,
} from '../../ports.js';
import { PathWatch } from '../../reconcilers/path-watch.js';
import { type BackOff, backOffMs } from '../timing/back-off.js';
import { Wake } from '../timing/wake.js';
import { Announcement } from './announcement.js';
import { hostFacts } from './host-facts.js';

export interface InputsDependencies {
  readonly config: Config;
  readonly storeView: () => StoreView | undefined;
  readonly netlink: Netlink;
  readonly sysctls: Sysctls;
  readonly files: Files;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Whether this process runs the packet loop. */
  readonly forwards: boolean;
  /** Called when the interface has another address, or another interface is in use. */
  readonly onReaddressed?: () => void;
}

const RESYNC_MS = 60_000;
/** A renewed DHCP lease or a restarted network service is back by then; nothing is touched meanwhile. */
const IDENTITY_GRACE_MS = 10_000;
/** The same interface with another address was given that on purpose. */
const READDRESSED_GRACE_MS = 300;
const LEAST_GAP_MS = 100; // A burst of route events costs one look each tenth of a second,
const LEAST_GAP_IN_LOOKS = 9; // and on a host with a hundred thousand routes, where one takes long, a tenth of the time.
const BACK_OFF: BackOff = { firstMs: 200, mostMs: 5_000 };

export class Inputs {
  readonly #deps: InputsDependencies;
  readonly #wake = new Wake();
  readonly #announcement: Announcement;
  /** The subnet it names is what this host asks for again when its lease is lost. */
  readonly #subnetEnv: PathWatch;
  readonly #subscribers = new Set<() => void>();
  #config: Config;
  /** How many say yes to another subnet just now. */
  #consents = 0;
  #host: HostFacts | Error | undefined;
  /** The last good answer: kept to while it holds. */
  #chosen: HostFacts | undefined;
  #publicIps: PublicIps = {};
  #formerPublicIps: PublicIps | undefined;
  #networkInUse: NetworkConfig | undefined;
  #awaySinceMs: number | undefined;
  /** When another address is taken in place of the one that is gone. */
  #takenAtMs: number | undefined;
  #failures = 0;
  readonly #memory = new DesiredMemory();
  #last:
    | { config: Config; host: unknown; view: unknown; allows: boolean; state: DesiredState | Undecided }
    | undefined;

  constructor(dependencies: InputsDependencies) {
    this.#deps = dependencies;
    this.#config = dependencies.config;
    this.#announcement = new Announcement(dependencies.clock);
    this.#subnetEnv = new PathWatch(dependencies.files);
  }

  get config(): Config {
    return this.#config;
  }

  /** Those that this host was known by last, whatever can be said of it now; none before the first look. */
  get publicIps(): PublicIps {
    return this.#publicIps;
  }

  /** Those that it had before, while its lease may still say so. */
  get formerPublicIps(): PublicIps | undefined {
    return this.#formerPublicIps;
  }

  /** The name of the interface to the other hosts, as it was chosen last. */
  get externalName(): string | undefined {
    return this.#chosen?.external.name;
  }

  /** Why nothing can be said of this host, such as that no interface can be chosen; undefined while something can. */
  get hostTrouble(): string | undefined {
    return this.#host instanceof Error ? this.#host.message : undefined;
  }

  setConfig(config: Config): void {
    // An interface that was chosen by other rules must not be planned with.
    if (!asksTheSame(config, this.#config))
      this.#host = this.#chosen = this.#awaySinceMs = this.#takenAtMs = undefined;
    this.#config = config;
    this.#subnetEnv.follow([config.files.subnetEnv]);
    this.#wake.wake();
    this.changed();
  }

  /** An operator has said yes to another subnet. It holds until what is returned is called. */
  allowRenumbering(): () => void {
    if (++this.#consents === 1) this.changed();
    return () => {
      if (--this.#consents === 0) this.changed();
    };
  }

  /** Same input, same object: it is computed again only after a change, or when a renumbering has been announced for long enough. */
  state(): DesiredState | Undecided {
    const state = this.#stateNow();
    // A command that runs once shows the plan before it is carried out.
    const isShown = this.#deps.forwards && this.#consents === 0;
    return (isShown ? this.#announcement.hold(state) : undefined) ?? state;
  }

  #stateNow(): DesiredState | Undecided {
    const [config, host, view] = [this.#config, this.#host, this.#deps.storeView()];
    const [last, allows] = [this.#last, this.#consents > 0];
    if (last?.config === config && last.host === host && last.view === view && last.allows === allows)
      return last.state;
    const { forwards } = this.#deps;
    const networkInUse = this.#networkInUse;
    const store = view && this.#asMoved(view);
    const input = { config, store, host, forwards, allowsRenumbering: allows, networkInUse };
    const state = desiredState(input, this.#memory);
    if (isDecided(state) && hasItsSubnet(state)) this.#networkInUse = state.network;
    this.#last = { config, host, view, allows, state };
    return state;
  }

  /** The view, with the lease that this host takes along to its new address. */
  #asMoved(view: StoreView): StoreView {
    if (leasesHeldBy(view, this.#publicIps).length > 0) this.#formerPublicIps = undefined;
    return withMovedLease(view, this.#formerPublicIps, this.#publicIps);
  }

  /** Tells the subscribers; the store's mirror calls it when it changed. */
  changed = (): void => {
    for (const subscriber of this.#subscribers) subscriber();
  };

  subscribe(subscriber: () => void): void {
    this.#subscribers.add(subscriber);
  }

  /** Looks at the host once. Never rejects: what is wrong becomes part of the state. */
  async observeHost(): Promise<void> {
    const config = this.#config;
    const answer = await hostFacts(config, this.#deps, this.#chosen?.external).catch(asError);
    // Asked before the file changed: whoever changed it has asked anew.
    if (!asksTheSame(config, this.#config)) return;
    const host = answer instanceof Error ? answer : this.#settled(answer);
    this.#failures = host instanceof Error ? this.#failures + 1 : 0;
    if (isSame(host, this.#host)) return;
    this.#tell(host);
    this.#host = host;
    this.changed();
  }

  /**
   * Another public address is another identity: another lease, another row at every other host. So one that went away
   * is waited for; only when it stays away is the next one taken.
   */
  #settled(host: HostFacts): HostFacts | InterfaceError {
    const { clock } = this.#deps;
    const chosen = this.#chosen;
    this.#takenAtMs = undefined;
    if (chosen !== undefined && !isSameIdentity(chosen, host, this.#config)) {
      const { name, ipv4, ipv6 } = chosen.external;
      const graceMs = name === host.external.name ? READDRESSED_GRACE_MS : IDENTITY_GRACE_MS;
      this.#awaySinceMs ??= clock.boottimeMs();
      if (clock.boottimeMs() < this.#awaySinceMs + graceMs) {
        this.#takenAtMs = this.#awaySinceMs + graceMs;
        return new InterfaceError(
          `Cannot use interface "${name}": its address ${[ipv4, ipv6].filter(Boolean).join(' or ')} is gone; another is taken after ${graceMs / 1000} s`,
        );
      }
      this.#formerPublicIps ??= chosen.publicIps;
      this.#deps.onReaddressed?.();
    }
    this.#awaySinceMs = undefined;
    this.#chosen = host;
    this.#publicIps = host.publicIps;
    return host;
  }

  #tell(host: HostFacts | Error): void {
    const { log } = this.#deps;
    const before = this.#host instanceof Error ? undefined : this.#host?.external;
    if (host instanceof Error) log.warn({ error: host.message }, 'no usable interface');
    else if (!equalJson(host.external, before)) log.info({ ...host.external }, 'interface chosen');
  }

  /** Keeps looking at the host until `signal` aborts; then resolves. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#observe(signal), this.#announcement.run(this.changed, signal)]);
  }

  async #observe(signal: AbortSignal): Promise<void> {
    const { netlink, clock, random } = this.#deps;
    netlink.watch(
      ['link', 'ipv4-address', 'ipv6-address', 'ipv4-route', 'ipv6-route'],
      () => this.#wake.wake(),
      signal,
    );
    this.#subnetEnv.begin([this.#config.files.subnetEnv], () => this.#wake.wake(), signal);
    while (!signal.aborted) {
      const beganMs = clock.boottimeMs();
      await this.observeHost();
      const tookMs = clock.boottimeMs() - beganMs;
      const usualMs = this.#failures > 0 ? backOffMs(BACK_OFF, this.#failures, random.next()) : RESYNC_MS;
      try {
        // The host may have slept meanwhile: that is no reason to look away for days.
        const gapMs = Math.min(RESYNC_MS, Math.max(LEAST_GAP_MS, LEAST_GAP_IN_LOOKS * tookMs));
        await clock.sleep(gapMs, signal);
        const takenInMs = (this.#takenAtMs ?? Number.POSITIVE_INFINITY) - clock.boottimeMs();
        await this.#wake.wait(clock, Math.max(0, Math.min(usualMs, takenInMs)), signal);
      } catch {
        return; // Only an abort ends a wait early.
      }
    }
  }
}

/** Where the file does not tell the families of the network, a change of an address that may be of no use is none. */
function isSameIdentity(left: HostFacts, right: HostFacts, { network: { declared } }: Config): boolean {
  return declared === undefined
    ? isSameHost(left.publicIps, right.publicIps)
    : equalJson(left.publicIps, right.publicIps);
}

/** Whether the host is asked the same with both. */
function asksTheSame(left: Config, right: Config): boolean {
  const families = ({ network: { declared } }: Config) => declared && familiesOf(declared);
  return (
    equalJson(families(left), families(right)) &&
    equalJson(left.host, right.host) &&
    equalJson(left.store, right.store) &&
    left.files.subnetEnv === right.files.subnetEnv
  );
}

function isSame(left: HostFacts | Error, right: HostFacts | Error | undefined): boolean {
  if (left instanceof Error) return right instanceof Error && left.message === right.message;
  return !(right instanceof Error) && equalJson(left, right);
}
