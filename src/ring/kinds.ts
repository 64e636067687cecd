/**
 * Kinds of ring messages. The kind is the first byte of an entry's header; see `ring.ts` for the
 * layout of an entry.
 */
export const RequestKind = {
  /** An ISO 8583 message with its route: see `WireRequest` in wire-entry.ts. */
  wire: 1,
  /** A write from the control plane: msgpack of a `Command` (domain/commands.ts). */
  command: 2,
  /** A read from the control plane: msgpack of a `Read` (domain/reads.ts). */
  read: 3,
  /** A device's verdict: msgpack of an `HsmVerdict`, with the token of the question. */
  verdict: 4,
  /** The reply of a wire request could not be sent in time: roll its hold back. */
  notDelivered: 5,
  /** Leave the loop after the commit and a final checkpoint. */
  stop: 6,
  /** Profile the thread's CPU for `b` seconds; the profile goes to the supervisor by message port. */
  profile: 7,
} as const;
export type RequestKind = (typeof RequestKind)[keyof typeof RequestKind];

export const ReplyKind = {
  /** Bytes of an ISO 8583 reply; `a` is the sequence that made it durable, `flag` 1 when it may be rolled back. */
  wire: 1,
  /** msgpack of a `CommandResult` or `ReadResult`. */
  result: 2,
  /** The request was dropped without an answer (a message that is itself a reply); `b` > 0: a roll-back was given up. */
  dropped: 3,
  /** A not-delivered roll-back is durable. */
  rolledBack: 4,
  /** To the devices: msgpack of an `HsmRequest`; `b` is until when the answer is wanted, us of the monotonic clock. */
  question: 5,
} as const;
export type ReplyKind = (typeof ReplyKind)[keyof typeof ReplyKind];
