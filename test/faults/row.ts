/** A row of the scoreboard: a fault, what the daemon owes then, and how both are done and seen on real parts. */
import type { Scene, Stage } from './scene.js';

/** What a row promises. A figure that is absent is measured all the same, and judged by nobody. */
export interface Bar {
  /** Within this all is as it should be, in 99 of 100 injections. */
  readonly healedMs?: number;
  /** Packets of one way that the worst injection may cost, of 1,000 a second. */
  readonly lost?: number;
  /** Processor time of the daemon meanwhile, percent of one core, beyond what carrying the probe's packets costs. */
  readonly cpuPercent?: number;
  /** Lines in the daemon's log for each minute of the fault. */
  readonly logLinesPerMinute?: number;
}

/** How often: in `make test`, in `make faults`, and there with FULL=1. */
export interface Counts {
  readonly test: number;
  readonly standard: number;
  readonly full: number;
}

/** What one injection came to. It rejects when something that is no figure is not as it should be. */
export interface Injection {
  /** From the fault to all being as it should be. */
  readonly healedMs?: number;
  /** How long the fault lasted: what processor time and log lines are counted over. */
  readonly faultMs?: number;
  /** Packets of one way that the fault itself cost, where getting there costs some too. */
  readonly lost?: number;
  /** How many times the fault was done within; default 1. */
  readonly times?: number;
}

export interface Row {
  /** As the issue tracker of faults has it: K4. */
  readonly id: string;
  /** What happens: `the route of the network is deleted`. */
  readonly fault: string;
  /** What the daemon does then, in one sentence. */
  readonly expected: string;
  readonly bar: Bar;
  readonly counts: Counts;
  readonly stage?: Stage;
  /** Why the bar is another than one would expect. */
  readonly remark?: string;
  inject(scene: Scene, size: Size): Promise<Injection>;
}

export type Size = keyof Counts;

/** A row that is not run, and why. */
export interface LeftOut {
  readonly id: string;
  readonly fault: string;
  readonly why: string;
}
