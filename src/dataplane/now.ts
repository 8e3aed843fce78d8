/** The time that a turn of the packet loop works with: read once per wake-up. */
export interface Now {
  readonly monotonicMs: number;
  readonly epochMs: number;
}
