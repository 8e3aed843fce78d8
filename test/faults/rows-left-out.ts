/** Faults that are known and not on the scoreboard, each with its reason. */
import type { LeftOut } from './row.js';

export const LEFT_OUT: readonly LeftOut[] = [
  {
    id: 'K6',
    fault: 'a foreign, more specific route inside the network',
    why: 'it is not noticed: the kernel follows it, and nothing of ours is in its place',
  },
  { id: 'K8', fault: 'a neighbour or forwarding entry is removed', why: 'the udp backend has none' },
  {
    id: 'P4',
    fault: 'an upgrade in place, with descriptors handed over',
    why: 'there is none: a restart costs what row P2 says',
  },
  {
    id: 'P10',
    fault: 'a reboot in the middle of `try`',
    why: 'there is no such command: `diff` shows, `apply` does',
  },
  { id: 'P11', fault: 'the terminal is lost during `try`', why: 'there is no such command' },
];
