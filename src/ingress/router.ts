/**
 * The route of a message: find the PAN, compute its fingerprint, look the card up, choose the shard, write the ring entry.
 * It runs for every message and allocates nothing.
 *
 * The PAN is in DE2, else in DE35 up to the separator. Known cards go to the shard of their account; unknown cards to the
 * shard of their fingerprint, so that all messages of one number meet in one place; messages without a number by a hash
 * of what repeats of a message share (DE7, 11, 32, 37, 41), so that a repeat finds its first transmission.
 */

import { copyBytes } from '../bytes.js';
import type { Decoder } from '../iso8583/decoder.js';
import { ADMISSION_KEPT } from '../limits.js';
import type { RingClient } from '../ring/client.js';
import { type CardDirectory, UNKNOWN_CARD } from '../ring/directory.js';
import { RequestKind } from '../ring/kinds.js';
import { WIRE_HEADER_BYTES, WIRE_NO_CARD } from '../ring/wire-entry.js';
import { PAN_DIGITS_MAX, type PanFingerprinter } from '../vault/fingerprint.js';

const PAN = 2;
const TRACK2 = 35;
const EQUALS = 0x3d;
const ZERO = 0x30;
/** DE35 has at most 37 characters. */
const TRACK_MAX = 37;
const WITHOUT_PAN = [7, 11, 32, 37, 41] as const;

/** Shard of an unknown card by the first word of its fingerprint; must be the journal's placement rule. */
export type ShardOfFingerprint = (f0: number, shards: number) => number;

export class Router {
  /** Route of the message that `route` looked at last. */
  shard = 0;
  #card = WIRE_NO_CARD;
  #hasPan = false;
  readonly #rings: RingClient;
  readonly #directory: CardDirectory;
  #print: PanFingerprinter;
  /** While the fingerprint key is rotated: of the former key, by which a number is looked up that is not found by the other. */
  #former: PanFingerprinter | undefined;
  readonly #shardOfFingerprint: ShardOfFingerprint;
  readonly #shards: number;
  readonly #digits = new Uint8Array(TRACK_MAX);

  constructor(
    rings: RingClient,
    directory: CardDirectory,
    print: PanFingerprinter,
    shardOfFingerprint: ShardOfFingerprint,
  ) {
    this.#rings = rings;
    this.#directory = directory;
    this.#print = print;
    this.#shardOfFingerprint = shardOfFingerprint;
    this.#shards = rings.shards;
  }

  /** From here on numbers have these fingerprints; `former`: cards are found by it as well. */
  use(print: PanFingerprinter, former: PanFingerprinter | undefined): void {
    this.#print = print;
    this.#former = former;
  }

  /** Finds card and shard of a decoded message (well-formed or not: an unreadable field counts as absent). */
  route(decoder: Decoder): void {
    const length = this.#findPan(decoder);
    this.#card = WIRE_NO_CARD;
    this.#hasPan = length > 0;
    if (length === 0) {
      this.#digits.fill(0);
      this.shard = hashOf(decoder) & (this.#shards - 1);
      return;
    }
    const print = this.#print;
    print.compute(this.#digits, 0, length);
    let value = this.#directory.find(print.f0, print.f1, print.f2);
    const former = this.#former;
    if (value === UNKNOWN_CARD && former !== undefined) {
      former.compute(this.#digits, 0, length);
      value = this.#directory.find(former.f0, former.f1, former.f2);
    }
    this.#digits.fill(0);
    if (value === UNKNOWN_CARD) {
      this.shard = this.#shardOfFingerprint(print.f0, this.#shards);
    } else {
      this.#card = value;
      this.shard = value >>> 24;
    }
  }

  /**
   * Writes the message with the route found last. `businessDay`: of the link, 0 without one (wire-entry.ts). False when the
   * ring is full, for what is not urgent already when an eighth of it is left. The caller signals once per read.
   */
  send(
    bytes: Uint8Array,
    start: number,
    end: number,
    dialectIndex: number,
    link: number,
    businessDay: number,
    token: number,
    receivedUs: number,
    deadlineUs: number,
    urgent: boolean,
  ): boolean {
    const length = end - start;
    const producer = this.#rings.producer(this.shard);
    const keepFree = urgent ? 0 : producer.capacity * ADMISSION_KEPT;
    const at = producer.reserve(WIRE_HEADER_BYTES + length, keepFree);
    if (at < 0) return false;
    const target = producer.bytes;
    const print = this.#print;
    const hasPan = this.#hasPan;
    putWord(target, at, this.#card);
    putWord(target, at + 4, hasPan ? print.f0 : 0);
    putWord(target, at + 8, hasPan ? print.f1 : 0);
    putWord(target, at + 12, hasPan ? print.f2 : 0);
    target[at + 16] = dialectIndex;
    target[at + 17] = hasPan ? 1 : 0;
    target[at + 18] = link;
    target[at + 19] = link >>> 8;
    putWord(target, at + 20, businessDay);
    copyBytes(bytes, start, target, at + WIRE_HEADER_BYTES, length);
    producer.commit(RequestKind.wire, 0, this.shard, token, 0, receivedUs, deadlineUs, WIRE_HEADER_BYTES + length);
    return true;
  }

  /** ASCII digits of the PAN into the scratch buffer; returns how many, 0 without a PAN. */
  #findPan(decoder: Decoder): number {
    const digits = this.#digits;
    let length = decoder.size(PAN);
    if (length > 0) decoder.copyText(PAN, digits, 0);
    else {
      const size = decoder.copyText(TRACK2, digits, 0);
      while (length < size && digits[length] !== EQUALS) length++;
    }
    if (length > PAN_DIGITS_MAX) length = 0;
    for (let i = 0; i < length; i++) if (((digits[i]! - ZERO) & 0xff) > 9) length = 0;
    return length;
  }
}

/** Little-endian word. */
function putWord(target: Uint8Array, at: number, value: number): void {
  target[at] = value;
  target[at + 1] = value >>> 8;
  target[at + 2] = value >>> 16;
  target[at + 3] = value >>> 24;
}

/** FNV-1a over the fields that a message and its repeats have in common. */
function hashOf(decoder: Decoder): number {
  let hash = 0x811c9dc5;
  for (const field of WITHOUT_PAN) {
    const start = decoder.start(field);
    const end = start + decoder.length(field);
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ decoder.bytes[i]!, 0x01000193);
  }
  return (hash ^ (hash >>> 15)) >>> 0;
}
