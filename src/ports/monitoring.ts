/** What monitoring reads, and where it asks. */
import type { Address } from '../model/address.js';
import type { KindName } from '../model/objects.js';
import type { Action, ActionResult } from '../model/plan.js';

/** What is counted and timed as it happens; everything else is read from the status when somebody asks. */
export interface Meters {
  acted(kind: KindName, verb: Action['verb'], outcome: ActionResult['outcome']): void;
  /** Not everything of the kind was as wanted for that long; now it is. */
  healed(kind: KindName, seconds: number): void;
  /** A round trip to the store. */
  storeCalled(call: string, seconds: number, outcome: 'answered' | 'failed'): void;
}

/** All measurements in the text format of Prometheus. */
export interface Exposition {
  text(): Promise<{ readonly text: string; readonly contentType: string }>;
}

/** Listens for HTTP until `signal` aborts; resolves when it listens, rejects with SystemError. */
export type HttpListener = (
  at: { readonly address: Address; readonly port: number },
  signal: AbortSignal,
) => Promise<void>;
