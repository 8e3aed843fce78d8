/** What a failed read means for the batch that it was to fill. */
import koffi from 'koffi';

const EINTR = 4;
const EAGAIN = 11;

/** What was read counts; an error that came first is seen again by the next read, if it lasts. */
export function endOfBatch(batch: { readonly count: number }): number {
  const errno = koffi.errno();
  return batch.count > 0 || errno === EAGAIN || errno === EINTR ? batch.count : -errno;
}
