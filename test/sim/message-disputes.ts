/**
 * A dispute of what a single message posted, which ends with the money at the cardholder, and the merchant who takes the payment back
 * behind it all the same: what the dispute has given must not go back once more (decision 0056).
 */
import { subAccount } from '#src/domain/ledger/sub-account.js';
import type { Office } from './office.js';
import type { Random } from './random.js';
import { indexKeys } from './shard-thread.js';
import type { Purchase } from './workload.js';

const DAY_MS = 86_400_000;
/** Of all that is posted by the back office, a step like this. */
const SHARE = 0.12;

export interface MessageDisputesWorld {
  readonly wallMs: number;
  readonly purchases: readonly Purchase[];
  /** Some time later, when the world is not to be quiet. */
  later(us: number, call: () => void): void;
  /** The merchant takes a payment back, or a part of it. */
  takeBack(random: Random, purchase: Purchase): void;
}

export class MessageDisputes {
  readonly #world: MessageDisputesWorld;
  readonly #office: Office;
  readonly #keys = indexKeys();
  #references = 0;

  constructor(world: MessageDisputesWorld, office: Office) {
    this.#world = world;
    this.#office = office;
  }

  /** Now and then the whole story; it draws from a stream of its own. */
  perhaps(random: Random): void {
    if (!random.chance(SHARE)) return;
    const posted = this.#world.purchases.slice(-80).filter((one) => one.isPosted && !one.isReversed && !isRefund(one));
    if (posted.length > 0) this.#dispute(random, random.pick(posted));
  }

  #dispute(random: Random, purchase: Purchase): void {
    const { card, fields, amounts } = purchase;
    const { id, shard, currency } = card.account;
    const whole = amounts.billing?.amount ?? purchase.amount;
    const amount = Math.max(1, Math.floor(whole * random.pick([1, 1, 0.5, 0.3])));
    const reference = `message-${++this.#references}`;
    this.#office.read(shard, { op: 'index', high: this.#keys.rrnHigh(fields[37] ?? ''), limit: 8 }, (found) => {
      if (!found.ok || !('sequences' in found) || found.sequences.length === 0) return;
      const relatedSequence = found.sequences.at(-1)!;
      const about = { account: id, amount, currency, reference, relatedSequence, note: '' };
      this.#office.give(shard, { op: 'open_dispute', ...about }, (result) => {
        if (result.ok) this.#end(random, purchase, result.sequence, amount);
      });
    });
  }

  /** It is won or written off; then comes the merchant. */
  #end(random: Random, purchase: Purchase, sequence: number, amount: number): void {
    const { shard, currency } = purchase.card.account;
    const day = Math.floor(this.#world.wallMs / DAY_MS);
    const settled = { sub: subAccount({ network: 1, day, cycle: 0 }), currency, amount, interchange: 0 };
    const step = { op: 'dispute_step', sequence, note: '' } as const;
    const takeBack = (): void =>
      this.#world.later(random.int(1, 60) * 1_000_000, () => this.#world.takeBack(random, purchase));
    if (random.chance(0.5)) {
      this.#office.give(shard, { ...step, step: 'write_off' }, takeBack);
      return;
    }
    this.#office.give(shard, { ...step, step: 'chargeback', settled }, () => {
      this.#office.give(shard, { ...step, step: 'win' }, takeBack);
    });
  }
}

const isRefund = ({ fields }: Purchase): boolean => (fields[3] ?? '').startsWith('2');
