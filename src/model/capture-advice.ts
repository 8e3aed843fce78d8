/** How to watch packets that no packet loop carries: the command line, ready to be run. Pure. */
import { type DesiredState, isDecided, type Undecided } from './desired.js';

export interface CarriedElsewhere {
  readonly state: DesiredState | Undecided;
  /** The host's interface to the others. */
  readonly external: string | undefined;
}

/** Ends the sentence that begins with "Cannot capture packets". */
export function captureAdvice({ state, external = 'any' }: CarriedElsewhere): string {
  if (!isDecided(state)) return `it is not known yet what carries them: ${state.reason}`;
  const { network, networks, devices, hasPacketLoop } = state;
  const { type, port } = network.backend;
  if (hasPacketLoop) return 'the packet loop does not run; `flannelette status` says why';
  const carried = `backend ${type}: the kernel carries them. Watch it with`;
  const ofNetworks = networks.map((each) => `net ${each}`).join(' or ');
  switch (type) {
    case 'vxlan': {
      const inner = devices.map((device) => `\`tcpdump -n -i ${device}\``).join(' and ');
      return `${carried} ${inner} inside, \`tcpdump -n -i ${external} udp port ${port}\` outside; \`ip -s -d link show ${devices[0] ?? ''}\` counts what is dropped`;
    }
    case 'host-gw':
      return `${carried} \`tcpdump -n -i ${external} ${ofNetworks}\`; nothing is wrapped around them`;
    case 'alloc':
      return 'backend alloc: nobody carries them, it only allocates subnets';
    default:
      return `backend ${type}: whoever its commands set up carries them. Watch them with \`tcpdump -n -i any ${ofNetworks}\``;
  }
}
