/**
 * What the logical shards of one thread share: codecs, the scratch event, the journal's reader, clocks. One instance per
 * thread; shards of a thread run one after the other, so a single scratch event serves them all.
 */
import type { ApprovalKey } from '../domain/approval-code.js';
import { ControlBook } from '../domain/controls/control-book.js';
import { MessageEvent } from '../domain/events.js';
import type { IndexKeys } from '../domain/index-keys.js';
import { PolicyBook } from '../domain/program/policy.js';
import { WindowClock } from '../domain/velocity/window-clock.js';
import type { Faults } from '../faults.js';
import { IntlZoneCalendar } from '../intl-zone-calendar.js';
import { Decoder } from '../iso8583/decoder.js';
import { dialect, dialectNames } from '../iso8583/dialects.js';
import { Encoder } from '../iso8583/encoder.js';
import type { JournalReader } from '../journal/reader.js';
import type { SegmentBoard } from '../journal/segment-board.js';
import type { SegmentStore } from '../journal/segment-store.js';
import type { CardDirectory } from '../ring/directory.js';
import type { ShardInstruments } from '../shard-instruments.js';
import type { CardKeys } from './card-checks.js';

export type ShardLog = (
  level: 'info' | 'warn' | 'error',
  message: string,
  data?: Record<string, string | number>,
) => void;

export interface ThreadPorts {
  readonly reader: JournalReader;
  /** Store of the fingerprint segments. */
  readonly segments: SegmentStore;
  readonly board: SegmentBoard;
  readonly keys: IndexKeys;
  /** Mark of the index keys' seeds. */
  readonly keyCheck: number;
  /** Duplicate window, ms. */
  readonly duplicateWindowMs: number;
  readonly approvalKey: ApprovalKey;
  readonly cardKeys: CardKeys;
  readonly directory: CardDirectory;
  readonly faults: Faults;
  readonly instruments: ShardInstruments;
  /** Microseconds of the monotonic clock. */
  readonly monotonicUs: () => number;
  readonly log: ShardLog;
}

export class ThreadContext {
  readonly ports: ThreadPorts;
  /** By dialect index. */
  readonly decoders: readonly Decoder[] = dialectNames.map((name) => new Decoder(dialect(name)));
  readonly encoders: readonly Encoder[] = dialectNames.map((name) => new Encoder(dialect(name)));
  /** Compiled controls, shared by the shards of the thread. */
  readonly controlBook: ControlBook;
  /** Compiled policies of programs, shared by the shards of the thread. */
  readonly policyBook = new PolicyBook(dialectNames);
  /** The event that is being decided. */
  readonly event = new MessageEvent();
  /** Shard time of this turn, ms since 1970 UTC. */
  nowMs = 0;
  /** How far behind it velocity windows count, ms: 0 unless the clocks differ (shard-clock.ts). */
  windowLagMs = 0;
  /** Monotonic time of this turn's begin, us. */
  nowUs = 0;
  /** True while wall and monotonic clock differ: what only time decides must wait (shard-clock.ts). */
  clockPaused = false;
  /** Counts messages so that stage times are taken of one in `SAMPLE`. */
  messages = 0;
  /** Messages of this turn so far. */
  inTurn = 0;
  /** Time that clearing commands have taken of this turn, us. */
  clearingUs = 0;

  constructor(ports: ThreadPorts) {
    this.ports = ports;
    const clock = new WindowClock(new IntlZoneCalendar(), (zone) =>
      ports.log('error', "the time zone of a window is not in this Node's database: the window follows UTC", { zone }),
    );
    this.controlBook = new ControlBook(clock);
  }
}

/** One message in this many is timed stage by stage: a clock reading costs 40 ns, a message about 5 us. */
export const STAGE_SAMPLE = 16;
/** And the first of each turn, so that a quiet engine times every message and a busy one hardly more. */
export const STAGE_FIRST = 4;
