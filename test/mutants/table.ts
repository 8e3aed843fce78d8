/**
 * Defects put into the program on purpose, one at a time: each must turn the tests it names red. Add a row for a rule
 * whose loss nobody would notice otherwise; `make mutants` proves the whole table, `make mutants ONLY=text` a part.
 */

export interface Mutation {
  /** Below src, without its ending: `model/diff`. */
  readonly file: string;
  /** Stands exactly once in what is compiled from the file, within one line: types are gone there. */
  readonly text: string;
  readonly replacement: string;
  /** What a program with this defect does. */
  readonly does: string;
  /** Test files that must each turn red, below test and without their ending. */
  readonly red: readonly string[];
}

const WORLDS = ['worlds/random-worlds'];
const SIMULATION = ['sim/simulation'];

/** [file, text, replacement, what the program then does] */
type Row = readonly [string, string, string, string];

/** Each makes the thousand random hosts red: the comparison, the marks, the order, and what every kind compares. */
const INTO_DIFF: readonly Row[] = [
  ['model/diff', 'if (!ours)', 'if (false)', 'deletes what is foreign'],
  [
    'runtime/rounds/round',
    'requires.every(isPresent)',
    'requires.some(isPresent)',
    'waits where nothing is required',
  ],
  ['runtime/rounds/round', 'requires.every(isPresent)', 'requires.every(() => true)', 'acts before its time'],
  ['reconcilers/link', 'have.mtu !== want.mtu', 'have.mtu > want.mtu', 'leaves an MTU that is too small'],
  ['reconcilers/link', 'have.multiQueue !== want.multiQueue', 'false', "leaves a device's queues"],
  [
    'reconcilers/link',
    'const isOurs = (link) => link.alias === alias ||',
    'const isOurs = (link) =>',
    'forgets its mark on devices',
  ],
  ['reconcilers/address', '&& isOurForm(state)', '', "takes an operator's addresses for its own"],
  ['reconcilers/route', 'have.scope !== want.scope', 'false', "leaves a route's scope"],
  ['reconcilers/route', 'route.protocol === protocol &&', '', 'takes the routes of others for its own'],
  ['reconcilers/masquerade', '...have.unreadable', '...[]', 'overlooks foreign rules in its table'],
  [
    'reconcilers/file',
    'have.content !== want.content',
    'have.content.length < want.content.length',
    'leaves an edited file',
  ],
  ['reconcilers/file', 'have.mode !== want.mode', 'false', 'leaves a file unreadable for Docker'],
  [
    'reconcilers/docker-settings',
    'if (wanted === undefined)',
    'if (false)',
    'leaves its settings in daemon.json',
  ],
];

/** Each makes both red: the thousand random hosts and the simulation. */
const INTO_BOTH: readonly Row[] = [
  ['model/diff', 'if (differences.length === 0)', 'if (false)', 'rewrites what is as wanted'],
  ['model/diff', 'if (!have.ours)', 'if (have.ours)', 'takes ours for foreign, and foreign for ours'],
  ['model/diff', 'filter(({ key }) => !wanted.has(key))', 'filter(() => true)', 'deletes what is wanted'],
  ['model/diff', 'found.get(want.key)', 'undefined', 'creates what is there'],
  ['reconcilers/forward', 'have.jump === want.jump', 'true', 'leaves its chain without a jump to it'],
  ['model/diff', 'if (differences.length === 0)', 'if (true)', 'changes nothing that is there already'],
  ['model/diff', 'if (!have.ours)', 'if (false)', 'changes what is foreign'],
  ['model/diff', 'if (!ours)', 'if (true)', 'deletes nothing'],
  ['reconcilers/link', 'have.up !== want.up', 'false', 'leaves a device down'],
  ['reconcilers/sysctl', 'have.value === want.value', 'true', 'leaves settings as they are'],
  ['reconcilers/lease', 'equalJson(want[field], have[field])', 'true', "leaves a lease's old attributes"],
];

/** Each makes the simulation red: what is about time, failures and a store that changes. */
const INTO_TIME: readonly Row[] = [
  ['reconcilers/link', 'have.mtu !== want.mtu', 'false', 'leaves any MTU'],
  ['reconcilers/peer', 'have.publicIp !== want.publicIp', 'false', 'leaves a peer at its old address'],
  ['reconcilers/file', 'have.content !== want.content', 'false', 'leaves a file, whatever it says'],
  [
    'runtime/store/lease-keeper',
    'askedMs + ttlMs / 3',
    'askedMs + ttlMs',
    'refreshes a lease when its time is over',
  ],
  [
    'runtime/store/lease-keeper',
    'clock.boottimeMs() + this.#retryMs(held)',
    'clock.boottimeMs() + 86_400_000',
    'tries a refresh that failed again after a day',
  ],
  [
    'runtime/store/store-mirror',
    'const error = await this.#follow(signal);',
    'const error = await this.#follow(signal); return;',
    'follows the store until its first failure',
  ],
  [
    'runtime/store/store-mirror',
    'this.#isRead = this.#isConfirmed = true',
    'this.#isRead = true',
    'never counts the store as confirmed',
  ],
  ['runtime/store/event-damper', 'this.#held.set(key, event)', 'void 0', 'loses the last word about a key'],
  [
    'runtime/timing/back-off',
    'firstMs * 2 ** Math.min(failures - 1, 30)',
    'firstMs',
    'tries again at full speed for ever',
  ],
  [
    'runtime/daemon/daemon',
    'inputs.subscribe(this.loops.wakeChanged)',
    'void 0',
    'does not look when the store has changed',
  ],
];

/** The rules beside those, each with the tests that hold it. */
const OTHERS: readonly Mutation[] = [
  {
    file: 'model/diff',
    text: '...awaited, ',
    replacement: '',
    does: 'takes down what is in use while its successor has to wait',
    red: ['unit/model/diff'],
  },
  {
    file: 'model/diff',
    text: 'create: 0, update: 1, delete: 2',
    replacement: 'create: 2, update: 1, delete: 0',
    does: 'announces deletions before additions',
    red: ['unit/model/diff'],
  },
  {
    file: 'reconcilers/link',
    text: 'have.kind !== want.kind',
    replacement: 'false',
    does: 'takes a bridge for its TUN',
    red: ['unit/reconcilers/link'],
  },
  {
    file: 'reconcilers/address',
    text: 'marked.has(state.link) &&',
    replacement: '',
    does: "takes the addresses on another's device for its own",
    red: ['unit/reconcilers/address'],
  },
  {
    file: 'reconcilers/route',
    text: 'have.link !== want.link',
    replacement: 'false',
    does: 'leaves a route over another device',
    red: ['unit/reconcilers/route'],
  },
  {
    file: 'reconcilers/route',
    text: 'have.type !== want.type',
    replacement: 'false',
    does: 'takes a multicast route for its own',
    red: ['unit/reconcilers/route'],
  },
  {
    file: 'reconcilers/ordered-list',
    text: 'want.includes(item) ? []',
    replacement: 'true ? []',
    does: 'does not name a rule too many',
    red: ['unit/reconcilers/masquerade'],
  },
  {
    file: 'reconcilers/ordered-list',
    text: 'want.length === have.length &&',
    replacement: '',
    does: 'leaves a doubled rule',
    red: ['unit/reconcilers/masquerade'],
  },
  {
    file: 'reconcilers/file',
    text: 'known.get(state.path)?.includes(state.content) === true',
    replacement: 'true',
    does: 'removes what somebody else wrote',
    red: ['unit/reconcilers/file', 'worlds/random-worlds'],
  },
  {
    file: 'reconcilers/carry-out',
    text: "failed && action.verb === 'delete'",
    replacement: 'false',
    does: 'deletes after a failure',
    red: ['unit/reconcilers/carry-out'],
  },
  {
    file: 'runtime/store/mirrored-entries',
    text: 'list.revision >= knownBefore',
    replacement: 'true',
    does: 'takes an old backup for the same history',
    red: ['unit/runtime/store/mirrored-entries'],
  },
  {
    file: 'runtime/rounds/control-loops',
    text: 'this.#haveLookedSince() &&',
    replacement: '',
    does: 'says that it is ready on what was seen before a device was made anew',
    red: ['unit/runtime/rounds/control-loops'],
  },
  {
    file: 'model/plan-document',
    text: 'equalJson(before, now)',
    replacement: 'before.verb === now.verb',
    does: 'takes a plan for one that was made of another world',
    red: ['unit/model/plan-document', 'unit/saved-plan'],
  },
  {
    file: 'runtime/rollback/transaction',
    text: 'if (isSeen && differences.size === 0)',
    replacement: 'if (true)',
    does: 'says that all is as it was without looking',
    red: ['worlds/transactions'],
  },
  {
    file: 'runtime/rollback/kept-states',
    text: 'ours || equalJson(state, wanted.get(key))',
    replacement: 'ours',
    does: 'leaves behind what it made and could not mark',
    red: ['worlds/transactions'],
  },
  {
    file: 'runtime/rollback/trial',
    text: 'await this.#subject.revert()',
    replacement: '[]',
    does: 'leaves in force what nobody has confirmed',
    red: ['unit/trial'],
  },
  {
    file: 'dataplane/fast-path/outbound-program',
    text: '    completeChecksum(program);',
    replacement: '',
    does: 'sends packets whose checksum nobody has completed',
    red: ['alone/fast-path-programs'],
  },
  {
    file: 'dataplane/fast-path/outbound-program',
    text: '    moveOutOfItsPlace(program);',
    replacement: '    makeRoom(program);',
    does: 'leaves the kernel to spoil a checksum that is complete',
    red: ['alone/fast-path-programs'],
  },
  {
    file: 'dataplane/fast-path/inbound-program',
    text: '-(OUTER_BYTES + BEGINNING_BYTES)',
    replacement: '-OUTER_BYTES',
    does: "leaves on the packet what was said of the datagram's checksum",
    red: ['alone/fast-path-programs'],
  },
  {
    file: 'dataplane/fast-path/inbound-program',
    text: 'verifyHeader(program, INNER);',
    replacement: '',
    does: 'delivers a packet that was damaged on its way',
    red: ['alone/fast-path-programs'],
  },
  {
    file: 'dataplane/fast-path/steps',
    text: ".jumpIf(LENGTH, '>', STREAM_BYTES, 'slow')",
    replacement: '',
    does: 'takes streams from the loop, and lets packets overtake each other',
    red: ['alone/fast-path-programs'],
  },
  {
    file: 'dataplane/fast-path/with-fast-path',
    text: 'this.#captures === 0 ? this.#allowed() : undefined',
    replacement: 'this.#allowed()',
    does: 'hides packets from a capture',
    red: ['unit/dataplane/fast-path'],
  },
  {
    file: 'dataplane/inbound',
    text: 'this.#portsAt(at) === this.#ports',
    replacement: 'true',
    does: 'puts packets of two flows together',
    red: ['unit/dataplane/coalescing'],
  },
  {
    file: 'dataplane/coalescer',
    text: 'decrementTtl(this.#memory.bytes, this.#at);',
    replacement: '',
    does: 'lets what comes in live for ever',
    red: ['unit/dataplane/coalescing'],
  },
  {
    file: 'dataplane/fast-path/with-fast-path',
    text: ' && equalJson(state, this.#unseen)',
    replacement: '',
    does: 'passes by a firewall that nobody was asked about',
    red: ['unit/dataplane/fast-path'],
  },
  {
    file: 'dataplane/fast-path/outbound-program',
    text: "program.load(4, 0, FRAME, FIB_INDEX).jumpIf(0, '!=', leavesBy, 'slow');",
    replacement: ';',
    does: 'goes out where nobody has looked at the rules',
    red: ['alone/fast-path-programs'],
  },
  {
    file: 'dataplane/verdict',
    text: '.TTL] <= 1',
    replacement: '.TTL] < 1',
    does: 'sends a packet on that is at its end',
    red: ['unit/dataplane/verdict'],
  },
];

export const MUTATIONS: readonly Mutation[] = [
  ...mutations(INTO_DIFF, WORLDS),
  ...mutations(INTO_BOTH, [...WORLDS, ...SIMULATION]),
  ...mutations(INTO_TIME, SIMULATION),
  ...OTHERS,
];

function mutations(rows: readonly Row[], red: readonly string[]): readonly Mutation[] {
  return rows.map(([file, text, replacement, does]) => ({ file, text, replacement, does, red }));
}
