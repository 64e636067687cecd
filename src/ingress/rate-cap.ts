/**
 * Caps on the rate of admission: token buckets that are filled by the clock that each read looks at anyway. Nothing here
 * allocates or reads a clock.
 *
 * When more comes than the cap allows, who gets in is not left to who sends most (decision 0036):
 *
 *   bucket of the cap   |<----- kept ----->|<----- whoever comes first ----->|
 *
 * From what is kept only somebody takes who is entitled to it, and each entitlement is a bucket of its own:
 *
 *   a quarter of the rate   what must not be starved (advices, reversals, repeats), of whichever link
 *   a quarter               the same, divided evenly among the links
 *   half                    new requests, divided evenly among the links
 *
 * Together they are the rate of the cap, so what is kept is there for them whatever the others send; what they do not use goes
 * to whoever comes first.
 */
import { RATE_BURST_MESSAGES_MIN, RATE_BURST_MS } from '../limits.js';

const US_PER_S = 1_000_000;
/** Share of the cap's burst that is kept, and shares of cap and burst to which somebody is entitled. */
const KEPT = 0.5;
const URGENT_OF_ANY_LINK = 1 / 4;
const URGENT_OF_LINKS = 1 / 4;
const NEW_OF_LINKS = 1 / 2;

/** So many tokens per second, of which `burst` are saved up at most. */
class TokenBucket {
  tokens: number;
  readonly burst: number;
  readonly #perUs: number;
  #atUs = 0;

  /** @param burst tokens; below one nothing would ever be taken, so it is one at least */
  constructor(perSecond: number, burst: number) {
    this.burst = Math.max(1, burst);
    this.tokens = this.burst;
    this.#perUs = perSecond / US_PER_S;
  }

  /** Adds what has come since the last call. A clock that stands still, or that an earlier read looked at, adds nothing. */
  fill(nowUs: number): void {
    const elapsed = nowUs - this.#atUs;
    if (elapsed <= 0) return;
    this.#atUs = nowUs;
    this.tokens = Math.min(this.burst, this.tokens + elapsed * this.#perUs);
  }

  take(nowUs: number): boolean {
    this.fill(nowUs);
    if (this.tokens < 1) return false;
    this.tokens--;
    return true;
  }
}

/** What one link is entitled to of a cap. */
export interface RateShare {
  readonly urgent: TokenBucket;
  readonly fresh: TokenBucket;
}

export class RateCap {
  /** Messages per second; 0: no cap. */
  readonly perSecond: number;
  readonly #all: TokenBucket;
  readonly #urgent: TokenBucket;
  readonly #kept: number;

  constructor(perSecond: number) {
    this.perSecond = perSecond;
    const burst = Math.max(RATE_BURST_MESSAGES_MIN, (perSecond * RATE_BURST_MS) / 1000);
    this.#all = new TokenBucket(perSecond, burst);
    this.#kept = burst * KEPT;
    this.#urgent = this.#part(URGENT_OF_ANY_LINK);
  }

  /** The even share of one of `links` links. */
  share(links: number): RateShare {
    return { urgent: this.#part(URGENT_OF_LINKS / links), fresh: this.#part(NEW_OF_LINKS / links) };
  }

  /** An entitlement; the bursts of all together are what is kept. */
  #part(share: number): TokenBucket {
    return new TokenBucket(this.perSecond * share, this.#kept * share);
  }

  /**
   * True when a message may come in now.
   * @param urgent it must not be starved by new requests
   * @param share what its link is entitled to
   */
  take(nowUs: number, urgent: boolean, share?: RateShare): boolean {
    if (this.perSecond === 0) return true;
    const all = this.#all;
    all.fill(nowUs);
    if (all.tokens < 1) return false;
    if (all.tokens < this.#kept + 1 && !this.#isEntitled(nowUs, urgent, share)) return false;
    all.tokens--;
    return true;
  }

  /** Gives back what a message took that came in no further. */
  giveBack(): void {
    if (this.perSecond > 0) this.#all.tokens = Math.min(this.#all.burst, this.#all.tokens + 1);
  }

  #isEntitled(nowUs: number, urgent: boolean, share: RateShare | undefined): boolean {
    if (!urgent) return share?.fresh.take(nowUs) ?? false;
    return this.#urgent.take(nowUs) || (share?.urgent.take(nowUs) ?? false);
  }
}
