/** Remembers what was measured. */
import type { Exposition, Meters } from '../../src/ports.js';

export class FakeMeters implements Meters, Exposition {
  /** `acted link update done`, `healed link`, `called snapshot answered`. */
  readonly log: string[] = [];
  readonly healSeconds: number[] = [];

  acted(...[kind, verb, outcome]: Parameters<Meters['acted']>): void {
    this.log.push(`acted ${kind} ${verb} ${outcome}`);
  }

  healed(...[kind, seconds]: Parameters<Meters['healed']>): void {
    this.log.push(`healed ${kind}`);
    this.healSeconds.push(seconds);
  }

  storeCalled(...[call, , outcome]: Parameters<Meters['storeCalled']>): void {
    this.log.push(`called ${call} ${outcome}`);
  }

  async text(): ReturnType<Exposition['text']> {
    return { text: `${this.log.join('\n')}\n`, contentType: 'text/plain' };
  }
}
