/** Money that moves without a message: payments, fees, disputes, settlements, the daily accrual, and the clearing of the network. */
import type { ClearingEntry, ClearingInput } from '#src/domain/clearing/input.js';
import type { Command, CommandResult } from '#src/domain/commands.js';
import { subAccount } from '#src/domain/ledger/sub-account.js';
import { MessageDisputes, type MessageDisputesWorld } from './message-disputes.js';
import type { Office } from './office.js';
import type { Random } from './random.js';
import type { Purchase, SimAccount, SimCard } from './workload.js';

const DAY_MS = 86_400_000;

export interface BackOfficeWorld extends MessageDisputesWorld {
  readonly shards: number;
}

/** An entry that something may be done about later. */
interface Entry {
  readonly account: SimAccount;
  readonly kind: 'payment' | 'fee' | 'dispute' | 'clearing';
  readonly sequence: number;
  readonly amount: number;
}

/** One record of the network, as it may be sent again. */
interface Presented {
  readonly shard: number;
  readonly entry: ClearingEntry;
}

export class BackOffice {
  readonly #world: BackOfficeWorld;
  readonly #office: Office;
  readonly #messageDisputes: MessageDisputes;
  readonly #entries: Entry[] = [];
  readonly #presented: Presented[] = [];
  #files = 0;
  #records = 0;
  #references = 0;

  constructor(world: BackOfficeWorld, office: Office) {
    this.#world = world;
    this.#office = office;
    this.#messageDisputes = new MessageDisputes(world, office);
  }

  /** A record or a few, of things that were approved, or of nothing that we know. */
  clear(random: Random): void {
    const file = `file-${++this.#files}`;
    const byShard = new Map<number, ClearingEntry[]>();
    for (let left = random.int(1, 6); left > 0; left--) {
      const presented = this.#record(random);
      if (presented === undefined) continue;
      const list = byShard.get(presented.shard);
      if (list === undefined) byShard.set(presented.shard, [presented.entry]);
      else list.push(presented.entry);
    }
    for (const [shard, records] of byShard) this.#send(shard, file, records);
    // The file is sent once more: nothing of it posts twice.
    if (random.chance(0.2)) for (const [shard, records] of byShard) this.#send(shard, file, records);
  }

  /** The answer may be about the first records only: the rest is sent again. */
  #send(shard: number, file: string, records: readonly ClearingEntry[]): void {
    const command: Command = { op: 'clear', file, records: [...records] };
    this.#office.give(shard, command, (result) => {
      if (!result.ok || !('cleared' in result)) return;
      for (const [i, answer] of result.cleared.entries()) {
        const { card, input } = records[i]!;
        const account = this.#office.cards.find((one) => one.slot === card && one.account.shard === shard)?.account;
        if (answer.outcome === 'posted' && account !== undefined)
          this.#entries.push({ account, kind: 'clearing', sequence: answer.sequence, amount: input.billingAmount });
      }
      const rest = records.slice(result.cleared.length);
      if (rest.length > 0) this.#send(shard, file, rest);
    });
  }

  #record(random: Random): Presented | undefined {
    const way = random.real();
    if (way < 0.1 && this.#presented.length > 0) return this.#again(random, random.pick(this.#presented));
    const purchase = this.#world.purchases.length === 0 ? undefined : random.pick(this.#world.purchases.slice(-80));
    if (way < 0.75 && purchase !== undefined) return this.#presentment(random, purchase);
    if (this.#office.cards.length === 0) return undefined;
    return this.#forced(random, random.pick(this.#office.cards));
  }

  /** The same thing again: under the same number, taken back, or with another amount. */
  #again(random: Random, { shard, entry }: Presented): Presented {
    const way = random.real();
    const input: ClearingInput = { ...entry.input, record: ++this.#records };
    if (way < 0.5) input.reversal = 1;
    else if (way < 0.7) {
      input.amount += 1;
      input.billingAmount += 1;
    }
    return { shard, entry: { ...entry, input } };
  }

  #presentment(random: Random, purchase: Purchase): Presented {
    const { card, fields, amounts, merchant, code } = purchase;
    const share = random.pick([1, 1, 1, 1, 0.5, 0.3, 1.15, 1.5]);
    const amount = Math.max(1, Math.min(999_999_999_999, Math.floor(purchase.amount * share)));
    const parts = share < 1 ? { partial: 1 } : {};
    purchase.cleared += amount;
    const billing = amounts.billing === undefined ? amount : Math.min(999_999_999_999, Math.ceil(amount * 1.7));
    return this.#keep(card, {
      ...this.#blank(random, card),
      ...{ amount, currency: amounts.currency, billingAmount: billing, processingCode: Number(fields[3] ?? 0) },
      ...{ mcc: Number(merchant.mcc), terminal: merchant.terminal, acceptor: merchant.acceptor, ...parts },
      ...{ acquirer: merchant.acquirer, acceptorName: merchant.name.slice(0, 22).trimEnd() },
      networkId: random.chance(0.6) ? (fields[63] ?? '') : '',
      rrn: random.chance(0.7) ? (fields[37] ?? '').trimEnd() : '',
      approvalCode: random.chance(0.7) ? code : '',
    });
  }

  /** Of something that we have never heard of; now and then of a card that nobody has. */
  #forced(random: Random, card: SimCard): Presented {
    const amount = random.int(1, 9000);
    const input: ClearingInput = {
      ...this.#blank(random, card),
      ...{ amount, billingAmount: amount, processingCode: random.pick([0, 0, 200_000, 10_000]), mcc: 5999 },
    };
    if (random.chance(0.8)) return this.#keep(card, input);
    const fingerprint = this.#office.fingerprintOf(`99999988${String(random.int(0, 99_999_999)).padStart(8, '0')}`);
    const presented = {
      shard: fingerprint[0] & (this.#world.shards - 1),
      entry: { card: -1, fingerprint, input },
    };
    this.#presented.push(presented);
    return presented;
  }

  #keep(card: SimCard, input: ClearingInput): Presented {
    const entry: ClearingEntry = { card: card.slot, fingerprint: [0, 0, 0], input };
    const presented = { shard: card.account.shard, entry };
    this.#presented.push(presented);
    return presented;
  }

  #blank(random: Random, card: SimCard): ClearingInput {
    const { currency } = card.account;
    const day = Math.floor(this.#world.wallMs / DAY_MS);
    return {
      record: ++this.#records,
      ...{ mti: 1240, functionCode: 200, processingCode: 0, amount: 0, currency, cashBack: -1 },
      ...{
        settlementAmount: random.int(1, 9000),
        settlementCurrency: 840,
        billingAmount: 0,
        billingCurrency: currency,
      },
      ...{ network: 1, sub: subAccount({ network: 1, day, cycle: random.int(0, 1) }), businessDay: day },
      fees: random.chance(0.5) ? [{ amount: random.int(1, 100), currency: 840, sign: 0 }] : [],
      ...{ mcc: -1, country: -1, localDay: day, localSeconds: -1, partial: 0, sequence: 0, count: 0 },
      ...{ reversal: 0, originalDay: -1, arn: `7${String(this.#records).padStart(22, '0')}`, networkId: '', rrn: '' },
      ...{ approvalCode: '', acquirer: '', terminal: '', acceptor: '', acceptorName: '' },
    };
  }

  // ---- entries ----

  post(random: Random): void {
    if (this.#office.accounts.length === 0) return;
    this.#messageDisputes.perhaps(random.fork('dispute of a message'));
    const account = random.pick(this.#office.accounts);
    const way = random.real();
    if (way < 0.45) this.#pay(random, account);
    else if (way < 0.6) this.#fee(random, account);
    else if (way < 0.8) this.#later(random);
    else if (way < 0.88) this.#settle(random, account);
    else if (way < 0.97) this.accrue();
    else {
      const reference = this.#reference();
      const amount = random.int(1, 500);
      const { id, currency, shard } = account;
      this.#office.give(shard, { op: 'refund_credit', account: id, amount, currency, reference });
    }
  }

  #reference(): string {
    return `ref-${++this.#references}`;
  }

  #noted(kind: Entry['kind'], account: SimAccount, amount: number): (result: CommandResult) => void {
    return (result) => {
      if (result.ok) this.#entries.push({ account, kind, sequence: result.sequence, amount });
    };
  }

  #pay(random: Random, account: SimAccount): void {
    const amount = random.int(1, 20_000);
    const { id, currency, shard } = account;
    // Now and then a reference that was used before.
    const reference = random.chance(0.1) ? 'ref-1' : this.#reference();
    this.#office.give(
      shard,
      { op: 'payment', account: id, amount, currency, reference },
      this.#noted('payment', account, amount),
    );
  }

  #fee(random: Random, account: SimAccount): void {
    const amount = random.int(1, 900);
    const { id, currency, shard } = account;
    this.#office.give(
      shard,
      { op: 'fee', account: id, amount, currency, reference: this.#reference(), note: '' },
      this.#noted('fee', account, amount),
    );
  }

  /** Something about an earlier entry. */
  #later(random: Random): void {
    const entry = this.#entries.length === 0 ? undefined : random.pick(this.#entries.slice(-40));
    if (entry === undefined) return;
    const { account, sequence, kind } = entry;
    const { shard } = account;
    switch (kind) {
      case 'payment':
        this.#office.give(shard, { op: 'return_payment', sequence, fee: random.pick([0, 100]), note: '' });
        return;
      case 'fee':
        this.#office.give(shard, { op: 'waive_fee', sequence, note: '' });
        return;
      case 'clearing': {
        const { id, currency } = account;
        const amount = Math.max(1, Math.min(entry.amount, random.int(1, 5000)));
        const common = { account: id, amount, currency, reference: this.#reference(), note: '' };
        this.#office.give(
          shard,
          { op: 'open_dispute', ...common, relatedSequence: sequence },
          this.#noted('dispute', account, amount),
        );
        return;
      }
      case 'dispute': {
        const step = random.pick(['chargeback', 'withdraw', 'lose', 'write_off', 'second_presentment', 'win'] as const);
        const day = Math.floor(this.#world.wallMs / DAY_MS);
        const settled = { sub: subAccount({ network: 1, day, cycle: 0 }), currency: 840, amount: 100, interchange: 1 };
        this.#office.give(shard, { op: 'dispute_step', sequence, step, settled, note: '' });
      }
    }
  }

  #settle(random: Random, { shard }: SimAccount): void {
    const day = Math.floor(this.#world.wallMs / DAY_MS);
    const sub = subAccount({ network: 1, day, cycle: random.int(0, 1) });
    const amount = random.int(-500, 500) || 1;
    const reference = this.#reference();
    if (random.chance(0.5)) {
      const command = { op: 'settlement', sub, currency: 840, amount, owed: amount + random.int(0, 3) } as const;
      this.#office.give(shard, { ...command, roundingMax: 5, reference });
    } else this.#office.give(shard, { op: 'network_fee', sub, currency: 840, amount, reference, note: '' });
  }

  /** The slice of the daily accrual of each shard. */
  accrue(): void {
    const day = Math.floor(this.#world.wallMs / DAY_MS) - 1;
    for (let shard = 0; shard < this.#world.shards; shard++) this.#accrueOf(shard, day, 20);
  }

  #accrueOf(shard: number, day: number, left: number): void {
    this.#office.give(shard, { op: 'accrue', day, limit: 3 }, (result) => {
      if (result.ok && 'accrued' in result && !result.accrued.isDone && left > 0) this.#accrueOf(shard, day, left - 1);
    });
  }
}
