/**
 * What the control plane needs from the rest of the engine, as narrow ports. The composition in control-thread.ts gives
 * the real ones; tests give fakes. Every port is used from the control thread only.
 */
import type { Command, CommandResult } from '../domain/commands.js';
import type { MessageEvent, PlainEvent } from '../domain/events.js';
import type { DayList } from '../domain/index-keys.js';
import type { Read, ReadResult } from '../domain/reads.js';
import type { DialectName } from '../iso8583/dialects.js';
import type { RecordVisitor } from '../journal/reader.js';
import type { Fingerprint } from '../vault/fingerprint.js';
import type { KeyRole } from '../vault/hsm/key-policy.js';
import type { PanRow } from '../vault/pan-vault.js';

/** Answer of a shard to an ISO message that the simulator sent. */
export interface WireReply {
  /** The reply message, without framing. */
  message: Uint8Array;
  /** Journal sequence of the decision within the shard; 0 when nothing was journaled. */
  sequence: number;
}

/** The shards, reached by rings in production. A shard answers a command or a read when what it saw is durable. */
export interface ShardPort {
  readonly shards: number;
  /** @throws ShardError when the shard cannot be reached or did not answer in time. */
  command(shard: number, command: Command): Promise<CommandResult>;
  read(shard: number, read: Read): Promise<ReadResult>;
  /** Sends an ISO 8583 message along the path of the ingress. `header` is the wire header of ring/wire-entry.ts. */
  wire(shard: number, header: Uint8Array, message: Uint8Array): Promise<WireReply>;
}

/** The listeners, reached through the main thread in production. */
export interface ListenerPort {
  /**
   * Sends a message that a listener answers itself (`isForListener` of iso8583/mti.ts) the way of its peers, and gives the reply.
   * @throws Error when there is none in time
   */
  exchange(dialect: DialectName, message: Uint8Array): Promise<Uint8Array>;
}

export type ShardErrorKind =
  /** Nothing was handed over: safe to try again. */
  | 'busy'
  /** No new work at the moment: the disk is nearly full. Nothing was handed over. */
  | 'refused'
  /** Handed over, no answer in time: the effect may or may not have happened. */
  | 'timeout'
  /** The engine drops this message without an answer. */
  | 'dropped'
  /** The engine is stopping. */
  | 'stopped';

export class ShardError extends Error {
  readonly kind: ShardErrorKind;
  readonly shard: number;

  constructor(kind: ShardErrorKind, shard: number) {
    super(`shard ${shard}: ${kind}`);
    this.name = 'ShardError';
    this.kind = kind;
    this.shard = shard;
  }
}

/** Read side of the shards' journals. Everything it shows is durable. */
export interface JournalPort {
  /** Newest durable record of the shard; sequence 0 for an empty shard. Looks at the disk: ask only when it matters. */
  head(shard: number): { sequence: number };
  /** Epoch in which the record was written. @throws HoldfastError `record_unreadable` when it is not there */
  epochOf(shard: number, sequence: number): number;
  /** Decodes the message event at the sequence; false when the record is of another kind or not there. */
  readMessage(shard: number, sequence: number, into: MessageEvent): boolean;
  /** Any other event, undefined when the record is a message event or not there. */
  readEvent(shard: number, sequence: number): PlainEvent | undefined;
  /** Last sequence of the shard that was dropped; 0 when its first record is there. */
  floor(shard: number): number;
  /** Time of that record, ms since 1970 UTC; 0 when nothing was dropped. */
  floorMs(shard: number): number;
  /** Newest sequence that is durable, 0 for an empty shard. Looks at a word of memory: may be asked at any time. */
  durable(shard: number): number;
  /** Visits records in order, to the end of a frame at most (journal/reader.ts). May pass what is durable. */
  run(shard: number, sequence: number, visit: RecordVisitor): void;
}

/** Clear PANs by fingerprint (vault/pan-vault.ts). The control thread is the vault's only writer. */
export interface VaultPort {
  has(fingerprint: Fingerprint): boolean;
  /** Durable when it returns. */
  put(batch: readonly PanRow[]): void;
  reveal(fingerprint: Fingerprint): string | undefined;
}

/** Cards of all shards by fingerprint: shard << 24 | slot, or -1 (ring/directory.ts). */
export interface DirectoryPort {
  /** True when no more cards may be created (--cards-max). */
  readonly full: boolean;
  find(f0: number, f1: number, f2: number): number;
  /** False when there is no room for a second entry of every card, which a rotation of the fingerprint key makes. */
  readonly hasSecondRoom: boolean;
}

/** Keys of card cryptography by their names (control/card-keys.ts). */
export interface CardKeysPort {
  /** Why the key cannot be used for that; undefined when it can. */
  fault(id: string, role: KeyRole): string | undefined;
}

/** Search keys of the shards' indexes (domain/index-keys.ts). */
export interface SearchKeysPort {
  /** `high` words under which messages with this RRN or STAN stand. */
  rrnHigh(rrn: string): number;
  stanHigh(stan: number): number;
  elements(sequence: number): { high: number; low: number };
  /** What stands in a list under a day (days since 1970-01-01). */
  day(list: DayList, day: number): { high: number; low: number };
}

/** Secrets of the API: all are HMAC-SHA-256 keys of the key file. */
export interface ControlKeys {
  /** Stored form of API tokens and idempotency keys. */
  readonly token: Uint8Array;
  /** Generated identifiers and card numbers. */
  readonly id: Uint8Array;
}

/** Health of the engine's threads, from the control block. */
export interface HealthPort {
  /** Reasons why no traffic should be sent here; empty when ready. */
  notReady(): readonly { check: string; detail: string }[];
  /** What does not keep traffic away, but wants an operator. */
  warnings(): readonly { check: string; detail: string }[];
}

/** The clocks of the shard threads, from the control block. */
export interface ClockPort {
  /** Whole seconds by which the wall clock is ahead of the monotonic clock, worst shard; 0 while they agree. */
  difference(): number;
  /** Tells every shard thread that the wall clock is right. */
  accept(): void;
}

/** CPU profiles by thread name ('main', 'control', 'shard-0' ...). */
export interface ProfilePort {
  readonly threads: readonly string[];
  /** JSON text of a .cpuprofile; undefined when this thread cannot be profiled while it runs, with the reason. */
  profile(thread: string, seconds: number): Promise<{ profile: string } | { unsupported: string }>;
}
