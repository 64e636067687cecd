/**
 * Balances of a quiet world, by the engine's own reads, and what must hold whatever was decided: held is the sum of the open holds,
 * debits equal credits in every currency, and the journal alone gives the state with which its last frames were written.
 */

import { IndexKeys } from '#src/domain/index-keys.js';
import type { LedgerTotal, ReadResult } from '#src/domain/reads.js';
import { Faults, noFaults } from '#src/faults.js';
import { JournalReader } from '#src/journal/reader.js';
import { createSegmentBoard, SegmentBoard } from '#src/journal/segment-board.js';
import { CardDirectory, createDirectory } from '#src/ring/directory.js';
import { ShardRecovery } from '#src/shard/recovery.js';
import { ThreadContext } from '#src/shard/thread-context.js';
import { createShardInstruments, ShardInstruments } from '#src/shard-instruments.js';
import { MemoryStore } from '#src/store/memory-store.js';
import { noCardKeys } from '../support/card-keys.js';
import type { SimProcess } from './disk.js';
import { type AccountObservation, AuditFailure } from './observation.js';
import { laneFolders } from './shard-thread.js';
import type { SimAccount } from './workload.js';
import type { World } from './world.js';

/** Whoever looks at the disk from outside. */
const outsider: SimProcess = {
  isGone: false,
  die: (why) => {
    throw new Error(why);
  },
};

type Read = Extract<ReadResult, { ok: true }>;

export class BooksCheck {
  readonly #world: World;
  /** By shard: where the search for authorizations goes on, and those that may have a hold, with their account. */
  readonly #from: number[] = [];
  readonly #candidates: Map<number, number>[] = [];

  constructor(world: World) {
    this.#world = world;
    for (let shard = 0; shard < world.shards; shard++) {
      this.#from.push(1);
      this.#candidates.push(new Map());
    }
  }

  #reader(): JournalReader {
    return JournalReader.of(laneFolders(this.#world.disk, outsider));
  }

  /** Reads every account with its open holds. */
  read(then: (accounts: readonly AccountObservation[]) => void): void {
    this.#findCandidates();
    const accounts = this.#world.office.accounts.filter(({ slot }) => slot >= 0);
    const found: AccountObservation[] = [];
    let left = accounts.length;
    if (left === 0) then(found);
    for (const account of accounts) {
      this.#readAccount(account, (one) => {
        found.push(one);
        if (--left === 0) then(found.sort((a, b) => (a.account < b.account ? -1 : 1)));
      });
    }
  }

  /** Authorizations that were touched since the last time. */
  #findCandidates(): void {
    const reader = this.#reader();
    for (let shard = 0; shard < this.#world.shards; shard++) {
      const head = reader.head(shard).sequence;
      if (head < this.#from[shard]!) continue;
      const scan = reader.scan(shard, this.#from[shard]!);
      scan.onMessage = ({ sequence, originalSequence, accountSlot, holdDelta, holdExpiresMs }) => {
        if (accountSlot < 0 || (holdDelta === 0 && holdExpiresMs === 0)) return;
        this.#candidates[shard]!.set(originalSequence > 0 ? originalSequence : sequence, accountSlot);
      };
      while (scan.step(1000));
      this.#from[shard] = head + 1;
    }
  }

  /** The account and its holds are read one after the other, and one may end in between: what differs is read once more. */
  #readAccount(account: SimAccount, then: (account: AccountObservation) => void, tries = 2): void {
    const { office } = this.#world;
    office.read(account.shard, { op: 'account', id: account.id }, (result) => {
      const { account: view } = mustBe(result) as Extract<Read, { account: unknown }>;
      const holds: { id: string; remaining: number }[] = [];
      const candidates = this.#candidates[account.shard]!;
      const own = [...candidates].filter(([, slot]) => slot === account.slot).map(([sequence]) => sequence);
      let left = own.length;
      const done = (): void => {
        const { currency, creditLimit, posted, held } = view;
        const sum = holds.reduce((total, { remaining }) => total + remaining, 0);
        if (sum !== held && tries > 1) {
          this.#readAccount(account, then, tries - 1);
          return;
        }
        if (sum !== held)
          throw new AuditFailure('held is not the sum of the open holds', { account: account.id, held, sum, holds });
        const available = creditLimit - posted - held;
        then({ shard: account.shard, account: account.id, currency, creditLimit, posted, held, available, holds });
      };
      if (left === 0) done();
      for (const sequence of own) {
        office.read(account.shard, { op: 'hold', sequence }, (answer) => {
          const { remaining } = mustBe(answer) as Extract<Read, { remaining: unknown }>;
          if (remaining === 0) candidates.delete(sequence);
          else holds.push({ id: String(sequence), remaining });
          if (--left === 0) done();
        });
      }
    });
  }

  /** The last check of a run. */
  async end(): Promise<void> {
    this.#recoverFromNothing();
    await this.#world.ask((then) => this.#totals(then));
  }

  /** The journal alone, without rows and segments, gives the digest of every shard's last frame. @throws HoldfastError */
  #recoverFromNothing(): void {
    const reader = this.#reader();
    const context = new ThreadContext({
      reader,
      segments: new MemoryStore(),
      board: new SegmentBoard(createSegmentBoard()),
      keys: new IndexKeys(1, 2),
      keyCheck: 0,
      duplicateWindowMs: 86_400_000,
      approvalKey: [1, 2, 3, 4],
      cardKeys: noCardKeys,
      directory: new CardDirectory(createDirectory({ expected: 16, maximum: 1 << 14 })),
      faults: new Faults(noFaults),
      instruments: new ShardInstruments(createShardInstruments()),
      monotonicUs: () => 0,
      log: () => undefined,
    });
    for (let shard = 0; shard < this.#world.shards; shard++) {
      const recovery = new ShardRecovery(context, reader.head(shard), undefined);
      while (!recovery.step(1000));
    }
  }

  #totals(then: () => void): void {
    const sums = new Map<number, bigint>();
    let left = this.#world.shards;
    for (let shard = 0; shard < this.#world.shards; shard++) {
      this.#world.office.read(shard, { op: 'totals' }, (result) => {
        const { totals } = mustBe(result) as { totals: LedgerTotal[] };
        for (const { currency, debit, credit } of totals)
          sums.set(currency, (sums.get(currency) ?? 0n) + BigInt(debit) - BigInt(credit));
        if (--left > 0) return;
        for (const [currency, sum] of sums)
          if (sum !== 0n) throw new AuditFailure('debits and credits differ', { currency, difference: String(sum) });
        then();
      });
    }
  }
}

function mustBe(result: ReadResult): Read {
  if (!result.ok) throw new AuditFailure('a read was refused in a quiet world', { code: result.code });
  return result;
}
