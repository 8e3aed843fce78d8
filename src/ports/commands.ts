/** Programs of this host and commands of the operator's. */

export interface Commands {
  /**
   * Runs to the end, without a shell and without input unless one is given, and resolves with any exit code. Rejects with SystemError when
   * it cannot be started or is not done in time (then it is killed), and with the signal's reason.
   */
  run(
    argv: readonly string[],
    deadlineMs: number,
    signal: AbortSignal,
    surroundings?: { readonly env: Readonly<Record<string, string>>; readonly input: string },
  ): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;
}
