/** `/log-level` on the daemon's socket: how much each loop says, until the daemon ends. */
import type { ControlReply, ControlRequest } from '../../ports.js';
import { LOG_LEVELS, type LogBook, type LogLevel } from '../log/log-book.js';

/** Undefined for anything else that is asked. */
export function logLevelReply(
  book: Pick<LogBook, 'levels' | 'setLevel'>,
  { method, path }: ControlRequest,
): ControlReply | undefined {
  const [resource, query] = path.split('?', 2);
  if (resource !== '/log-level') return undefined;
  if (method === 'POST') {
    const asked = new URLSearchParams(query);
    const [loop, level] = [asked.get('loop') ?? '', asked.get('level') ?? ''];
    if (!isLevel(level))
      return refused(`the level ${JSON.stringify(level)} is none of ${LOG_LEVELS.join(', ')}`);
    if (!book.setLevel(loop, level)) {
      const loops = Object.keys(book.levels()).join(', ');
      return refused(`there is no loop ${JSON.stringify(loop)}: must be all, ${loops}`);
    }
  }
  return { status: 200, body: `${JSON.stringify(book.levels(), null, 2)}\n` };
}

function refused(why: string): ControlReply {
  return { status: 400, body: `Cannot change what is logged: ${why}` };
}

function isLevel(text: string): text is LogLevel {
  return LOG_LEVELS.some((level) => level === text);
}
