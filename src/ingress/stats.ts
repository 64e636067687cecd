/**
 * Counters of the ingress: plain numbers of its one thread, copied by `Ingress.stats()` when the control plane scrapes. The
 * histograms lie in shared memory like those of the shards (instruments.ts).
 */
import { SharedHistogram } from '../instruments.js';
import type { TlsState } from '../server-tls.js';
import type { Transport } from './links.js';

/** Why a request was answered 91 without a shard (`holdfast_shed_total{cause}`). */
export const shedCauses = [
  'signed_off',
  'in_flight',
  'rate',
  'link_rate',
  'ring_full',
  'shard_down',
  'disk',
  'stopping',
  'deadline',
] as const;
export type ShedCause = (typeof shedCauses)[number];

/** What went wrong with a peer or a reply. The first group closes the connection. */
export const errorKinds = [
  'framing',
  'not_iso8583',
  'too_long',
  'text_message',
  'slow_frame',
  'idle',
  'slow_reader',
  'socket',
  'tls',
  'not_allowed',
  'too_many_connections',
  'bad_request',
  'internal',
  'mac',
  'unmatched_request',
  'unmatched_reply',
  'undeliverable',
  'not_rolled_back',
  'reclaimed',
] as const;
export type ErrorKind = (typeof errorKinds)[number];

/** Stages measured here, in microseconds; see `Ingress.instruments`. */
export interface IngressInstruments {
  /** The three histograms, end to end in this order. */
  readonly buffer: SharedArrayBuffer;
  /** Last byte read to entry in the ring. */
  readonly route: SharedHistogram;
  /** Reply put into the ring by the shard to bytes handed to the socket. */
  readonly write: SharedHistogram;
  /** Last byte read to bytes handed to the socket: `holdfast_authorization_duration_seconds`. */
  readonly authorization: SharedHistogram;
}

export interface IngressStats {
  /** Connections now, by transport and state. */
  readonly connections: Record<Transport, { signed_on: number; signed_off: number }>;
  /** Connections ever accepted, by transport. */
  readonly accepted: Record<Transport, number>;
  /** Messages read, replies handed to sockets, network messages answered here, keep-alives answered. */
  readonly messages: number;
  readonly replies: number;
  readonly network: number;
  readonly keepAlives: number;
  /** Peers that were sent a sign-off at the stop, and how many answered it. */
  readonly signOffs: number;
  readonly signOffsAnswered: number;
  /** Requests that wait for a shard now. */
  readonly inFlight: number;
  /** Requests whose deadline passed before their shard spoke. */
  readonly timeouts: number;
  /** Approvals that came too late or for a closed connection, and how many of them are rolled back by now. */
  readonly notDelivered: number;
  readonly rolledBack: number;
  /** Business day of each link by its name, days since 1970; 0 before its first cutover. */
  readonly businessDays: Record<string, number>;
  readonly shed: Record<ShedCause, number>;
  readonly errors: Record<ErrorKind, number>;
  /** Certificates of the links that have one. */
  readonly tls: readonly TlsState[];
}

/** Zero for each name. */
export function zeros<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
}

/** The live counters behind `IngressStats`. */
export class Counters {
  messages = 0;
  replies = 0;
  network = 0;
  keepAlives = 0;
  signOffs = 0;
  signOffsAnswered = 0;
  timeouts = 0;
  notDelivered = 0;
  rolledBack = 0;
  readonly accepted: Record<Transport, number> = { tcp: 0, ws: 0 };
  readonly shed = zeros(shedCauses);
  readonly errors = zeros(errorKinds);
}

/** Three histograms in one block of shared memory. */
export function createInstruments(): IngressInstruments {
  const block = new SharedArrayBuffer(3 * SharedHistogram.bytes);
  return {
    buffer: block,
    route: new SharedHistogram(block, 0),
    write: new SharedHistogram(block, SharedHistogram.bytes),
    authorization: new SharedHistogram(block, 2 * SharedHistogram.bytes),
  };
}
