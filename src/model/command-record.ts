/** What was run on this host, and for what: a file in the runtime directory, since a boot undoes all of it. */
import type { InstanceSection } from './config.js';
import type { CommandState } from './objects.js';

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
