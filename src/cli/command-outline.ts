/** The command line as data: what the completions and the manual page are made from, so that they say what `--help` says. */
import type { Command, Option } from 'commander';

export interface VerbOutline {
  readonly name: string;
  readonly description: string;
  /** `[paths...]`, `release <subnet>`: what follows the verb. */
  readonly usage: string;
  readonly takesFiles: boolean;
  /** All that may follow, where that is a list. */
  readonly choices: readonly string[];
  readonly options: readonly OptionOutline[];
  readonly verbs: readonly VerbOutline[];
}

export interface OptionOutline {
  /** Without its dash. */
  readonly short?: string;
  /** Without its dashes. */
  readonly long?: string;
  /** The word that stands for its value: `path`. Absent for a switch. */
  readonly value?: string;
  /** All that the value may be. */
  readonly choices: readonly string[];
  readonly description: string;
  readonly default?: string;
}

export function commandOutline(command: Command): VerbOutline {
  const parameters = command.registeredArguments;
  return {
    name: command.name(),
    description: command.description(),
    usage: parameters.map((argument) => argumentText(argument)).join(' '),
    takesFiles: parameters.some((argument) => /path|file/.test(argument.name())),
    choices: parameters.flatMap(({ argChoices = [] }) => argChoices),
    options: command.options.filter(({ hidden }) => !hidden).map(optionOutline),
    verbs: command
      .createHelp()
      .visibleCommands(command)
      .filter((verb) => command.commands.includes(verb))
      .map(commandOutline),
  };
}

function argumentText(argument: Command['registeredArguments'][number]): string {
  const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}

function optionOutline(option: Option): OptionOutline {
  const [, value] = /<(.+?)>/.exec(option.flags) ?? [];
  const { defaultValue, defaultValueDescription = defaultValue } = option;
  return {
    ...(option.short !== undefined && { short: option.short.slice(1) }),
    ...(option.long !== undefined && { long: option.long.slice(2) }),
    ...(value !== undefined && { value }),
    choices: option.argChoices ?? [],
    description: option.description,
    ...(defaultValueDescription !== undefined && { default: String(defaultValueDescription) }),
  };
}
