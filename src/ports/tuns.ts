/** Devices whose packets a program carries; what else there is to a device goes through netlink. */

export interface Tuns {
  /** Creates a persistent TUN (no packet information header), or does nothing when it is there already. Throws SystemError or PrivilegeError. */
  create(name: string, options: { readonly multiQueue: boolean }): void;
}
