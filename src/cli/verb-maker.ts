/** What those who add verbs to the command line have in common. */
import type { Command, Option } from 'commander';
import type { ExitCode } from './exit-codes.js';
import type { CommandContext } from './session.js';

export interface VerbMaker {
  /** A verb with its description, its example and where it prints. */
  readonly verb: (name: string, description: string, options?: { readonly hidden?: boolean }) => Command;
  /** `-f, --file`. */
  readonly file: () => Option;
  /** `--adopt`. */
  readonly adopt: () => Option;
  readonly context: CommandContext;
  readonly done: (code: ExitCode) => void;
}
