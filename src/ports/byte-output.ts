/** Bytes on their way to a file or a reader, who may be slow. */
export interface ByteOutput {
  /** Resolves once all are written, one after the other; rejects with SystemError. */
  write(pieces: readonly Uint8Array[]): Promise<void>;
  close(): Promise<void>;
}
