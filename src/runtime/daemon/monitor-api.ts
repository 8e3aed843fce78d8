/** What monitoring asks a daemon: `/metrics`, `/livez`, `/readyz`. Read only, and without a secret. */
import type { ControlReply, ControlRequest, Exposition } from '../../ports.js';

export interface MonitorSources {
  readonly exposition: Exposition;
  /** Loops that turn no more. */
  readonly stuck: () => readonly string[];
  readonly readiness: () => { readonly isReady: boolean; readonly text: string };
}

/** Undefined for anything else that is asked. */
export async function monitorReply(
  { exposition, stuck, readiness }: MonitorSources,
  { method, path }: ControlRequest,
): Promise<ControlReply | undefined> {
  if (method !== 'GET') return undefined;
  switch (path.split('?', 1)[0]) {
    case '/metrics': {
      const { text, contentType } = await exposition.text();
      return { status: 200, body: text, contentType };
    }
    case '/livez': {
      const loops = stuck();
      if (loops.length === 0) return { status: 200, body: 'alive\n' };
      return { status: 503, body: `stuck: ${loops.join(', ')}\n` };
    }
    case '/readyz': {
      const { isReady, text } = readiness();
      return { status: isReady ? 200 : 503, body: `${text}\n` };
    }
    default:
      return undefined;
  }
}
