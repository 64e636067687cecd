/** One card of a program that checks everything, in a shard with the software adapter and keys whose values are known. */

import { pinReferences } from '../support/card-keys.js';
import { everyRule, PAN, PVV, snapshotOf } from '../support/chip-cards.js';
import { golden } from '../vault/card/golden.js';
import { newHsm, newKeys } from '../vault/hsm/support.js';
import { Harness, type HarnessOptions, purchase } from './harness.js';

export const RIGHT_PIN = `hex:${golden.pinBlocks[0]![3]}`;
/** The PIN 1234 as block of another card: format 0 does not open under this number. */
export const OTHER_CARDS_PIN = `hex:${golden.pinBlocks[4]![3]}`;
export const WRONG_PIN = wrongPin();

interface Card {
  shard: number;
  slot: number;
  account: string;
}

export class CardBench {
  readonly h: Harness;
  readonly card: Card;
  #stan = 0;

  constructor(tables: object = { cryptography: everyRule }, options: HarnessOptions = {}) {
    this.h = new Harness({ shards: 1, hsm: newHsm(), ...options });
    this.h.command(0, { op: 'apply_program', program: 0, revision: 1, text: snapshotOf(tables) });
    this.card = this.h.open(0, 1);
    this.setPin(PVV);
  }

  setPin(reference: typeof PVV): void {
    const pinReference = pinReferences.seal({ f0: 1, f1: 2, f2: 3 }, reference);
    const made = this.h.command(0, { op: 'update_card', cardSlot: this.card.slot, pinReference });
    if (!made.ok) throw new Error(made.code);
  }

  /** Response code of a purchase with these fields. */
  code(fields: Record<number, string>): string {
    return this.reply(fields)[39]!;
  }

  reply(fields: Record<number, string>): Record<number, string> {
    return this.h.ask(this.card, purchase(++this.#stan, 100, { 2: PAN, ...fields })) as Record<number, string>;
  }

  /** Outcomes of the newest record of the card. */
  checks(): number[] {
    const shard = this.h.shard(0);
    return [...shard.history.read(shard.journal.sequence).checks];
  }

  get tries(): number {
    return this.h.shard(0).state.cards.pinTries(this.card.slot);
  }

  get counter(): number {
    return this.h.shard(0).state.cards.counter(this.card.slot);
  }
}

/** The PIN 9876 of PAN in format 0 under the zone key. */
function wrongPin(): string {
  const hsm = newKeys();
  const zpk = hsm.find('zpk', 'encipher_pin') as { encrypt(block: Uint8Array): Buffer };
  const clear = Buffer.from('049876FFFFFFFFFF', 'hex');
  const pan = Buffer.from(`0000${PAN.slice(-13, -1)}`, 'hex');
  for (let i = 0; i < 8; i++) clear[i]! ^= pan[i]!;
  return `hex:${zpk.encrypt(clear).toString('hex').toUpperCase()}`;
}
