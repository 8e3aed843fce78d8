/** Whether this host protects packets by IPsec (xfrm of linux/xfrm.h), which whoever bypasses the socket would bypass too. */
import { readU32 } from 'netlink/dist/structs.js';
import { SystemError } from '../ports.js';
import { systemError } from './libc.js';
import { NetlinkChannel } from './netlink/channel.js';
import { NetlinkSocket } from './netlink/socket.js';

const NETLINK_XFRM = 6;
const XFRM_MSG_GETSPDINFO = 0x25;
const FLAGS_BYTES = 4;
/** Behind flags and the header of the only attribute: struct xfrmu_spdinfo, how many policies there are for packets in, and out. */
const IN_AT = 8;
const OUT_AT = 12;

/** False too where the kernel knows nothing of IPsec. Throws SystemError when it does not say. */
export function hasIpsecPolicies(): boolean {
  const socket = openedSocket();
  if (socket === undefined) return false;
  try {
    const message = { type: XFRM_MSG_GETSPDINFO, flags: 0, body: [new Uint8Array(FLAGS_BYTES)] };
    const answer = new NetlinkChannel(socket).get(message);
    if (!Buffer.isBuffer(answer)) throw systemError('count IPsec policies', answer.errno, answer.text);
    return readU32.call(answer, IN_AT) > 0 || readU32.call(answer, OUT_AT) > 0;
  } finally {
    socket.close();
  }
}

function openedSocket(): NetlinkSocket | undefined {
  try {
    return new NetlinkSocket(NETLINK_XFRM);
  } catch (error) {
    if (error instanceof SystemError && error.code === 'EPROTONOSUPPORT') return undefined;
    throw error;
  }
}
