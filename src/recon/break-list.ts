/**
 * The breaks of one run: all of them counted, and one by one as many as memory allows. Which ones are left out follows from the
 * order in which they are found, and that from the inputs of the run.
 */
import { RECON_BREAKS_MAX } from '../limits.js';
import {
  type AgeBucket,
  ageBucket,
  ageBuckets,
  type Break,
  type BreakType,
  breakTypes,
  compareBreaks,
} from './breaks.js';

/** How many there are of a type and an age. */
export interface BreakCount {
  readonly type: BreakType;
  readonly age: AgeBucket;
  readonly count: number;
}

/** A run that needs more memory than it may have; the message is for people. */
export class ReconTooLarge extends Error {
  constructor(shard: number, max: number) {
    super(`shard ${shard} has more than ${max} authorizations in the days that are read: too many to be compared`);
  }
}

/** What of a break tells whether it is one, and where it is counted. */
export type Uncertain = Pick<Break, 'type' | 'reason' | 'ageDays' | 'posted'>;

export class BreakList {
  /** Breaks that are counted and not listed. */
  leftOut = 0;
  readonly #since: number;
  readonly #max: number;
  readonly #listed: Break[] = [];
  /** Of those that are not listed, the ones that may be none after all. */
  #uncertain: Uncertain[] = [];
  readonly #counts = new Map<string, number>();

  /** @param since days since 1970-01-01: what is older, or of an older settlement, is no part of the run @param max of listed ones */
  constructor(since: number, max = RECON_BREAKS_MAX) {
    this.#since = since;
    this.#max = max;
  }

  /** Of a record or an authorization. */
  add(one: Break): void {
    if (one.day < this.#since) return;
    this.#count(one);
    if (this.#listed.length < this.#max) this.#listed.push(one);
    else this.leftOut++;
  }

  /** As `add`, of what may turn out to be none: what of it is not listed stays in mind for `drop`, some 80 bytes each. */
  addUncertain(one: Break): void {
    const before = this.leftOut;
    this.add(one);
    const { type, reason, ageDays, posted } = one;
    if (this.leftOut > before) this.#uncertain.push({ type, reason, ageDays, posted });
  }

  /** Of a file or a settlement: few, and always listed. */
  addSum(one: Break): void {
    const settled = one.settlement?.day ?? 0;
    if (one.day >= this.#since && (settled === 0 || settled >= this.#since)) this.addStanding(one);
  }

  /** Of what is older than the run and stands in the books: few, and always listed. */
  addStanding(one: Break): void {
    this.#count(one);
    this.#listed.push(one);
  }

  /** Takes back those that are none after all, listed or not. */
  drop(isNone: (one: Uncertain) => boolean): void {
    let kept = 0;
    for (const one of this.#listed) {
      if (isNone(one)) this.#uncount(one);
      else this.#listed[kept++] = one;
    }
    this.#listed.length = kept;
    this.#uncertain = this.#uncertain.filter((one) => {
      if (!isNone(one)) return true;
      this.#uncount(one);
      this.leftOut--;
      return false;
    });
  }

  /** Those that are listed, in the order of compareBreaks. */
  get sorted(): Break[] {
    return this.#listed.sort(compareBreaks);
  }

  /** Of all, only what there is. */
  get counts(): BreakCount[] {
    return countsOf(this.#counts);
  }

  #uncount(one: Uncertain): void {
    const name = countName(one);
    this.#counts.set(name, this.#counts.get(name)! - 1);
  }

  #count(one: Break): void {
    const name = countName(one);
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }
}

/** Less those that are listed and fit. */
export function without(counts: readonly BreakCount[], breaks: readonly Break[]): BreakCount[] {
  const left = new Map(counts.map(({ type, age, count }) => [`${type} ${age}`, count]));
  for (const one of breaks) left.set(countName(one), (left.get(countName(one)) ?? 0) - 1);
  return countsOf(left);
}

const countName = ({ type, ageDays }: Pick<Break, 'type' | 'ageDays'>): string => `${type} ${ageBucket(ageDays)}`;

/** In the order of types and ages. */
function countsOf(counts: ReadonlyMap<string, number>): BreakCount[] {
  return breakTypes.flatMap((type) =>
    ageBuckets.flatMap(([age]) => {
      const count = counts.get(`${type} ${age}`) ?? 0;
      return count > 0 ? [{ type, age, count }] : [];
    }),
  );
}
