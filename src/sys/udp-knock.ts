/** Whether somebody refuses datagrams on a UDP port: one that takes them says nothing. */
import { createSocket } from 'node:dgram';
import type { UdpKnock } from '../ports.js';

const WAIT_MS = 500;
/** Too short for a packet of anybody's: it is dropped as malformed. */
const NOTHING = new Uint8Array(1);

export const udpKnock: UdpKnock = (address, port, signal) =>
  new Promise((resolve, reject) => {
    // Connected, so that the kernel tells it of the ICMP error (udp(7)).
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    const timer = setTimeout(() => settle('silent'), WAIT_MS);
    const onAbort = () => {
      settle('silent');
      reject(signal.reason);
    };
    function settle(answer: Awaited<ReturnType<UdpKnock>>): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.close();
      resolve(answer);
    }
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('error', ({ code }: NodeJS.ErrnoException) =>
      settle(code === 'ECONNREFUSED' ? 'refused' : 'unreachable'),
    );
    socket.connect(port, address, () => socket.send(NOTHING));
  });
