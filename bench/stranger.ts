/** Sends small datagrams to ADDRESS PORT as fast as it can, each by itself and from one socket, until it is ended. */
import { Messages } from '../src/dataplane/messages.js';
import { PacketMemory } from '../src/dataplane/packet-memory.js';
import { parseAddress } from '../src/model/address.js';
import { openUdpSocket } from '../src/sys/packet-devices.js';
import { UdpSocket } from '../src/sys/udp-socket.js';
import { ipv4Key } from '../src/wire/ipv4.js';

const ANY = parseAddress('0.0.0.0');
const FROM_PORT = 8285;
const RUN_DATAGRAMS = 64;
const PAYLOAD_BYTES = 64;

const [, , address = '', port = ''] = process.argv;
const { fd } = openUdpSocket(ANY, FROM_PORT, false, false);
const socket = new UdpSocket(fd, { segment: false, gro: false });
const memory = new PacketMemory(1 << 20);
const payload = memory.reserve(PAYLOAD_BYTES);
const messages = new Messages(memory);
for (let next = 0; next < RUN_DATAGRAMS; next++) {
  messages.addPiece(payload, PAYLOAD_BYTES);
  const message = messages.end(0, 1, PAYLOAD_BYTES);
  messages.addresses[message] = ipv4Key(parseAddress(address));
  messages.ports[message] = Number(port);
}
process.once('SIGTERM', () => process.exit(0));
process.stdout.write('flooding\n');
for (;;) {
  socket.send(messages);
  // SIGTERM is heard between two runs.
  await new Promise((resolve) => setImmediate(resolve));
}
