/** One of the slowest requests, as the listeners tell it to the HTTP API. */

/**
 * Stages of a request, one after the other: `ingress` reading what came with it, decoding, finding the card · `wait` in the ring, until
 * the turn that answers it begins (devices included) · `decide` that turn, for it and what came with it · `journal` the commits of
 * that turn · `reply` from the release to the socket.
 */
export const REQUEST_STAGES = ['ingress', 'wait', 'decide', 'journal', 'reply'] as const;
export type RequestStage = (typeof REQUEST_STAGES)[number];

export interface SlowRequest {
  /** When its last byte was read: wall clock, ms since 1970 UTC, with fraction. */
  readonly receivedMs: number;
  /** Last byte read to reply handed to the socket, microseconds. */
  readonly totalUs: number;
  /** Microseconds; they add up to `totalUs`. */
  readonly stages: Readonly<Record<RequestStage, number>>;
  readonly shard: number;
  /** Of the record that answers it; 0 without one (refused, or shed). */
  readonly sequence: number;
}
