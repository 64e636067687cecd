/**
 * What to send next: kind, card and amount, drawn from the seed in a fixed order whatever becomes of the message, so that
 * two runs with one seed ask for the same things even when one of them had to drop some.
 */
import { KindPicker, type Mix } from './kinds.js';
import { type Picker, Random, UniformPicker, ZipfianPicker } from './random.js';

export interface WorkloadPlan {
  readonly mix: Mix;
  readonly accounts: number;
  readonly distribution: 'uniform' | 'zipfian';
  readonly amount: { readonly low: number; readonly high: number };
  readonly seed: number;
  readonly worker: number;
  /** Share of the auths with chip data, percent; 0 for none. */
  readonly chipPercent: number;
}

export class Workload {
  kind = 0;
  card = 0;
  amount = 0;
  /** Whether it has chip data, if it is an auth. */
  chip = false;
  readonly #kinds: KindPicker;
  /** The weights at hand in place of the run's, and what draws by them. */
  #mix: Mix | undefined;
  #kindsNow: KindPicker;
  readonly #kindRandom: Random;
  readonly #amountRandom: Random;
  readonly #cards: Picker;
  readonly #chipRandom: Random;
  readonly #chipShare: number;
  readonly #low: number;
  readonly #span: number;

  constructor(plan: WorkloadPlan) {
    const stream = plan.worker * 8;
    this.#kinds = new KindPicker(plan.mix);
    this.#kindsNow = this.#kinds;
    this.#kindRandom = new Random(plan.seed, stream + 1);
    this.#amountRandom = new Random(plan.seed, stream + 2);
    const cardRandom = new Random(plan.seed, stream + 3);
    this.#chipRandom = new Random(plan.seed, stream + 5);
    this.#chipShare = plan.chipPercent / 100;
    this.#cards =
      plan.distribution === 'zipfian'
        ? new ZipfianPicker(cardRandom, plan.accounts)
        : new UniformPicker(cardRandom, plan.accounts);
    this.#low = plan.amount.low;
    this.#span = plan.amount.high - plan.amount.low + 1;
  }

  /** The next messages are drawn by these weights; undefined: by those of the run. */
  useMix(mix: Mix | undefined): void {
    if (mix === this.#mix) return;
    this.#mix = mix;
    this.#kindsNow = mix === undefined ? this.#kinds : new KindPicker(mix);
  }

  /** Draws the next message into `kind`, `card`, `amount` and `chip`. */
  draw(): void {
    this.kind = this.#kindsNow.of(this.#kindRandom.unit());
    this.card = this.#cards.next();
    this.amount = this.#low + this.#amountRandom.below(this.#span);
    this.chip = this.#chipShare > 0 && this.#chipRandom.unit() < this.#chipShare;
  }
}
