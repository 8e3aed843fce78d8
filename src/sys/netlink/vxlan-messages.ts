/** VXLAN devices in rtnetlink's words (IFLA_VXLAN_*, linux/if_link.h). */
import { Buffer } from 'node:buffer';
import { formatVxlan } from 'netlink/dist/rt/ifla.js';
import { formatLinkMessage, MessageType } from 'netlink/dist/rt/structs.js';
import { AttrStream, type BaseObject, getObject, getU8, getU32, putString } from 'netlink/dist/structs.js';
import { type Address, familyOf } from '../../model/address.js';
import type { VxlanState } from '../../model/objects.js';
import type { NetlinkRequest } from '../../ports.js';
import { addressBytes, addressFromBytes, macBytes } from './address-bytes.js';
import type { Message } from './channel.js';

const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;

/** `underlay` is the number of the device that the outer packets leave by, 0 for whichever the routes say. */
export function addVxlan(
  { name, vxlan }: Extract<NetlinkRequest, { op: 'add-vxlan' }>,
  underlay: number,
): Message {
  const { vni, port, local, learning, gbp, mac } = vxlan;
  const bytes = local && addressBytes(local);
  const data = stream(
    formatVxlan({
      id: vni,
      ...(underlay !== 0 && { link: underlay }),
      ...(bytes && (familyOf(local) === 'ipv4' ? { local: bytes } : { local6: bytes })),
      port: bigEndian16(port),
      learning: learning ? 1 : 0,
      ...(gbp && { gbp: true as const }),
    }),
  );
  const out = new AttrStream();
  formatLinkMessage(
    {
      kind: 'link',
      data: {},
      attrs: {
        ifname: name,
        address: macBytes(mac),
        linkinfo: linkInfo('vxlan', data),
      },
    },
    out,
  );
  return { type: MessageType.NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, body: out.bufs };
}

/** What IFLA_INFO_DATA says, with the underlay by number. */
export interface VxlanData {
  readonly vni: number;
  readonly port: number;
  readonly local?: Address;
  readonly underlay?: number;
  readonly learning: boolean;
  readonly gbp: boolean;
}

export function parseVxlanData(data: Buffer): VxlanData {
  const { local, underlay, ...rest } = getObject<VxlanAttributes>(data, VXLAN_DATA);
  return {
    vni: rest.vni ?? 0,
    port: rest.port ?? 0,
    learning: rest.learning ?? false,
    gbp: rest.gbp ?? false,
    ...(local && { local }),
    ...(underlay && { underlay }),
  };
}

/** As a state, once the underlay has its name; without one when that is in another namespace. */
export function vxlanState(
  { underlay: index, ...data }: VxlanData,
  mac: string,
  nameOf: (index: number) => string | undefined,
): VxlanState {
  const underlay = index === undefined ? undefined : nameOf(index);
  return { ...data, ...(underlay !== undefined && { underlay }), mac };
}

interface VxlanAttributes extends BaseObject {
  vni?: number;
  port?: number;
  local?: Address;
  underlay?: number;
  learning?: boolean;
  gbp?: boolean;
}

const VXLAN_DATA: Readonly<Record<number, (data: Buffer, into: VxlanAttributes) => unknown>> = {
  1: (data, into) => (into.vni = getU32(data)),
  3: (data, into) => (into.underlay = getU32(data)),
  4: (data, into) => (into.local = addressFromBytes(data)),
  7: (data, into) => (into.learning = getU8(data) !== 0),
  15: (data, into) => (into.port = data.readUInt16BE()),
  17: (data, into) => (into.local = addressFromBytes(data)),
  23: (_data, into) => (into.gbp = true),
};

/** struct of IFLA_LINKINFO, which the codecs leave as bytes. */
function linkInfo(kind: string, data: Buffer): Buffer {
  const out = new AttrStream();
  out.push(IFLA_INFO_KIND, putString(kind));
  out.push(IFLA_INFO_DATA, data);
  return Buffer.concat(out.bufs);
}

function bigEndian16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

/** Attributes as one buffer, to be the value of another attribute. */
function stream(data: Parameters<AttrStream['emit']>[0]): Buffer {
  const out = new AttrStream();
  out.emit(data);
  return Buffer.concat(out.bufs);
}
