/** The headers of TCP (RFC 9293) and UDP (RFC 768): where the fields are that offloading looks at. Offsets in bytes. */

export const TCP = {
  SEQUENCE: 4,
  ACKNOWLEDGEMENT: 8,
  DATA_OFFSET: 12,
  FLAGS: 13,
  WINDOW: 14,
  CHECKSUM: 16,
  URGENT_POINTER: 18,
} as const;

export const TCP_FLAG = { FIN: 0x01, PSH: 0x08, ACK: 0x10, ECE: 0x40, CWR: 0x80 } as const;

/** Without options. */
export const TCP_HEADER_BYTES = 20;

export const UDP = { LENGTH: 4, CHECKSUM: 6 } as const;

export const UDP_HEADER_BYTES = 8;

/** As the header has it, not checked against the packet. */
export function tcpHeaderBytes(bytes: Uint8Array, tcpAt: number): number {
  return ((bytes[tcpAt + TCP.DATA_OFFSET] as number) >>> 4) * 4;
}
