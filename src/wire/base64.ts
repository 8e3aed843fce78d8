/** Bytes in the middle of a text (RFC 4648, section 4). */

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const CODES = Uint8Array.from(ALPHABET, (character) => character.charCodeAt(0));
const PAD = '='.charCodeAt(0);
const ascii = new TextDecoder();

/** By hand: btoa looks at every character by itself first, which takes eight times as long. */
export function base64Of(bytes: Uint8Array): string {
  const codes = new Uint8Array(Math.ceil(bytes.length / 3) * 4);
  for (let at = 0, next = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at;
    const bits = ((bytes[at] as number) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    codes[next++] = CODES[bits >> 18] as number;
    codes[next++] = CODES[(bits >> 12) & 63] as number;
    codes[next++] = left > 1 ? (CODES[(bits >> 6) & 63] as number) : PAD;
    codes[next++] = left > 2 ? (CODES[bits & 63] as number) : PAD;
  }
  return ascii.decode(codes);
}

/** Throws DOMException for what is none. */
export function bytesOfBase64(text: string): Uint8Array {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = characters.charCodeAt(at);
  return bytes;
}
