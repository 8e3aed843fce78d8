/** Faults that are known and not on the scoreboard, each with its reason. */
import type { LeftOut } from './row.js';

const NOT_YET = 'not injected on the scoreboard yet';

export const LEFT_OUT: readonly LeftOut[] = [
  {
    id: 'P4',
    fault: 'an upgrade in place, with descriptors handed over',
    why: 'there is none: a restart costs what row P2 says',
  },
  {
    id: 'P10',
    fault: 'a reboot in the middle of `try`',
    why: 'a test of its own does that without the reboot: whoever starts next puts the former file back',
  },
  { id: 'P11', fault: 'the terminal is lost during `try`', why: '`make trials` does that a hundred times' },
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
  { id: 'F7', fault: 'the record of the packet loop is from another version', why: NOT_YET },
  { id: 'S1', fault: 'a host joins a network of thousands', why: NOT_YET },
  { id: 'S3', fault: 'a thousand hosts restart at once', why: NOT_YET },
  { id: 'S4', fault: 'etcd is back after an hour of churn', why: NOT_YET },
  { id: 'S5', fault: 'a day of random faults', why: NOT_YET },
  { id: 'S6', fault: 'a look-up among ten thousand peers', why: NOT_YET },
];
