/** Meters whose library is loaded when somebody first asks: a daemon that is never scraped starts sooner and stays smaller. */
import type { Exposition, Meters } from '../../ports.js';

type LoadedMeters = Meters & Exposition;

/** Measurements kept until then; of more the oldest are forgotten. */
const MOST_KEPT = 10_000;

export class LateMeters implements Meters, Exposition {
  readonly #load: () => Promise<LoadedMeters>;
  #loading: Promise<void> | undefined;
  #meters: LoadedMeters | undefined;
  #kept: ((meters: Meters) => void)[] = [];

  constructor(load: () => Promise<LoadedMeters>) {
    this.#load = load;
  }

  acted(...measured: Parameters<Meters['acted']>): void {
    this.#measure((meters) => meters.acted(...measured));
  }

  healed(...measured: Parameters<Meters['healed']>): void {
    this.#measure((meters) => meters.healed(...measured));
  }

  storeCalled(...measured: Parameters<Meters['storeCalled']>): void {
    this.#measure((meters) => meters.storeCalled(...measured));
  }

  async text(): ReturnType<Exposition['text']> {
    this.#loading ??= this.#load().then(
      (meters) => {
        for (const tell of this.#kept) tell(meters);
        this.#kept = [];
        this.#meters = meters;
      },
      (error) => {
        // The next who asks may find it readable again.
        this.#loading = undefined;
        throw error;
      },
    );
    await this.#loading;
    return (this.#meters as LoadedMeters).text();
  }

  #measure(tell: (meters: Meters) => void): void {
    if (this.#meters !== undefined) tell(this.#meters);
    else if (this.#kept.push(tell) > MOST_KEPT) this.#kept.shift();
  }
}
