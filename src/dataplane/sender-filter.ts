/**
 * A classic BPF program that lets in datagrams from the peers' addresses and drops the others before they reach the socket
 * (socket(7), SO_ATTACH_FILTER; net/core/filter.c). The loop judges again whatever is let in: where there are more
 * addresses than a program holds, those between neighbours are let in too, and never is a peer's kept out.
 *
 * Pure. Addresses are unsigned 32-bit integers here, as BPF compares them.
 */

/** Both ends are in it. */
export interface AddressRange {
  readonly first: number;
  readonly last: number;
}

/** The smallest ranges that hold all of `addresses`, `most` at most: neighbours are joined, the nearest first. */
export function rangesOf(addresses: Iterable<number>, most: number): readonly AddressRange[] {
  const sorted = [...new Set(addresses)].sort((left, right) => left - right);
  const gaps = sorted.slice(1).map((address, index) => address - (sorted[index] as number));
  const breaks = new Set(
    gaps
      .map((gap, index) => ({ gap, index }))
      .filter(({ gap }) => gap > 1)
      .sort((left, right) => right.gap - left.gap)
      .slice(0, Math.max(0, most - 1))
      .map(({ index }) => index),
  );
  const ranges: AddressRange[] = [];
  let first = sorted[0];
  sorted.forEach((last, index) => {
    if (index + 1 < sorted.length && !breaks.has(index)) return;
    ranges.push({ first: first as number, last });
    first = sorted[index + 1];
  });
  return ranges;
}

/** struct sock_filter (linux/filter.h). */
export interface Instruction {
  readonly code: number;
  /** How many instructions are passed over when a comparison holds, and when not: 255 at most. */
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

// linux/bpf_common.h
const LOAD_WORD = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP = 0x05; // BPF_JMP | BPF_JA
const JUMP_IF_AT_LEAST = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const RETURN = 0x06; // BPF_RET | BPF_K

/** SKF_NET_OFF: offsets from here on count from the IP header; 12 is the source address. */
const OUTER_SOURCE = 0xfff0_0000 + 12;
const WHOLE = 0xffff_ffff;

/** The most ranges of one program: BPF_MAXINSNS is 4,096, a range has two ends. */
export const MOST_RANGES = 1_900;

/** Ends of this many in a row share the two instructions that tell the verdict: a jump reaches no further. */
const MOST_IN_REACH = 200;

export function senderFilter(ranges: readonly AddressRange[]): readonly Instruction[] {
  // Where being in a range and not being in one take turns. What follows the last address of all needs no end.
  const ends = ranges.flatMap(({ first, last }) => [first, last + 1]).filter((end) => end <= WHOLE);
  return [statement(LOAD_WORD, OUTER_SOURCE), ...decision(ends, 0, ends.length)];
}

/** For an address that is known to lie at `ends[from]` or after it and before `ends[to]`: how many ends are at or before it? */
function decision(ends: readonly number[], from: number, to: number): readonly Instruction[] {
  if (to - from <= MOST_IN_REACH) return decisionInReach(ends, from, to);
  const middle = (from + to) >>> 1;
  const below = decision(ends, from, middle);
  return [
    { code: JUMP_IF_AT_LEAST, jt: 0, jf: 1, k: ends[middle] as number },
    statement(JUMP, below.length),
    ...below,
    ...decision(ends, middle + 1, to),
  ];
}

/** The same as one tree of comparisons, with the verdicts behind it. */
function decisionInReach(ends: readonly number[], from: number, to: number): readonly Instruction[] {
  const tree: Instruction[] = [];
  const drop = to - from;
  const accept = drop + 1;
  // Where the comparison with the middle end stands, those with the lower ones follow, then those with the higher ones.
  const build = (low: number, high: number): void => {
    const middle = (low + high) >>> 1;
    const at = tree.length;
    const target = (begin: number, end: number, index: number) =>
      begin < end ? index : begin % 2 === 1 ? accept : drop;
    const below = target(low, middle, at + 1);
    const above = target(middle + 1, high, at + 1 + (middle - low));
    tree.push({
      code: JUMP_IF_AT_LEAST,
      jt: above - at - 1,
      jf: below - at - 1,
      k: ends[middle] as number,
    });
    if (low < middle) build(low, middle);
    if (middle + 1 < high) build(middle + 1, high);
  };
  if (from === to) return [statement(RETURN, from % 2 === 1 ? WHOLE : 0)];
  build(from, to);
  return [...tree, statement(RETURN, 0), statement(RETURN, WHOLE)];
}

function statement(code: number, k: number): Instruction {
  return { code, jt: 0, jf: 0, k };
}
