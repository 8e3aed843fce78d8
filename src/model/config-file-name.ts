/** Which files of a directory are the configuration: hidden ones are left about by editors and ConfigMaps. */

export function isConfigFileName(name: string): boolean {
  return /^[^.].*\.ya?ml$/.test(name);
}
