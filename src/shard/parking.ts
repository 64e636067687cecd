/**
 * Messages of one shard that wait for a device. One message of a card asks at a time; the others of the card that would ask stand
 * behind it, so that nobody tries two PINs or one chip counter at once, and so that a repeat finds the record of its first.
 *
 *   arrival -- asks --> first of its card: questions go out --> all answered --> ready --> decided again
 *                |                                                                 ^            | asks something new: out again
 *                +----> behind the first ---- first is gone -----------------------+            | decided: gone
 *                            +-------------- its time is over: no answer is waited for ---------+
 *
 * What waits is in memory alone: after a crash nothing of it has happened, and the network says it again.
 */
import { DeviceFailure } from '../domain/codes.js';
import type { MessageEvent } from '../domain/events.js';
import { PARK_ANSWER_MS, PARK_MS, PARKED_PER_CARD_MAX, PARKED_PER_SHARD_MAX } from '../limits.js';
import { RequestKind } from '../ring/kinds.js';
import { ShardCounter, type ShardInstruments } from '../shard-instruments.js';
import { failed, type HsmFailure, type HsmVerdict } from '../vault/hsm/port.js';
import type { DeviceLink } from './device-link.js';
import type { Questions } from './questions.js';

/** A request as the shard takes it: an entry of a ring, or a copy of one. */
export interface WireEntry {
  readonly kind: number;
  readonly shard: number;
  readonly token: number;
  readonly bytes: Uint8Array;
  readonly payloadAt: number;
  readonly payloadLength: number;
  /** When it was sent, us of the monotonic clock. */
  readonly timeUs: number;
  /** Its deadline, us of the monotonic clock. */
  readonly b: number;
}

/** A message that waits, with a copy of its bytes. */
export interface Parked extends WireEntry {
  readonly client: number;
  /** Slot of the card, not of a token of it. */
  readonly card: number;
  readonly questions: Questions;
  /** Until when answers are waited for, us of the monotonic clock. */
  readonly untilUs: number;
  /** When it asked first, us of the monotonic clock; -1 while it stands behind another one. */
  askedUs: number;
  /** Questions under way. */
  waitsFor: number;
  isReady: boolean;
}

interface UnderWay {
  readonly parked: Parked;
  /** Place in its questions. */
  readonly index: number;
}

const failures: Readonly<Record<HsmFailure, DeviceFailure>> = {
  pin_unreadable: DeviceFailure.pinUnreadable,
  key_not_usable: DeviceFailure.keyNotUsable,
  bad_request: DeviceFailure.badRequest,
  not_allowed: DeviceFailure.notAllowed,
  unsupported: DeviceFailure.unsupported,
  device_down: DeviceFailure.deviceDown,
  device_busy: DeviceFailure.deviceBusy,
  timeout: DeviceFailure.timeout,
  device_error: DeviceFailure.deviceError,
};

/** What the record of a message that was parked says of the devices: nothing when it never asked. */
export function noteDevices(event: MessageEvent, { askedUs, questions }: Parked, nowUs: number): void {
  if (askedUs < 0) return;
  event.deviceWaitUs = Math.max(0, Math.round(nowUs - askedUs));
  event.deviceFailure = questions.failure === undefined ? DeviceFailure.none : failures[questions.failure];
}

const noRoom = failed('device_busy', 'the ring towards the devices is full');

export class Parking {
  readonly #shard: number;
  readonly #link: DeviceLink;
  readonly #instruments: ShardInstruments;
  readonly #byCard = new Map<number, Parked[]>();
  readonly #underWay = new Map<number, UnderWay>();
  readonly #ready: Parked[] = [];
  #count = 0;

  constructor(shard: number, link: DeviceLink, instruments: ShardInstruments) {
    this.#shard = shard;
    this.#link = link;
    this.#instruments = instruments;
  }

  /** Messages that wait. */
  get size(): number {
    return this.#count;
  }

  /** Parks a message that asks for the first time, or behind another one of its card; false when there is no room. */
  park(client: number, entry: WireEntry, card: number, questions: Questions, nowUs: number): boolean {
    const queue = this.#byCard.get(card) ?? [];
    if (this.#count >= PARKED_PER_SHARD_MAX || queue.length >= PARKED_PER_CARD_MAX) {
      questions.wipe();
      return false;
    }
    // What it asks is known anew when it is its turn.
    if (queue.length > 0) questions.wipe();
    const { shard, token, timeUs, payloadAt, payloadLength } = entry;
    const parked: Parked = {
      kind: RequestKind.wire,
      shard,
      token,
      timeUs,
      b: Number.POSITIVE_INFINITY,
      bytes: entry.bytes.slice(payloadAt, payloadAt + payloadLength),
      payloadAt: 0,
      payloadLength,
      client,
      card,
      questions,
      untilUs: Math.min(nowUs + PARK_MS * 1000, entry.b - PARK_ANSWER_MS * 1000),
      askedUs: -1,
      waitsFor: 0,
      isReady: false,
    };
    queue.push(parked);
    this.#byCard.set(card, queue);
    this.#changeCount(1);
    this.#instruments.count(ShardCounter.parked);
    if (queue.length === 1) this.send(parked, nowUs);
    return true;
  }

  /** Sends the questions that are not under way yet. */
  send(parked: Parked, nowUs: number): void {
    if (parked.askedUs < 0) parked.askedUs = nowUs;
    parked.questions.all.forEach((question, index) => {
      if (question.isSent) return;
      question.isSent = true;
      const token = this.#link.post(this.#shard, parked.untilUs, question.bytes);
      if (token === 0) question.verdict = noRoom;
      else {
        this.#underWay.set(token, { parked, index });
        parked.waitsFor++;
      }
    });
    if (parked.waitsFor === 0) this.#makeReady(parked);
  }

  /** A verdict came. One that is late is dropped: nobody is told it, so nothing was guessed. */
  answer(token: number, verdict: HsmVerdict): void {
    const found = this.#underWay.get(token);
    if (found === undefined) return;
    this.#underWay.delete(token);
    const { parked, index } = found;
    parked.questions.all[index]!.verdict = verdict;
    parked.waitsFor--;
    if (parked.waitsFor === 0) this.#makeReady(parked);
  }

  /** The next message to decide; its questions are closed when its time is over. */
  takeReady(nowUs: number): Parked | undefined {
    const parked = this.#ready.shift();
    if (parked === undefined) return undefined;
    parked.isReady = false;
    parked.questions.begin();
    if (nowUs >= parked.untilUs) parked.questions.close();
    return parked;
  }

  /** Makes ready whatever has waited long enough. Returns how long until the next one has, ms; infinity when none waits. */
  expire(nowUs: number): number {
    let nextUs = Number.POSITIVE_INFINITY;
    if (this.#count === 0) return nextUs;
    for (const queue of this.#byCard.values()) {
      for (const parked of queue) {
        if (nowUs < parked.untilUs) nextUs = Math.min(nextUs, parked.untilUs);
        else if (!parked.isReady) {
          this.#instruments.count(ShardCounter.parkTimeouts);
          this.#makeReady(parked);
        }
      }
    }
    return (nextUs - nowUs) / 1000;
  }

  /** After a decision: forgets the message, unless it asked something more and waits again. */
  settle(parked: Parked): void {
    if (parked.waitsFor > 0 && parked.questions.isOpen) return;
    // Room was lacking for what it asked: it is ready again.
    if (parked.isReady) return;
    const queue = this.#byCard.get(parked.card) ?? [];
    const place = queue.indexOf(parked);
    // The shard went down with it.
    if (place < 0) {
      wipeParked(parked);
      return;
    }
    queue.splice(place, 1);
    if (queue.length === 0) this.#byCard.delete(parked.card);
    else if (place === 0 && !queue[0]!.isReady) this.#makeReady(queue[0]!);
    this.#forget(parked);
  }

  /** All messages that wait; they are the caller's, who wipes them (`wipeParked`). */
  takeAll(): Parked[] {
    const all = [...this.#byCard.values()].flat();
    this.#byCard.clear();
    this.#underWay.clear();
    this.#ready.length = 0;
    this.#changeCount(-this.#count);
    return all;
  }

  #makeReady(parked: Parked): void {
    parked.isReady = true;
    this.#ready.push(parked);
  }

  #forget(parked: Parked): void {
    if (parked.waitsFor > 0) {
      for (const [token, found] of this.#underWay) if (found.parked === parked) this.#underWay.delete(token);
    }
    wipeParked(parked);
    this.#changeCount(-1);
  }

  #changeCount(by: number): void {
    this.#count += by;
    this.#instruments.count(ShardCounter.parkedNow, by);
  }
}

/** Overwrites a message that has been answered. */
export function wipeParked({ bytes, questions }: Parked): void {
  bytes.fill(0);
  questions.wipe();
}
