/** A small data directory, written with the engine's own journal and fold, for the commands that read one. */

import { applyEvent, applyMessage } from '../../src/domain/apply.js';
import {
  AccountStatus,
  AccountType,
  CardStatus,
  ElementKind,
  EventKind,
  Response,
  Step,
  Verdict,
} from '../../src/domain/codes.js';
import { MessageEvent, type PlainEvent } from '../../src/domain/events.js';
import { Text } from '../../src/domain/message.js';
import { ShardState } from '../../src/domain/shard-state.js';
import { openLane } from '../../src/journal/lane-directory.js';
import { emptyHead } from '../../src/journal/reader.js';
import { ShardJournal } from '../../src/journal/shard-journal.js';
import { DataDirectory } from '../../src/store/data-directory.js';

const T0 = Date.UTC(2026, 10, 22, 12);

export interface Tamper {
  /** Added to the digest of the second frame of shard 1. */
  digest?: number;
  /** Added to the hold that the first approval of shard 1 places, after its digest was taken. */
  credit?: number;
}

/** Per shard: an account, a card, two approvals, a payment, a partial reversal; shard 0 stays empty. Two frames each. */
export async function writeDirectory(path: string, tamper: Tamper = {}): Promise<void> {
  const directory = await DataDirectory.open(path, { shards: 4, create: true });
  const lane = openLane(directory.paths.journal, 0);
  for (let shard = 1; shard < 4; shard++) {
    const journal = new ShardJournal(shard, emptyHead(shard));
    const state = new ShardState(shard);
    const seal = (extra = 0): void => {
      const { high, low } = state.digest;
      lane.append([journal.seal(T0 + journal.sequence, { high, low: (low + extra) >>> 0 })]);
    };
    const put = (event: PlainEvent): void => {
      journal.appendEvent(event);
      applyEvent(state, event);
    };
    put({
      kind: EventKind.accountCreated,
      sequence: 0,
      timeMs: T0,
      accountSlot: 0,
      id: `acct-${shard}`,
      program: 0,
      currency: 986,
      creditLimit: 500_000,
      type: AccountType.credit,
    });
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
      event.holdDelta = amount;
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
      currency: 986,
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
    reversal.originalSequence = first;
    reversal.approvedAmount = 400;
    reversal.holdDelta = -600;
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
  await directory.close();
}
