/**
 * The options of a backend, as data: the YAML file's schema, the reader and the writer of flannel's JSON and the
 * conversion all follow from them, so that none of those knows any backend.
 */

interface Named {
  /** flannel's name in the network's JSON. */
  readonly json: string;
  /** A sentence or two for the reference. */
  readonly about: string;
  /** As one would write it in the YAML file. */
  readonly example: string;
}

/** Without a default the option may stay away. */
export interface IntegerOption extends Named {
  readonly kind: 'integer';
  readonly least: number;
  readonly most: number;
  readonly default?: number;
  /** flannel's zero: Go reads an absent number as 0, and some backends take 0 for "as usual". */
  readonly zeroIsDefault?: true;
}

export interface FlagOption extends Named {
  readonly kind: 'flag';
  readonly default: boolean;
}

export interface ChoiceOption extends Named {
  readonly kind: 'choice';
  readonly of: readonly [string, ...string[]];
  readonly default: string;
}

/** A command: one text, or the words of one. */
export interface CommandOption extends Named {
  readonly kind: 'command';
}

export type Option = IntegerOption | FlagOption | ChoiceOption | CommandOption;

/** By the option's name in the YAML file. */
export type Options = Readonly<Record<string, Option>>;

export type Command = string | readonly string[];
export type OptionValue = number | boolean | Command;

type ValueOf<O extends Option> = O extends FlagOption
  ? boolean
  : O extends ChoiceOption
    ? O['of'][number]
    : O extends CommandOption
      ? Command | undefined
      : O extends { readonly default: number }
        ? number
        : number | undefined;

/** What a backend reads: an option without a default may be undefined. */
export type ValuesOf<O extends Options> = { readonly [Name in keyof O]: ValueOf<O[Name]> };

/** What an option is when nobody says so. */
export function defaultOf(option: Option): OptionValue | undefined {
  return 'default' in option ? option.default : undefined;
}

/** flannel has no such option, or none that it means: written only where it is not the default. */
export function isWorthWriting(option: Option, value: OptionValue | undefined): boolean {
  return value !== undefined && (option.kind === 'integer' || value !== defaultOf(option));
}
