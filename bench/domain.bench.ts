/**
 * The domain alone: decide + apply of a plain approval, of a reversal, and the memory of accounts and cards. The history
 * is in memory and answers "not found" (an approval's usual case) or with the one original; journal, index, codec and
 * rings are excluded. One thread, many cards in random order, so that rows are not in the caches.
 */

import { applyEvent, applyMessage } from '#src/domain/apply.js';
import { AccountType, CardStatus } from '#src/domain/codes.js';
import { ControlBook } from '#src/domain/controls/control-book.js';
import { noCryptography } from '#src/domain/cryptography.js';
import { decideCommand } from '#src/domain/decide-command.js';
import { DECIDED, decideMessage } from '#src/domain/decide-message.js';
import { MessageEvent } from '#src/domain/events.js';
import type { Found, History } from '#src/domain/history.js';
import { IndexKeys } from '#src/domain/index-keys.js';
import { type MessageInput, Text } from '#src/domain/message.js';
import { Policies, PolicyBook } from '#src/domain/program/policy.js';
import { RequestChecks } from '#src/domain/request-checks.js';
import { ShardState } from '#src/domain/shard-state.js';
import { WindowClock } from '#src/domain/velocity/window-clock.js';
import { IntlZoneCalendar } from '#src/intl-zone-calendar.js';
import { measure, scattered } from './measure.js';
import type { BenchRow } from './row.js';

const NOW = Date.UTC(2026, 4, 20);

/** Finds the one event it was told to find, else nothing. */
class OneEvent implements History {
  readonly floor = 0;
  #count = 0;
  readonly #sequences = new Float64Array(1);
  readonly original = new MessageEvent();
  readonly #found: Found = { count: 0, sequences: this.#sequences };

  tell(sequence: number): void {
    this.#count = sequence === 0 ? 0 : 1;
    this.#sequences[0] = sequence;
  }

  find(): Found {
    (this.#found as { count: number }).count = this.#count;
    return this.#found;
  }

  read(): MessageEvent {
    return this.original;
  }

  isMessage(): boolean {
    return true;
  }

  readEvent(): undefined {
    return undefined;
  }
}

/** A shard with as many accounts of one card each; ids as the API gives them, 20 characters. */
function populate(state: ShardState, cards: number): number {
  const policies = new Policies(state.programs, new PolicyBook([]));
  const context = { state, history: new OneEvent(), keys: new IndexKeys(1, 2), policies, cryptography: noCryptography };
  let sequence = 0;
  for (let i = 0; i < cards; i++) {
    const id = `acct_${String(i).padStart(15, '0')}`;
    const commit = (event: Parameters<typeof applyEvent>[1]): void => {
      event.sequence = ++sequence;
      applyEvent(state, event);
    };
    const account = { id, program: 1, currency: 986, creditLimit: 1e12, type: AccountType.credit };
    decideCommand(context, { op: 'create_account', ...account }, NOW, commit);
    const f = Math.imul(i + 1, 0x9e3779b1) >>> 0;
    decideCommand(
      context,
      {
        op: 'create_card',
        account: id,
        fingerprint: [f, (f ^ 0x5bd1e995) >>> 0, i],
        bin: 999_999,
        last4: i % 10_000,
        panLength: 16,
        expiry: 2912,
        cardSequence: 1,
        serviceCode: 201,
        status: CardStatus.active,
        replacesSlot: -1,
      },
      NOW,
      commit,
    );
  }
  return sequence;
}

function fill(input: MessageInput): void {
  input.mti = 100;
  input.processingCode = 0;
  input.amount = 1000;
  input.currency = 986;
  input.transmission = 520120000;
  input.expiry = 2912;
  input.mcc = 5411;
  input.entryMode = 51;
  input.setText(Text.acquirer, '00000012345');
  input.setText(Text.rrn, '614012345678');
  input.setText(Text.terminal, 'TERM0001');
  input.setText(Text.acceptor, 'MERCHANT0000001');
  input.setText(Text.acceptorName, 'A SHOP                 SAO PAULO      BR');
  input.setText(Text.networkId, 'NET123456789012');
}

function benchDecisions(cards: number, operations: number): BenchRow[] {
  const state = new ShardState(0);
  let sequence = populate(state, cards);
  const first = sequence + 1;
  const history = new OneEvent();
  const keys = new IndexKeys(0x1234567, 0x89abcde);
  const checks = new RequestChecks(state, new ControlBook(new WindowClock(new IntlZoneCalendar())));
  const context = {
    state,
    history,
    keys,
    policies: new Policies(state.programs, new PolicyBook([])),
    checks,
    cryptography: noCryptography,
  };
  const event = new MessageEvent();
  fill(event.input);
  let undecided = 0;

  const approve = (i: number): void => {
    event.input.stan = i % 1_000_000;
    if (decideMessage(context, event.input, scattered(i, cards), NOW + i, 0, event) !== DECIDED) undecided++;
    event.sequence = ++sequence;
    applyMessage(state, event);
  };
  const rows = [measure('domain', `decide and apply an approval, ${cards / 1000} k cards`, operations, approve)];
  if (undecided > 0 || state.holdsOpen !== sequence + 1 - first) throw new Error('not every request was approved');

  const { original } = history;
  fill(original.input);
  original.timeMs = NOW;
  original.response = event.response;
  original.element = event.element;
  const open = state.holdsOpen;
  event.input.mti = 400;
  const reverse = (i: number): void => {
    const hold = first + i;
    const card = state.holds.card(state.holds.find(hold));
    history.tell(hold);
    original.sequence = hold;
    original.cardSlot = card;
    original.accountSlot = state.cards.account(card);
    // The reversal has a key of its own, so that it is no repeat, and names its original by DE37 and DE41.
    event.input.stan = (i + 1) % 1_000_000;
    original.input.stan = -2;
    decideMessage(context, event.input, card, NOW, 0, event);
    event.sequence = ++sequence;
    applyMessage(state, event);
  };
  rows.push(measure('domain', 'decide and apply a full reversal', Math.min(operations, open), reverse));
  if (state.holdsOpen !== open - Math.min(operations, open)) throw new Error('not every hold was released');
  return rows;
}

/** Memory of one account with one card, hash tables and id arena included, as a row whose bytes are the result. */
function benchMemory(cards: number): BenchRow {
  const state = new ShardState(0);
  const started = process.hrtime.bigint();
  populate(state, cards);
  // What the checkpoint has still to write is no part of a row.
  while (state.takeDirty(65_536, () => undefined) > 0);
  const nsPerOp = Number(process.hrtime.bigint() - started) / cards;
  const bytesPerOp = Math.round((state.accounts.memoryBytes + state.cards.memoryBytes) / cards);
  const name = `create an account and a card; memory of both at ${cards / 1e6} M`;
  return { room: 'domain', name, opsPerSec: Math.round(1e9 / nsPerOp), nsPerOp: Math.round(nsPerOp), bytesPerOp };
}

/** Runs the domain's benchmarks, about ten seconds. */
export function benchDomain(): BenchRow[] {
  return [...benchDecisions(1000, 1_000_000), ...benchDecisions(500_000, 1_000_000), benchMemory(1_000_000)];
}
