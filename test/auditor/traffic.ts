/** Random traffic for the auditor's own tests: everything that a peer and an operator may do, drawn from a seed. */

import type { Fields } from '#src/iso8583/message.js';
import { purchase } from '../shard/harness.js';
import { clearingInput } from '../table/clearing-lines.js';
import { World, type WorldCard } from './world.js';

const FIVE_DAYS_MS = 5 * 86_400_000;

/** Mulberry32. */
export function random(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

interface Said {
  card: WorldCard | undefined;
  fields: Fields;
  answer: Fields;
}

export class Traffic {
  readonly world = new World();
  readonly #draw: (below: number) => number;
  readonly #cards: WorldCard[] = [];
  readonly #said: Said[] = [];
  #stan = 0;
  #reference = 0;

  constructor(seed: number) {
    this.#draw = random(seed);
    const { world } = this;
    world.program(1, 1, { fees: { cash: { flat: 100, basis_points: 250 } } });
    for (let i = 0; i < 4; i++) {
      const account = world.account(i % 2, 20_000 + this.#draw(80_000));
      const card = world.card(i % 2, account);
      this.#cards.push(card, world.token(card), world.card(i % 2, account, card));
    }
  }

  run(steps: number): World {
    for (let i = 0; i < steps; i++) {
      this.world.harness.advance(200 + this.#draw(3000));
      this.#step(this.#draw(100));
      if (i % 20 === 19) this.world.state();
    }
    this.world.state();
    this.world.tell('ended');
    return this.world;
  }

  #step(kind: number): void {
    const { world } = this;
    if (kind < 40) this.#purchase();
    else if (kind < 47) this.#about('0100', { 48: '2001I' });
    else if (kind < 52) this.#about('0100', { 48: '2001R' });
    else if (kind < 58) this.#about('0120', { 48: '8401C' });
    else if (kind < 63) this.#about('0220', { 48: '8401C' });
    else if (kind < 73) this.#reverse();
    else if (kind < 80) this.#again();
    else if (kind < 83) this.#inquire();
    else if (kind < 86) this.#pay();
    else if (kind < 89) this.#unsaid();
    else if (kind < 91) world.harness.advance(FIVE_DAYS_MS);
    else if (kind < 92) world.restart();
    else if (kind < 94) this.#clear();
    else if (kind < 96) this.#update();
    else this.#several();
    world.turn();
  }

  #card(): WorldCard {
    return this.#cards[this.#draw(this.#cards.length)]!;
  }

  #times(): Fields {
    const now = new Date(this.world.harness.wallMs).toISOString().replace(/\D/g, '');
    return { 7: now.slice(4, 14), 12: now.slice(8, 14), 13: now.slice(4, 8) };
  }

  #say(card: WorldCard | undefined, fields: Fields): void {
    const told = { ...fields, ...(card ? { 2: card.pan } : {}) };
    const answer = this.world.ask(card, told);
    if (answer['39'] !== undefined) this.#said.push({ card, fields: told, answer });
  }

  #purchase(): void {
    const single = this.#draw(5) === 0;
    const type = ['00', '00', '00', '01', '20', '09'][this.#draw(6)]!;
    const amount = 100 + this.#draw(15_000);
    const back = String(Math.min(50, amount)).padStart(12, '0');
    const fields = purchase(++this.#stan, amount, {
      ...{
        0: single ? '0200' : '0100',
        3: `${type}0000`,
        ...this.#times(),
        18: ['5411', '5542', '7011'][this.#draw(3)]!,
      },
      ...(this.#draw(3) === 0 ? { 48: '61011' } : {}),
      ...(type === '09' ? { 54: `0040986D${back}` } : {}),
      ...(this.#draw(6) === 0 ? { 49: '840', 6: String(amount * 5).padStart(12, '0'), 51: '986' } : {}),
    });
    this.#say(this.#draw(20) === 0 ? undefined : this.#card(), fields);
  }

  #earlier(): Said | undefined {
    return this.#said[this.#said.length - 1 - this.#draw(Math.min(12, this.#said.length || 1))];
  }

  #about(mti: string, over: Fields): void {
    const said = this.#earlier();
    if (said?.fields['63'] === undefined || said.fields['4'] === undefined) return;
    const { 38: _code, 54: _amounts, ...rest } = said.fields;
    const amount = Math.max(1, Math.floor((Number(said.fields['4']) * (20 + this.#draw(150))) / 100));
    const name = `63${String(said.fields['63'].length).padStart(2, '0')}${said.fields['63']}`;
    const own = purchase(++this.#stan, amount);
    this.#say(said.card, {
      ...rest,
      ...this.#times(),
      0: mti,
      4: own['4']!,
      11: own['11']!,
      63: own['63']!,
      48: `${over['48']}${name}`,
    });
  }

  #reverse(): void {
    const said = this.#earlier();
    if (said === undefined) return;
    const { 0: mti = '', 7: de7 = '', 11: stan = '', 32: acquirer = '' } = said.fields;
    const { 6: _billing, 51: _currency, 54: _amounts, 48: _private, 18: _mcc, ...rest } = said.fields;
    const part =
      this.#draw(3) === 0
        ? { 95: `${String(this.#draw(8000)).padStart(12, '0')}${'0'.repeat(12)}C00000000C00000000` }
        : {};
    const fields: Fields = { ...rest, ...this.#times(), ...part, 0: this.#draw(2) === 0 ? '0400' : '0420' };
    fields['90'] = `${mti}${stan}${de7}${acquirer.padStart(11, '0')}${'0'.repeat(11)}`;
    fields['11'] = String(++this.#stan).padStart(6, '0');
    delete fields['63'];
    this.#say(said.card, fields);
  }

  /** A repeat, sometimes with another amount or marked. */
  #again(): void {
    const said = this.#earlier();
    if (said === undefined) return;
    const fields = { ...said.fields };
    const way = this.#draw(4);
    if (way === 0) fields['4'] = String(Number(fields['4'] ?? 0) + 1).padStart(12, '0');
    const mti = fields['0']!;
    if (way === 1 && mti !== '0302') fields['0'] = `${mti.slice(0, 3)}${Number(mti[3]) | 1}`;
    this.#say(said.card, fields);
  }

  #inquire(): void {
    this.#say(this.#card(), purchase(++this.#stan, 0, { 3: '310000', ...this.#times() }));
  }

  #pay(): void {
    const { shard, account } = this.#card();
    const reference = `r${this.#draw(3) === 0 ? this.#reference : ++this.#reference}`;
    this.world.command(shard, { op: 'payment', account, amount: 1 + this.#draw(9000), currency: 986, reference });
  }

  /** The answer to the newest approval did not leave. */
  #unsaid(): void {
    const { shard } = this.#card();
    const { sequence } = this.world.harness.shard(shard).journal;
    for (let one = sequence; one > 0 && one > sequence - 2; one--) this.world.notDelivered(shard, one);
  }

  #update(): void {
    const card = this.#card();
    const { shard, slot, account } = card;
    const way = this.#draw(4);
    if (way === 0)
      this.world.command(shard, { op: 'update_account', id: account, creditLimit: 20_000 + this.#draw(90_000) });
    else if (way === 1) this.world.command(shard, { op: 'update_card', cardSlot: slot, status: 3 });
    else if (way === 2) this.world.command(shard, { op: 'update_card', cardSlot: slot, status: 2 });
    else {
      const controls = `{"velocity":[{"window":"day","amount":${20_000 + this.#draw(9) * 1000},"count":${5 + this.#draw(9)}}]}`;
      this.world.command(shard, { op: 'update_account', id: account, controls });
    }
  }

  /** A record of a clearing file, of an earlier message or of nothing. */
  #clear(): void {
    const said = this.#earlier();
    const { shard, slot } = said?.card ?? this.#card();
    const amount = 100 + this.#draw(9000);
    this.#reference++;
    const input = clearingInput({
      ...{ record: this.#reference, amount, billingAmount: amount, billingCurrency: 986, arn: `ARN${this.#reference}` },
      ...{ networkId: said?.fields['63']?.trimEnd() ?? '', acceptor: 'MERCHANT0000001', sub: 1_381_649 },
    });
    const records = [{ card: slot, fingerprint: [0, 0, 0] as const, input }];
    this.world.command(shard, { op: 'clear', file: 'F1', records });
  }

  /** Several in one turn, a repeat among them. */
  #several(): void {
    const { world } = this;
    const card = this.#card();
    const first = purchase(++this.#stan, 500, { ...this.#times(), 2: card.pan });
    world.send(card, first);
    world.send(card, first);
    world.send(card, purchase(++this.#stan, 700, { ...this.#times(), 2: card.pan }));
    world.turn();
  }
}
