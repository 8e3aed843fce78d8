/** Whether every loop still turns, told from how many rounds each has begun. */

/**
 * Counted in beats of one timer and not on a clock: a machine that was suspended has made no beat, and its
 * loops no round, so nothing looks stuck when it wakes up.
 */
export class Liveness {
  readonly #mostBeats: number;
  readonly #seen = new Map<string, { count: number; beats: number }>();

  /** A loop is stuck after more than `mostBeats` without a new round. */
  constructor(mostBeats: number) {
    this.#mostBeats = mostBeats;
  }

  /** To be called at every beat. `rounds` has an ever growing number for each loop; returned are the stuck ones. */
  beat(rounds: ReadonlyMap<string, number>): readonly string[] {
    const stuck: string[] = [];
    for (const [name, count] of rounds) {
      const seen = this.#seen.get(name);
      if (seen === undefined || seen.count !== count) this.#seen.set(name, { count, beats: 0 });
      else if (++seen.beats > this.#mostBeats) stuck.push(name);
    }
    return stuck;
  }
}
