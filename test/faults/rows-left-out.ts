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
  {
    id: 'F1',
    fault: 'the writer of a file is killed at each step of a write',
    why: 'a test of its own does that: what is read is the old file or the new one, never half of one',
  },
  {
    id: 'N4',
    fault: 'every netlink call fails once',
    why: 'the simulation does that on its model of the kernel',
  },
  { id: 'U14', fault: 'any bytes at all', why: '`make fuzz` does that' },
  { id: 'E8', fault: 'etcd has no leader', why: 'to a host it is a store that does not answer: row E3' },
  {
    id: 'E12',
    fault: 'etcd raises an alarm',
    why: 'a test of its own does that: the alarm is a condition, and packets flow',
  },
  {
    id: 'P6',
    fault: 'memory or descriptors run out',
    why: 'it takes a day; descriptors are counted after every row',
  },
  { id: 'S1', fault: 'a host joins a network of thousands', why: 'the benchmark measures it' },
  { id: 'S3', fault: 'a thousand hosts restart at once', why: 'the benchmark measures it' },
];
