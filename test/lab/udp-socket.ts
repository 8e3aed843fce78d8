/** UDP sockets of this process inside namespaces of the lab: what they send and receive is timed by one clock. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Holder } from './holder.js';
import { inNamespaceOf } from './namespace.js';

/** Bound to `port` of every address there, or to any port. The caller closes it: an open socket keeps the namespace. */
export function udpSocketIn(holder: Pick<Holder, 'pid'>, port = 0): Promise<Socket> {
  return inNamespaceOf(holder.pid, async () => {
    const socket = createSocket('udp4');
    socket.bind(port);
    await once(socket, 'listening');
    return socket;
  });
}
