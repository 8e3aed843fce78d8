/**
 * One timeline for all hosts. Nothing happens between two moments at which somebody is due, so time goes from one to
 * the next; of those due at the same millisecond the seed decides who is first.
 */
import { setImmediate } from 'node:timers/promises';
import type { Random } from '../../src/ports.js';

/** Whose doings a timer belongs to: one that is dead is never woken, one that is stopped is woken when it goes on. */
export interface Owner {
  readonly isDead: boolean;
  readonly isStopped: boolean;
}

interface Timer {
  dueMs: number;
  readonly tie: number;
  readonly owner: Owner | undefined;
  /** Undefined once cancelled or fired. */
  wake: (() => void) | undefined;
  /** No leap goes beyond it. */
  readonly isDeadline: boolean;
}

export class VirtualTime {
  readonly #random: Random;
  #nowMs = 0;
  #heap: Timer[] = [];
  #asleep: Timer[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Calls `wake` in `ms`. Returns how to prevent it. */
  after(ms: number, wake: () => void, owner?: Owner, isDeadline = false): () => void {
    const timer: Timer = {
      dueMs: this.#nowMs + Math.max(0, ms),
      tie: this.#random.next(),
      owner,
      wake,
      isDeadline,
    };
    this.#push(timer);
    return () => {
      timer.wake = undefined;
    };
  }

  /** Lets `ms` pass; `afterEach` runs whenever somebody was woken and everything that follows from it has happened. */
  async advance(ms: number, afterEach: () => void): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settle();
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.dueMs > endMs) break;
      this.#pop();
      if (next.wake === undefined || next.owner?.isDead) continue;
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      if (next.owner?.isStopped) {
        this.#asleep.push(next);
        continue;
      }
      const { wake } = next;
      next.wake = undefined;
      wake();
      await settle();
      afterEach();
    }
    this.#nowMs = endMs;
  }

  /** Whoever was due while stopped is due now. */
  goOn(owner: Owner): void {
    const due = this.#asleep.filter((timer) => timer.owner === owner);
    this.#asleep = this.#asleep.filter((timer) => timer.owner !== owner);
    for (const timer of due) {
      timer.dueMs = this.#nowMs;
      this.#push(timer);
    }
  }

  /**
   * For a world at rest: goes `mostMs` on at once, or to the next deadline. Whoever was due meanwhile is woken
   * afterwards, once, as after a suspend. Returns the milliseconds that were left out.
   */
  leap(mostMs: number): number {
    const deadlines = this.#heap.filter(({ wake, isDeadline }) => wake !== undefined && isDeadline);
    const ms = Math.max(0, Math.min(mostMs, ...deadlines.map(({ dueMs }) => dueMs - this.#nowMs)));
    this.#nowMs += ms;
    return ms;
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (isBefore(heap[above]!, timer)) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below++;
      if (isBefore(last, heap[below]!)) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = last;
  }
}

function isBefore(left: Timer, right: Timer): boolean {
  return left.dueMs < right.dueMs || (left.dueMs === right.dueMs && left.tie < right.tie);
}

/** The fakes wait for nothing but promises: after one turn of the event loop everything that can happen has happened. */
async function settle(): Promise<void> {
  await setImmediate();
}
