/** The service manager, and what it is told. */

/** What a service manager can be told; all that stands in one message takes effect at once. */
export interface News {
  /** What it was started for works. Ends a reload too. */
  readonly ready?: true;
  readonly reloading?: true;
  readonly stopping?: true;
  /** A sign of life. */
  readonly alive?: true;
  /** Not ready yet, and not stuck: wait that much longer. */
  readonly patienceMs?: number;
  /** One line for people. */
  readonly status?: string;
}

/** Whoever started this process and looks after it: systemd, or nobody. */
export interface Notifier {
  /** How often a sign of life is wanted at least; undefined when nobody looks for any. */
  readonly watchdogMs: number | undefined;
  /** False when the message could not be put down now: send it again. Never throws; that nobody listens is no failure. */
  send(news: News): boolean;
}
