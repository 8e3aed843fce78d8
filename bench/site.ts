/** The two hosts of a path between two containers. */
export interface Site {
  readonly name: string;
  /** The first three numbers of its containers' addresses. */
  readonly subnet: string;
  readonly publicIp: string;
}

export const A: Site = { name: 'a', subnet: '10.1.40', publicIp: '198.18.0.11' };
export const B: Site = { name: 'b', subnet: '10.1.63', publicIp: '198.18.0.12' };
