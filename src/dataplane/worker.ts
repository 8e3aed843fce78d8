/** The worker thread of the packet loop: puts it together and runs it until it is told to stop. */
import { createPacketIo } from '../sys/packet-io.js';
import { packetThread } from '../sys/packet-thread.js';
import { Counters } from './counters.js';
import { PacketLoop } from './packet-loop.js';

const { control, countersMemory, eventFd } = packetThread();
new PacketLoop(createPacketIo(eventFd), control, new Counters(countersMemory)).run();
