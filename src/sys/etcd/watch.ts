/**
 * One watch attempt on etcd3's raw stream. Its managed watch resumes at the wrong revision when it is cut
 * during a replay and says nothing of a compaction; here the caller lists again instead.
 */
import type { Etcd3, IWatchResponse } from 'etcd3';

/** From the first request to etcd's "created". */
const CREATE_DEADLINE_MS = 6_000;

export interface KeyRange {
  readonly key: Buffer;
  /** Absent: this key alone. */
  readonly rangeEnd?: Buffer;
}

export type StreamEnd =
  | { readonly why: 'aborted' | 'ended' | 'no answer' }
  | { readonly why: 'compacted'; readonly revision: bigint }
  | { readonly why: 'failed'; readonly error: unknown };

/** Always settles, never rejects; after that `onEvents` is not called any more. The ranges share one stream. */
export function watchOnce(
  client: Pick<Etcd3, 'watchClient'>,
  ranges: readonly KeyRange[],
  from: bigint,
  onEvents: (events: IWatchResponse['events']) => void,
  signal: AbortSignal,
): Promise<StreamEnd> {
  return new Promise((settle) => {
    let stream: Awaited<ReturnType<Etcd3['watchClient']['watch']>> | undefined;
    let isOver = false;
    let uncreated = ranges.length;
    const end = (result: StreamEnd) => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      stream?.cancel();
      settle(result);
    };
    const onAbort = () => end({ why: 'aborted' });
    const timer = setTimeout(() => end({ why: 'no answer' }), CREATE_DEADLINE_MS);
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });

    client.watchClient.watch().then(
      (opened) => {
        stream = opened;
        // Listened to for ever: cancel() itself raises an error, and an unheard one ends the process.
        stream.on('error', (error) => end({ why: 'failed', error }));
        if (isOver) return stream.cancel();
        stream.on('end', () => end({ why: 'ended' }));
        stream.on('data', (response) => {
          if (isOver) return;
          if (response.canceled) return end(cancellation(response));
          if (response.created && --uncreated === 0) clearTimeout(timer);
          if (response.events.length > 0) onEvents(response.events);
        });
        for (const { key, rangeEnd } of ranges) {
          const range = { key, ...(rangeEnd && { range_end: rangeEnd }) };
          // In fragments: a replay of many large values would come as one message.
          stream.write({ create_request: { ...range, start_revision: String(from), fragment: true } });
        }
      },
      (error) => end({ why: 'failed', error }),
    );
  });
}

function cancellation(response: IWatchResponse): StreamEnd {
  const { compact_revision: compacted, cancel_reason: reason } = response;
  if (compacted !== '0') return { why: 'compacted', revision: BigInt(compacted) };
  return { why: 'failed', error: new Error(reason === '' ? 'the watch was cancelled' : reason) };
}
