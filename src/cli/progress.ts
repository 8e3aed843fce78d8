/** Work that may take a while, told of on a terminal. */
import type { CommandContext } from './session.js';

/** `what` is going on, such as "Applying", until `work` is done. It must print nothing meanwhile. */
export async function whileShown<T>(
  { showProgress }: Pick<CommandContext, 'showProgress'>,
  what: string | (() => string),
  work: () => Promise<T>,
): Promise<T> {
  const stop = showProgress(typeof what === 'string' ? () => what : what);
  try {
    return await work();
  } finally {
    stop();
  }
}
