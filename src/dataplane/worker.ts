/** The worker thread of the packet loop: puts it together and runs it until it is told to stop. */
import { createPacketIo } from '../sys/packet-io.js';
import { packetThread } from '../sys/packet-thread.js';
import { askForSlices } from '../sys/time-slice.js';
import { Counters } from './counters.js';
import { PacketLoop } from './packet-loop.js';

/**
 * Longer than what threads have by themselves, up to 3 ms: the kernel lets a thread that wakes go before one with longer slices.
 * So whoever gets a packet reads it before the loop goes on with the next ones, and his buffer does not run over while the
 * loop has the processor. Of a flood twice as much arrives; 20 ms gave no more, and the loop waited longer beside busy programs.
 */
const SLICE_MS = 5;

const { control, countersMemory, eventFd } = packetThread();
askForSlices(SLICE_MS);
new PacketLoop(createPacketIo(eventFd), control, new Counters(countersMemory)).run();
