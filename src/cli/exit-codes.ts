/** What a process of ours says by its exit code; 64 to 77 are sysexits.h's. The specific code wins over `failed`. */
export const EXIT = {
  done: 0,
  /** `diff`: something is not as wanted. */
  drift: 1,
  /** `status`, `docker-opts`: what was asked for is not there yet. */
  notReady: 1,
  /** `doctor`, `ping`: something is wrong. */
  ailing: 1,
  failed: 2,
  /** `apply`: it failed, and all is as it was before. */
  rolledBack: 3,
  /** `apply`: it failed, and not all could be put back. */
  rollbackFailed: 4,
  /** `apply --plan`: the world is not what the plan was made for. */
  stale: 5,
  /** Still converging at the time-out. */
  converging: 6,
  /** Something foreign has the place of something wanted, or another subnet is, and nobody has said yes to it. */
  conflict: 7,
  usage: 64,
  invalidConfig: 65,
  storeUnreachable: 69,
  /** Another process holds this instance. */
  held: 75,
  privilege: 77,
  interrupted: 130,
} as const;

/** For the manual page; a test holds the README to it. */
export const EXIT_MEANINGS = [
  ['0', 'done; in sync; ready'],
  ['1', 'drift, not ready, or something is wrong (`doctor`, `ping`)'],
  ['2', 'failed'],
  ['3', 'failed; everything is as it was before'],
  ['4', 'failed, and not everything could be put back; the message says what'],
  ['5', 'the saved plan is out of date; the message says what has moved'],
  ['6', 'still converging at the time-out'],
  ['7', 'something foreign is in the place of something wanted, or a renumbering is not allowed'],
  ['64, 65', 'wrong usage, invalid file'],
  ['69', 'the store cannot be reached'],
  ['75', 'another process holds this instance'],
  ['77', 'a privilege is missing; the message names it'],
  ['130', 'interrupted'],
] as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What `terraform plan -detailed-exitcode` ends with: 0 for no difference, 2 for one, 1 for any failure. */
export function terraformExitCode(code: ExitCode): 0 | 1 | 2 {
  if (code === EXIT.done) return 0;
  return code === EXIT.drift ? 2 : 1;
}

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
