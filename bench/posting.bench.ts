/**
 * Posting of clearing records, without rings, index and disk: a record is decided (posted before? which authorization?), applied
 * and written as a journal record. The history is in memory and answers what a first presentment meets: nothing under the
 * acquirer's reference, its authorization under the network id. One thread, many cards in random order.
 */

import { applyEvent, applyMessage } from '#src/domain/apply.js';
import { decideClearing } from '#src/domain/clearing/decide-clearing.js';
import type { ClearingEntry } from '#src/domain/clearing/input.js';
import { AccountType, CardStatus, EventKind } from '#src/domain/codes.js';
import { ControlBook } from '#src/domain/controls/control-book.js';
import { noCryptography } from '#src/domain/cryptography.js';
import { DECIDED, decideMessage } from '#src/domain/decide-message.js';
import { MessageEvent } from '#src/domain/events.js';
import { type Found, type History, KeyKind } from '#src/domain/history.js';
import { IndexKeys } from '#src/domain/index-keys.js';
import { Text } from '#src/domain/message.js';
import { Policies, PolicyBook } from '#src/domain/program/policy.js';
import { RequestChecks } from '#src/domain/request-checks.js';
import { ShardState } from '#src/domain/shard-state.js';
import { WindowClock } from '#src/domain/velocity/window-clock.js';
import { IntlZoneCalendar } from '#src/intl-zone-calendar.js';
import { MsgpackWriter } from '#src/journal/msgpack.js';
import { writePlain } from '#src/journal/plain-writer.js';
import { scattered } from './measure.js';
import type { BenchRow } from './row.js';

const NOW = Date.UTC(2026, 4, 20);
const CARDS = 100_000;
const RECORDS = 110_000;
const BLOCKS = 11;

/** Finds the authorization it was told of by its network id, and nothing else. */
class OneAuthorization implements History {
  readonly floor = 0;
  readonly message = new MessageEvent();
  readonly #sequences = new Float64Array(1);
  readonly #found: Found = { count: 1, sequences: this.#sequences };
  readonly #none: Found = { count: 0, sequences: this.#sequences };
  tells = false;

  find(high: number): Found {
    this.#sequences[0] = this.message.sequence;
    return this.tells && high >>> 29 === KeyKind.networkId ? this.#found : this.#none;
  }

  read(): MessageEvent {
    return this.message;
  }

  isMessage(): boolean {
    return true;
  }

  readEvent(): undefined {
    return undefined;
  }
}

const cardAt = (i: number): number => scattered(i, CARDS);

/** @returns the sequence of the last record */
function populate(state: ShardState): number {
  let sequence = 0;
  for (let slot = 0; slot < CARDS; slot++) {
    const head = { timeMs: NOW, accountSlot: slot };
    const account = { id: `acct_${slot}`, program: 1, currency: 986, creditLimit: 1e12, type: AccountType.credit };
    applyEvent(state, { kind: EventKind.accountCreated, sequence: ++sequence, ...head, ...account });
    applyEvent(state, {
      ...{
        kind: EventKind.cardCreated,
        sequence: ++sequence,
        ...head,
        cardSlot: slot,
        fingerprint: [slot, slot, slot],
      },
      ...{ bin: 999_999, last4: 18, panLength: 16, expiry: 3512, cardSequence: 1, serviceCode: 201 },
      ...{ status: CardStatus.active, replacesSlot: -1, aliasOfSlot: -1, previousOfAccount: 0 },
    });
  }
  return sequence;
}

function entryOf(i: number): ClearingEntry {
  const amounts = { amount: 1000, currency: 986, settlementAmount: 200, settlementCurrency: 840 };
  return {
    card: cardAt(i),
    fingerprint: [0, 0, 0],
    input: {
      ...{ record: i + 1, mti: 1240, functionCode: 200, processingCode: 0, ...amounts },
      ...{ billingAmount: 1000, billingCurrency: 986, network: 1, sub: 1_381_107, businessDay: 20_593, mcc: 5411 },
      ...{ country: 76, localDay: 20_593, localSeconds: 0, partial: 0, sequence: 0, count: 0, reversal: 0 },
      ...{ originalDay: -1, cashBack: -1, arn: `7999999${String(i).padStart(16, '0')}`, networkId: 'NET123456789012' },
      ...{ rrn: '614012345678', approvalCode: '123456', acquirer: '12345', terminal: 'TERM0001' },
      ...{ acceptor: 'MERCHANT0000001', acceptorName: 'A SHOP', fees: [{ amount: 3, currency: 840, sign: 0 }] },
    },
  };
}

/** One row: match and post a first presentment that clears its authorization in full. */
export function benchPosting(): BenchRow[] {
  const state = new ShardState(0);
  let sequence = populate(state);
  const history = new OneAuthorization();
  const checks = new RequestChecks(state, new ControlBook(new WindowClock(new IntlZoneCalendar())));
  const policies = new Policies(state.programs, new PolicyBook([]));
  const context = { state, history, keys: new IndexKeys(1, 2), policies, checks, cryptography: noCryptography };
  const { message } = history;
  Object.assign(message.input, { mti: 100, processingCode: 0, amount: 1000, currency: 986, transmission: 520120000 });
  message.input.setText(Text.networkId, 'NET123456789012');
  message.input.setText(Text.acceptor, 'MERCHANT0000001');
  const first = sequence + 1;
  for (let i = 0; i < RECORDS; i++) {
    message.input.stan = i;
    if (decideMessage(context, message.input, cardAt(i), NOW, 0, message) !== DECIDED) throw new Error('a repeat');
    message.sequence = ++sequence;
    applyMessage(state, message);
  }
  const entries = Array.from({ length: RECORDS }, (_, i) => entryOf(i));
  const out = new MsgpackWriter(4096);
  history.tells = true;
  const size = RECORDS / BLOCKS;
  const times: number[] = [];
  for (let block = 0; block < BLOCKS; block++) {
    const started = process.cpuUsage();
    for (let i = block * size; i < (block + 1) * size; i++) {
      const entry = entries[i]!;
      message.sequence = first + i;
      message.cardSlot = entry.card;
      message.accountSlot = entry.card;
      const decided = decideClearing(context, 'F1', entry, NOW, 0);
      if ('outcome' in decided || decided.originalSequence !== first + i) throw new Error('a record was not posted');
      decided.sequence = ++sequence;
      applyEvent(state, decided);
      out.at = 0;
      writePlain(out, decided);
    }
    const { user, system } = process.cpuUsage(started);
    times.push(((user + system) * 1000) / size);
  }
  const nsPerOp = times.slice(1).sort((a, b) => a - b)[(BLOCKS - 1) >> 1]!;
  const name = `match and post a presentment, ${CARDS / 1000} k cards`;
  return [{ room: 'clearing', name, opsPerSec: Math.round(1e9 / nsPerOp), nsPerOp: Math.round(nsPerOp) }];
}
