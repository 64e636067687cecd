/**
 * Accounts and cards behind the slots of records: what never changes about them, remembered, the oldest forgotten first. Whoever
 * shows one record waits for its account; the feed, which reads many records in a row without waiting, asks what is known
 * and fetches what is not for all at once.
 */
import type { AccountType } from '../domain/codes.js';
import type { CardView } from '../domain/party-commands.js';
import { PARTIES_KEPT_MAX } from '../limits.js';
import type { ShardPort } from './ports.js';
import { refused } from './views.js';

export interface AccountParty {
  readonly id: string;
  /** ISO 4217 numeric. */
  readonly currency: number;
  readonly program: number;
  readonly type: AccountType;
  readonly createdMs: number;
}

export class Parties {
  readonly #shards: Pick<ShardPort, 'read'>;
  readonly #accounts = new Map<string, AccountParty>();
  readonly #cards = new Map<string, CardView>();
  readonly #missing = new Map<string, { kind: 'account' | 'card'; shard: number; slot: number }>();

  constructor(shards: Pick<ShardPort, 'read'>) {
    this.#shards = shards;
  }

  /** The account, read when it is not known. @throws ApiError `shard_unavailable`; ShardError. */
  async accountAt(shard: number, slot: number): Promise<AccountParty> {
    return this.#accounts.get(`${shard}/${slot}`) ?? (await this.#readAccount(shard, slot));
  }

  /** The account; undefined when it must be fetched first. */
  account(shard: number, slot: number): AccountParty | undefined {
    const key = `${shard}/${slot}`;
    const known = this.#accounts.get(key);
    if (known === undefined) this.#missing.set(`account ${key}`, { kind: 'account', shard, slot });
    return known;
  }

  /** The card as it was when it was fetched: its status and tries may be others by now. */
  card(shard: number, slot: number): CardView | undefined {
    const key = `${shard}/${slot}`;
    const known = this.#cards.get(key);
    if (known === undefined) this.#missing.set(`card ${key}`, { kind: 'card', shard, slot });
    return known;
  }

  get missing(): number {
    return this.#missing.size;
  }

  /** Asks the shards for everything that was missing. @throws ApiError `shard_unavailable`; ShardError. */
  async fetch(): Promise<void> {
    const wanted = [...this.#missing.values()];
    this.#missing.clear();
    await Promise.all(
      wanted.map(({ kind, shard, slot }) =>
        kind === 'account' ? this.#readAccount(shard, slot) : this.#readCard(shard, slot),
      ),
    );
  }

  async #readAccount(shard: number, slot: number): Promise<AccountParty> {
    const result = await this.#shards.read(shard, { op: 'account_slot', slot });
    if (!result.ok) throw refused(result);
    if (!('account' in result)) throw new TypeError('the shard answered no account');
    const { id, currency, program, type, createdMs } = result.account;
    return remember(this.#accounts, `${shard}/${slot}`, { id, currency, program, type, createdMs });
  }

  async #readCard(shard: number, slot: number): Promise<CardView> {
    const result = await this.#shards.read(shard, { op: 'card', slot });
    if (!result.ok) throw refused(result);
    if (!('card' in result)) throw new TypeError('the shard answered no card');
    return remember(this.#cards, `${shard}/${slot}`, result.card);
  }
}

function remember<T>(map: Map<string, T>, key: string, value: T): T {
  map.set(key, value);
  if (map.size > PARTIES_KEPT_MAX) map.delete(map.keys().next().value!);
  return value;
}
