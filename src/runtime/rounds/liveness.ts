/** Whether every loop still turns, told from what each of them is at. */

/** What a loop is at: a round, or the pause after one. */
export interface Turn {
  /** Grows with the beginning and the end of every round. */
  readonly count: number;
  /** A round or a pause that takes longer is not going to end. */
  readonly mostMs: number;
}

/**
 * Counted in beats of one timer and not on a clock: a machine that was suspended has made no beat, and its
 * loops no round, so nothing looks stuck when it wakes up.
 */
export class Liveness {
  readonly #beatMs: number;
  readonly #seen = new Map<string, { count: number; beats: number }>();

  constructor(beatMs: number) {
    this.#beatMs = beatMs;
  }

  /** To be called at every beat, with what each loop is at; returned are the stuck ones, at most two beats late. */
  beat(turns: ReadonlyMap<string, Turn>): readonly string[] {
    const stuck: string[] = [];
    for (const [name, { count, mostMs }] of turns) {
      const seen = this.#seen.get(name);
      if (seen === undefined || seen.count !== count) this.#seen.set(name, { count, beats: 0 });
      else if (++seen.beats > Math.ceil(mostMs / this.#beatMs)) stuck.push(name);
    }
    return stuck;
  }
}
