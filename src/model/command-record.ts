/** What was run on this host, and for what: a file in the runtime directory, since a boot undoes all of it. */
import type { InstanceSection } from './config.js';
import type { CommandState } from './objects.js';

/** The one purpose whose output is used: it is published with the lease. */
export const PRE_STARTUP = 'pre-startup';

/** Bytes. Ten thousand hosts take 80 MiB where each publishes the most: its data goes to the command that adds it and to the one that removes it. */
export const MOST_RECORD_BYTES = 128 * 1024 * 1024;

export function commandRecordPath({ runtimeDirectory, name }: InstanceSection): string {
  return `${runtimeDirectory}/${name}.commands.json`;
}

/** By purpose. What cannot be read was run by nobody: running a command once more is what it must bear anyway. */
export function parseCommandRecord(text: string | undefined): ReadonlyMap<string, CommandState> {
  try {
    const states = JSON.parse(text ?? '[]') as readonly CommandState[];
    return new Map(states.map((state) => [state.purpose, state]));
  } catch {
    return new Map();
  }
}

export function commandRecordText(states: Iterable<CommandState>): string {
  return `${JSON.stringify([...states])}\n`;
}
