/**
 * The job that every peer of the engine is measured at: what an authorization must do and no more. One account row, one row per
 * message, which is duplicate entry, stored answer and hold in one:
 *
 *   1. a message of the same key within the duplicate window gets the stored answer, and changes nothing
 *   2. a card that is not known: 14
 *   3. more than what is available (limit - posted - held): 51
 *   4. else the hold is placed and the answer is 00 with an approval code
 *   5. the answer, also a decline, is stored under the key, and is durable before it leaves
 *
 * That is less than an authorization of ours: no ISO 8583, no PAN fingerprint, no card status, controls, hash chain or index. Cards,
 * amounts and their distribution are the load test's (loadtest/workload.ts), the credit limit as well.
 */
import { ownCards } from '../../loadtest/cards.js';
import { Workload } from '../../loadtest/workload.js';

/** How long a key is a duplicate: DOMAIN's least window of 24 hours. */
export const WINDOW_MS = 86_400_000;

/** Answers of the job: DE39 as a number. */
export const PeerResponse = { approved: 0, unknownCard: 14, shortOfFunds: 51 } as const;

/** Bytes of a duplicate key: a digest of card, STAN, DE7, DE32, DE37 and DE41, as a peer would store it. */
export const KEY_BYTES = 16;

export interface PeerRequest {
  /** KEY_BYTES bytes. */
  readonly key: Buffer;
  /** 16 digits: more than a double holds exactly. */
  readonly pan: string;
  /** Minor units. */
  readonly amount: number;
  /** Wall clock of the client, ms. */
  readonly timeMs: number;
}

export interface PeerAnswer {
  /** One of PeerResponse. */
  readonly response: number;
  /** 0 to 999 999; 0 for a decline. */
  readonly approval: number;
}

/** A connection to a peer. Answers come in the order of the requests, each when it is durable. */
export interface PeerLink {
  /** Answers to requests, one call for all that came at once. Set before the first `submit`. */
  onAnswers: (answers: readonly PeerAnswer[]) => void;
  /** The connection failed, or the peer answered with an error: nothing more is answered. */
  onFailure: (error: Error) => void;
  /** Sends requests. Where the peer works in batches, each call is one. */
  submit(requests: readonly PeerRequest[]): void;
  close(): void;
}

/** A peer that runs: its own server, or its library in this process. */
export interface Peer {
  connect(): Promise<PeerLink>;
  /** Creates the accounts of the cards 0 to `pans.length` - 1, one each, with this credit limit in minor units. */
  createCards(pans: readonly string[], creditLimit: number): Promise<void>;
  /** What the account of each card holds, by card, minor units. */
  held(): Promise<Float64Array>;
  /** User and system CPU of the server's processes so far, seconds; undefined where it is this process, or without /proc. */
  cpuSeconds(): number | undefined;
  /** Ends what was started. */
  stop(): Promise<void>;
}

/** How a peer is used in one measured run. */
export interface PeerCase {
  /** Of the command line. */
  readonly name: string;
  /** Of the table. */
  readonly title: string;
  readonly connections: number;
  /** Requests that each connection keeps in flight. */
  readonly inFlight: number;
  /** Requests per transaction; 1: each is one of its own. */
  readonly batch: number;
  /** Each connection has cards of its own, as our shards have: else transactions of many cards wait for each other. */
  readonly ownCards?: boolean;
  /** Settings that a reader asks for. */
  readonly note: string;
  /** Ours should do at least so many times its authorizations per second. A report says whether; it never fails by it. */
  readonly target?: number;
  /** Why the peer cannot run here, with what to install; undefined when it can. */
  missing(): string | undefined;
  /** Starts it with files in `folder`, which exists and is empty. @throws Error with the peer's own words when it does not start */
  start(folder: string): Promise<Peer>;
}

/** PANs of the load test's cards of seed 1. */
export function pansOf(count: number): string[] {
  const cards = ownCards(1, count);
  return Array.from({ length: count }, (_, card) => cards.pan(card));
}

/** Requests as the load test's authorizations would be, each with a key of its own. */
export class RequestSource {
  readonly #pans: readonly string[];
  readonly #workload: Workload;
  readonly #stream: number;
  readonly #ownOf: number;
  #number = 0;
  /** Card of the request that was drawn last. */
  card = 0;

  /**
   * @param stream number of the connection: two streams of a run share no key
   * @param ownOf number of streams that have cards of their own, at most one per card; 1: all cards are everybody's
   */
  constructor(pans: readonly string[], stream: number, ownOf = 1) {
    this.#pans = pans;
    this.#stream = stream;
    this.#ownOf = ownOf;
    this.#workload = new Workload({
      ...{ mix: [1, 0, 0, 0, 0, 0], accounts: pans.length, distribution: 'uniform' },
      ...{ amount: { low: 100, high: 10_000 }, seed: 1, worker: stream, chipPercent: 0 },
    });
  }

  next(): PeerRequest {
    do this.#workload.draw();
    while ((this.#workload.card - this.#stream) % this.#ownOf !== 0);
    this.card = this.#workload.card;
    const key = keyOf(this.#stream, this.#number++);
    return { key, pan: this.#pans[this.card]!, amount: this.#workload.amount, timeMs: Date.now() };
  }
}

/** A key that lies anywhere among the others, as a digest does: the first word is a permutation of `number`, so none comes twice. */
export function keyOf(stream: number, number: number): Buffer {
  const key = Buffer.allocUnsafe(KEY_BYTES);
  key.writeUInt32LE(mixed(number), 0);
  key.writeUInt32LE(mixed(stream ^ 0x9e3779b9), 4);
  key.writeUInt32LE(mixed(number ^ 0x85ebca6b), 8);
  key.writeUInt32LE(mixed((number + Math.imul(stream, 0x27d4eb2f)) | 0), 12);
  return key;
}

/** Final mix of MurmurHash3: a permutation of the numbers of 32 bits. */
function mixed(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
