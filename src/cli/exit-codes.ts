/** What a process of ours says by its exit code; 64 to 77 are sysexits.h's. The specific code wins over `failed`. */
export const EXIT = {
  done: 0,
  /** `diff`: something is not as wanted. */
  drift: 1,
  /** `status`, `docker-opts`: what was asked for is not there yet. */
  notReady: 1,
  failed: 2,
  /** Still converging at the time-out. */
  converging: 6,
  /** Something foreign has the place of something wanted. */
  conflict: 7,
  usage: 64,
  invalidConfig: 65,
  storeUnreachable: 69,
  /** Another process holds this instance. */
  held: 75,
  privilege: 77,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** A failure whose message is ready to print and whose exit code is decided. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  constructor(
    message: string,
    readonly exitCode: ExitCode,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
