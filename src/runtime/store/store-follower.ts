/** The store that the file names, mirrored; another one when the file names another. */
import type { Config, EtcdStoreSection } from '../../model/config.js';
import type { StoreView } from '../../model/store-view.js';
import type { Clock, Store } from '../../ports.js';
import type { StoreAccess } from '../../reconcilers/store-access.js';
import { withChildAbort } from '../timing/child-abort.js';
import type { RememberedStore } from './remembered-store.js';
import { StoreAlarms } from './store-alarms.js';
import type { MirrorState, StoreMirror } from './store-mirror.js';

type StoreSection = Config['store'];

export interface StoreFollowerDependencies {
  readonly section: StoreSection;
  readonly openMirror: (section: StoreSection) => StoreMirror;
  /** Called whenever the view may have changed. */
  readonly onChange: () => void;
  readonly clock: Clock;
  /** Absent: every start waits for the store. */
  readonly memory?: (section: EtcdStoreSection, mirror: StoreMirror) => RememberedStore;
}

export class StoreFollower implements StoreAccess {
  readonly #deps: StoreFollowerDependencies;
  readonly #alarms: StoreAlarms;
  #section: StoreSection;
  #mirror: StoreMirror;
  #stop = new AbortController();

  constructor(dependencies: StoreFollowerDependencies) {
    this.#deps = dependencies;
    this.#alarms = new StoreAlarms(dependencies.clock, dependencies.onChange);
    this.#section = dependencies.section;
    this.#mirror = dependencies.openMirror(dependencies.section);
  }

  get store(): Store {
    return this.#mirror.store;
  }

  view(): StoreView | undefined {
    return this.#mirror.view();
  }

  get state(): MirrorState {
    return this.#mirror.state;
  }

  /** What the store complains of itself. */
  get alarms(): readonly string[] {
    return this.#alarms.raised;
  }

  refresh(signal: AbortSignal): Promise<void> {
    return this.#mirror.refresh(signal);
  }

  /** This host has another address: its connections are made anew. */
  renew(): void {
    this.store.renew();
  }

  /** Leaves the store for another; until that was read once nothing is known, so nothing is touched. */
  follow(section: StoreSection): void {
    const left = this.#mirror;
    this.#section = section;
    this.#mirror = this.#deps.openMirror(section);
    this.#stop.abort();
    left.store.close();
    this.#deps.onChange();
  }

  /** Runs until `signal` aborts; then resolves, with the connection closed. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await withChildAbort(signal, async (stop) => {
        this.#stop = stop;
        this.#mirror.subscribe(this.#deps.onChange);
        const [mirror, section] = [this.#mirror, this.#section];
        // A list of peers in the file is never away.
        const memory = section.type === 'etcd' ? this.#deps.memory?.(section, mirror) : undefined;
        await memory?.begin(stop.signal);
        await Promise.all([
          mirror.run(stop.signal),
          this.#alarms.run(mirror.store, stop.signal),
          memory?.run(stop.signal),
        ]);
      });
    }
    this.#mirror.store.close();
  }
}
