/** The operator's commands, none of which is run: what would have been is noted. */
import type { Commands } from '../../src/ports.js';

export class FakeCommands implements Commands {
  /** Arguments, environment and input, in order. */
  readonly log: string[] = [];
  /** What the next ones print, by their first two words; exit code 0. */
  readonly outputs = new Map<string, string>();
  /** Words of a command that fails. */
  failing: string | undefined;
  /** What it prints. */
  complaint = 'it broke\n';

  run: Commands['run'] = async (argv, _deadlineMs, _signal, { env, input } = { env: {}, input: '' }) => {
    const words = argv.join(' ');
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    this.log.push([...variables, words, JSON.stringify(input)].join(' '));
    if (this.failing !== undefined && words.includes(this.failing))
      return { code: 1, stdout: '', stderr: this.complaint };
    return { code: 0, stdout: this.outputs.get(argv.slice(0, 2).join(' ')) ?? '', stderr: '' };
  };
}
