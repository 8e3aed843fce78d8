/** Whether somebody refuses datagrams on a UDP port: one that takes them says nothing. */
import { createSocket } from 'node:dgram';
import { SystemError, type UdpKnock } from '../ports.js';

const WAIT_MS = 500;
/** Too short for a packet of anybody's: it is dropped as malformed. */
const NOTHING = new Uint8Array(1);

type Answer = Awaited<ReturnType<UdpKnock>>;

/** What comes back from the other side, by the errno that the kernel makes of it (icmp(7)). */
const ANSWERS: Readonly<Record<string, Answer>> = { ECONNREFUSED: 'refused', EHOSTUNREACH: 'unreachable' };

export const udpKnock: UdpKnock = (address, port, signal) =>
  new Promise((resolve, reject) => {
    // Connected, so that the kernel tells it of the ICMP error (udp(7)).
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    const timer = setTimeout(() => end(() => resolve('silent')), WAIT_MS);
    const onAbort = () => end(() => reject(signal.reason));
    const onError = (cause: NodeJS.ErrnoException) => {
      const { code = '', message } = cause;
      const answer = ANSWERS[code];
      const failure = `Cannot send to UDP port ${port} of ${address}: ${message}`;
      end(() => (answer === undefined ? reject(new SystemError(failure, code, { cause })) : resolve(answer)));
    };
    let isOpen = true;
    function end(settle: () => void): void {
      if (!isOpen) return;
      isOpen = false;
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.close();
      settle();
    }
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('error', onError);
    // Each of the two tells its own failure to who asked alone.
    const onSent = (error: Error | null) => error && onError(error);
    const onConnected = (error?: Error) => (error ? onError(error) : socket.send(NOTHING, onSent));
    // Its types leave the error out.
    socket.connect(port, address, onConnected);
  });
