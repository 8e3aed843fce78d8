/** Every row of the scoreboard, in the order in which they are run. */
import type { Row } from './row.js';
import { COMMAND_ROWS } from './rows/commands.js';
import { DATA_ROWS } from './rows/data.js';
import { ETCD_ROWS } from './rows/etcd.js';
import { EXTERNAL_ROWS } from './rows/external.js';
import { FILE_ROWS } from './rows/files.js';
import { KERNEL_ROWS } from './rows/kernel.js';
import { KERNEL_BACKEND_ROWS } from './rows/kernel-backends.js';
import { LEASE_ROWS } from './rows/lease.js';
import { LINE_ROWS } from './rows/line.js';
import { LOAD_ROWS } from './rows/load.js';
import { NETLINK_ROWS } from './rows/netlink.js';
import { NETLINK_CALL_ROWS } from './rows/netlink-calls.js';
import { PACKET_ROWS } from './rows/packets.js';
import { PROCESS_ROWS } from './rows/process.js';
import { SCALE_ROWS } from './rows/scale.js';
import { SIDE_ROWS } from './rows/side.js';
import { START_ROWS } from './rows/start.js';

export const ROWS: readonly Row[] = [
  ...KERNEL_ROWS,
  ...START_ROWS,
  ...PROCESS_ROWS,
  ...FILE_ROWS,
  ...NETLINK_ROWS,
  ...NETLINK_CALL_ROWS,
  ...ETCD_ROWS,
  ...LEASE_ROWS,
  ...LINE_ROWS,
  ...SIDE_ROWS,
  ...KERNEL_BACKEND_ROWS,
  ...EXTERNAL_ROWS,
  ...DATA_ROWS,
  ...PACKET_ROWS,
  ...LOAD_ROWS,
  ...COMMAND_ROWS,
  ...SCALE_ROWS,
];
