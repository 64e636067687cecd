/** A small data directory, written with the engine's own journal and fold, for the commands that read one. */
import { join } from 'node:path';

import { applyEvent, applyMessage } from '#src/domain/apply.js';
import {
  AccountStatus,
  AccountType,
  CardStatus,
  ElementKind,
  EventKind,
  Response,
  Step,
  Verdict,
} from '#src/domain/codes.js';
import { MessageEvent, type PlainEvent } from '#src/domain/events.js';
import { Text } from '#src/domain/message.js';
import { ShardState } from '#src/domain/shard-state.js';
import { openLane } from '#src/journal/lane-directory.js';
import { emptyHead } from '#src/journal/reader.js';
import { ShardJournal } from '#src/journal/shard-journal.js';
import { SystemJournal } from '#src/journal/system-journal.js';
import { DataDirectory } from '#src/store/data-directory.js';
import { openLmdbStore } from '#src/store/lmdb-store.js';
import { loadKeys } from '#src/vault/keys.js';
import { PanVault } from '#src/vault/pan-vault.js';

const T0 = Date.UTC(2026, 10, 22, 12);

/** What is wrong with the directory; nothing by default. */
export interface Tamper {
  /** Added to the digest of the second frame of shard 1. */
  digest?: number;
  /** Added to the hold that the first approval of shard 1 places, after its digest was taken. */
  credit?: number;
  /** Added to the credit limit in the record of shard 1's account, behind the back of its digest. */
  limit?: number;
  /** A defect of the engine, which its digest repeats: shard 1's reversal releases money without touching a hold. */
  orphan?: boolean;
  /** As before: currency of shard 1's payment, another one than its account's. */
  currency?: number;
  /** Shard whose card has no row in the vault, or one that is no row. */
  unknownPan?: number;
  brokenPan?: number;
  /** Leaves the system journal out. */
  noSystem?: boolean;
}

/**
 * Per shard: an account, a card with its number, two approvals, a payment, a partial reversal; shard 0 stays empty. Two frames
 * each. The system journal has two records.
 */
export async function writeDirectory(path: string, tamper: Tamper = {}): Promise<void> {
  const directory = await DataDirectory.open(path, { shards: 4, create: true });
  if (tamper.noSystem !== true) {
    const system = SystemJournal.open(directory.paths.system, { now: () => T0 });
    system.append({ type: 'program', id: 'one' });
    system.append({ type: 'program', id: 'two' });
    await system.close();
  }
  const vaultStore = openLmdbStore(directory.paths.vault);
  const keys = loadKeys(join(path, 'keys.json'), { create: true, directory: directory.document.id });
  const vault = new PanVault(vaultStore, keys);
  const lane = openLane(directory.paths.journal, 0);
  for (let shard = 1; shard < 4; shard++) {
    const journal = new ShardJournal(shard, emptyHead(shard));
    const state = new ShardState(shard);
    const seal = (extra = 0): void => {
      const { high, low } = state.digest;
      lane.append([journal.seal(T0 + journal.sequence, { high, low: (low + extra) >>> 0 })]);
    };
    const put = (event: PlainEvent, forged: object = {}): void => {
      event.sequence = journal.appendEvent({ ...event, ...forged });
      applyEvent(state, event);
    };
    const fingerprint = { f0: 1, f1: 2, f2: shard };
    if (tamper.unknownPan !== shard) vault.put([{ fingerprint, pan: `99999900000000${shard}4` }]);
    if (tamper.brokenPan === shard) {
      const key = Buffer.from('70000000010000000200000000', 'hex');
      key[12] = shard;
      vaultStore.commit((writer) => writer.put(key, Uint8Array.of(9)));
    }
    const account: PlainEvent = {
      kind: EventKind.accountCreated,
      sequence: 0,
      timeMs: T0,
      accountSlot: 0,
      id: `acct-${shard}`,
      program: 0,
      currency: 986,
      creditLimit: 500_000,
      type: AccountType.credit,
    };
    put(account, shard === 1 ? { creditLimit: account.creditLimit + (tamper.limit ?? 0) } : {});
    put({
      kind: EventKind.cardCreated,
      sequence: 0,
      timeMs: T0,
      cardSlot: 0,
      accountSlot: 0,
      fingerprint: [1, 2, shard],
      bin: 999_999,
      last4: 14,
      panLength: 16,
      expiry: 3512,
      cardSequence: 1,
      serviceCode: 201,
      status: CardStatus.active,
      replacesSlot: -1,
      aliasOfSlot: -1,
      previousOfAccount: 1,
    });
    seal();
    const approve = (amount: number, rrn: string): number => {
      const event = new MessageEvent();
      event.timeMs = T0 + 1000;
      event.input.mti = 100;
      event.input.stan = 42;
      event.input.amount = amount;
      event.input.currency = 986;
      event.input.expiry = 3512;
      event.input.setText(Text.rrn, rrn);
      event.element = ElementKind.authorization;
      event.accountSlot = 0;
      event.cardSlot = 0;
      event.response = Response.approved;
      event.approvalCode = 17;
      event.approvedAmount = amount;
      event.authorizedAfter = amount;
      event.holdDelta = amount;
      event.authorizedAfter = amount;
      event.holdExpiresMs = T0 + 86_400_000;
      event.creditLimitBefore = 500_000;
      event.verdict(Step.format, Verdict.pass);
      event.verdict(Step.funds, Verdict.pass);
      journal.appendMessage(event);
      applyMessage(state, event);
      return event.sequence;
    };
    const first = approve(1000, '632600000001');
    approve(250, '632600000002');
    put({
      kind: EventKind.payment,
      sequence: 0,
      timeMs: T0 + 2000,
      accountSlot: 0,
      amount: 500,
      currency: shard === 1 ? (tamper.currency ?? 986) : 986,
      reference: 'pix-1',
      postings: [
        { glAccount: 1500, amount: 500 + (shard === 1 ? (tamper.credit ?? 0) : 0) },
        { glAccount: 1100, amount: -500 },
      ],
      previousOfAccount: 4,
    });
    const reversal = new MessageEvent();
    reversal.timeMs = T0 + 3000;
    reversal.input.mti = 400;
    reversal.input.replacementAmount = 400;
    reversal.element = ElementKind.reversal;
    reversal.accountSlot = 0;
    reversal.cardSlot = 0;
    reversal.response = Response.approved;
    reversal.originalSequence = shard === 1 && tamper.orphan === true ? 0 : first;
    reversal.approvedAmount = 400;
    reversal.authorizedAfter = 400;
    reversal.holdDelta = -600;
    reversal.authorizedAfter = 400;
    journal.appendMessage(reversal);
    applyMessage(state, reversal);
    put({
      kind: EventKind.accountUpdated,
      sequence: 0,
      timeMs: T0 + 4000,
      accountSlot: 0,
      creditLimit: 500_000,
      status: AccountStatus.frozen,
      previousOfAccount: 6,
    });
    seal(shard === 1 ? (tamper.digest ?? 0) : 0);
  }
  await lane.close();
  await vaultStore.close();
  await directory.close();
}
