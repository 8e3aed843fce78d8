/**
 * Whether a device leaves the checksums of what it sends to the hardware below it (ethtool -K DEV tx-checksumming):
 * rtnetlink does not tell, so it is asked by the ioctl of linux/ethtool.h, which any socket takes.
 */
import { SystemError } from '../../ports.js';
import * as libc from '../libc.js';

const ETHTOOL_GTXCSUM = 0x16;
const ETHTOOL_STXCSUM = 0x17;

/** Undefined when the device is gone or has no such setting. `fd` says in which network namespace. */
export function txChecksumOffload(fd: number, device: string): boolean | undefined {
  const value = new Uint32Array([ETHTOOL_GTXCSUM, 0]); // struct ethtool_value
  try {
    libc.ethtool(fd, device, value, `read the checksum offload of ${device}`);
  } catch (error) {
    if (error instanceof SystemError && (error.code === 'ENODEV' || error.code === 'EOPNOTSUPP'))
      return undefined;
    throw error;
  }
  return value[1] !== 0;
}

/** Throws SystemError. */
export function setTxChecksumOffload(fd: number, device: string, on: boolean): void {
  const value = new Uint32Array([ETHTOOL_STXCSUM, on ? 1 : 0]);
  libc.ethtool(fd, device, value, `turn checksum offload of ${device} ${on ? 'on' : 'off'}`);
}
