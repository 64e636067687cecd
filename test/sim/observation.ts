/**
 * What the simulated world tells whoever audits it, in the order in which it happened. The observer sees what an outsider could:
 * bytes of the wire, bytes of the journal once they are safe, and answers of the engine's own read commands. It sees no object of
 * the engine, so that it cannot believe what the engine believes.
 *
 *   sent ... durable ... answered ... crashed ... restarted ... sent ... state ... ended
 */
import type { DialectName } from '#src/iso8583/dialects.js';
import type { Fields } from '#src/iso8583/message.js';

/** One end-to-end connection of a peer with the engine; a reconnect is another number. */
export interface SimConnection {
  /** Unique within a run, from 1. */
  readonly id: number;
  /** Number of the link profile, as the journal's records name it. */
  readonly link: number;
  readonly dialect: DialectName;
}

/** Simulated time of an observation. The world's true clock: faults of the engine's clocks do not touch it. */
export interface SimTime {
  /** Microseconds since the run began. */
  readonly us: number;
  /** Milliseconds since 1970 UTC, whole. */
  readonly wallMs: number;
}

/** One message on the wire, without its framing. */
export interface WireObservation {
  readonly connection: SimConnection;
  readonly bytes: Uint8Array;
  /** Undefined when the bytes are no message of the dialect: a malformed one was sent on purpose. */
  readonly fields: Fields | undefined;
  readonly at: SimTime;
}

/** One command the world gave through the control surface: accounts, cards, programs, entries, clearing records. */
export interface CommandObservation {
  readonly shard: number;
  /** Unique within a run; a command that is sent again after a crash keeps its number. */
  readonly id: number;
  /** The command as the shard is given it (src/domain/commands.ts), unpacked from the very bytes. */
  readonly command: { readonly op: string };
  readonly at: SimTime;
}

/** The answer to a command, once the engine let it out. */
export interface ResultObservation {
  readonly shard: number;
  readonly id: number;
  readonly result: { readonly ok: boolean };
  readonly at: SimTime;
}

/** Balances of one account as the engine's read commands tell them, minor units of the account's currency. */
export interface AccountObservation {
  readonly shard: number;
  readonly account: string;
  readonly currency: number;
  readonly creditLimit: number;
  readonly posted: number;
  readonly held: number;
  readonly available: number;
  /** Open holds: authorization id and what remains on it, minor units. */
  readonly holds: readonly { readonly id: string; readonly remaining: number }[];
}

export interface Observer {
  /** The whole message reached the engine's socket. A message that was lost on its way is not told. */
  sent(message: WireObservation): void;
  /**
   * The engine handed these bytes to its socket. It is told even when the network loses them afterwards. Its own requests, the
   * sign-offs of a stop, are not told.
   */
  answered(message: WireObservation): void;
  commanded(command: CommandObservation): void;
  resulted(result: ResultObservation): void;
  /**
   * A frame of the journal, or of the system journal (shard 0xffff), became durable: the bytes as they are on the disk (docs/internals/journal-format.md). Told in the order
   * of commits, frames of one commit in the order of their keys, and always before anything is answered that rests on it.
   * A flush that failed although its bytes reached the disk is told too, after `crashed`, once a restart found the frame.
   */
  durable(shard: number, frame: Uint8Array): void;
  /** The engine is gone; nothing is answered until `restarted`. Only what was told by `durable` must be there again. */
  crashed(): void;
  /** A line of the engine's log, whole. */
  logged(line: string): void;
  /** The engine has recovered and is about to take messages. */
  restarted(): void;
  /** Balances read while nothing is in flight: every request is answered, refused or dropped, every record durable. */
  state(accounts: readonly AccountObservation[], at: SimTime): void;
  /** The run is over: faults have stopped, everything has settled, `state` was told for the last time. */
  ended(): void;
}

/** A promise of the engine was broken. `evidence` is data that shows it, small enough to print. */
export class AuditFailure extends Error {
  override readonly name = 'AuditFailure';
  readonly evidence: Readonly<Record<string, unknown>>;

  constructor(message: string, evidence: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.evidence = evidence;
  }
}
