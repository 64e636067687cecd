/** Rows of the shards as objects of the API. */
import { codeName, snakeCase } from '../domain/code-names.js';
import { AccountStatus, AccountType, CardStatus } from '../domain/codes.js';
import type { Refusal } from '../domain/commands.js';
import type { AccountView, CardView } from '../domain/party-commands.js';
import { printTables } from '../domain/program/print.js';
import { defaultProgramTables } from '../domain/program/tables.js';
import type { ControlContext } from './context.js';
import { currencyCode } from './currencies.js';
import { ApiError, type ProblemCode } from './problem.js';
import type { ProgramRow } from './system-state.js';

export { codeName, snakeCase };

export function accountStatusOf(name: keyof typeof AccountStatus): AccountStatus {
  return AccountStatus[name];
}

export function accountTypeOf(name: keyof typeof AccountType): AccountType {
  return AccountType[name];
}

export function cardStatusOf(name: keyof typeof CardStatus): CardStatus {
  return CardStatus[name];
}

export function time(ms: number): string {
  return new Date(ms).toISOString();
}

/** PIN tries of each revision of a program, so that a list of cards reads a snapshot once. */
const pinTriesOfRow = new WeakMap<ProgramRow, number>();

/** Failed PINs after which a card of the program is blocked: pin.tries of its tables. */
function pinTriesMax(row: ProgramRow | undefined): number {
  if (row?.snapshot === undefined) return defaultProgramTables.pinTries;
  let tries = pinTriesOfRow.get(row);
  if (tries === undefined) {
    tries = (JSON.parse(row.snapshot) as { tables: { pin: { tries: number } } }).tables.pin.tries;
    pinTriesOfRow.set(row, tries);
  }
  return tries;
}

export function accountObject(context: ControlContext, view: AccountView): Record<string, unknown> {
  return {
    object: 'account',
    id: view.id,
    program: context.system.programAt(view.program)?.program.id ?? `program_${view.program}`,
    currency: currencyCode(view.currency),
    credit_limit: view.creditLimit,
    type: codeName(AccountType, view.type),
    status: codeName(AccountStatus, view.status),
    balances: { posted: view.posted, held: view.held, available: view.creditLimit - view.posted - view.held },
    ...shownControls(view.controls),
    created_at: time(view.createdMs),
  };
}

function maskedNumber({ bin, last4, panLength }: CardView): { bin: string; last4: string; masked_pan: string } {
  const first = String(bin).padStart(6, '0');
  const last = String(last4).padStart(4, '0');
  return { bin: first, last4: last, masked_pan: `${first}${'*'.repeat(Math.max(0, panLength - 10))}${last}` };
}

export function cardObject(context: ControlContext, shard: number, view: CardView): Record<string, unknown> {
  const left = Math.max(0, pinTriesMax(context.system.programAt(view.program)) - view.pinTries);
  return {
    object: 'card',
    id: context.ids.encode('card', shard, view.slot),
    account: view.account,
    ...maskedNumber(view),
    expiry: String(view.expiry).padStart(4, '0'),
    sequence: view.cardSequence,
    service_code: String(view.serviceCode).padStart(3, '0'),
    status: codeName(CardStatus, view.status),
    network_listing: view.listing === 0 ? null : codeName(CardStatus, view.listing),
    replaces: view.replacesSlot < 0 ? null : context.ids.encode('card', shard, view.replacesSlot),
    ...shownControls(view.controls),
    pin: { set: view.pinSet, tries_used: view.pinTries, tries_left: left, blocked: left === 0 },
    created_at: time(view.createdMs),
  };
}

/** A network token, masked like a card. */
export function aliasObject(context: ControlContext, shard: number, view: CardView): Record<string, unknown> {
  return {
    object: 'alias',
    id: context.ids.encode('alias', shard, view.slot),
    card: context.ids.encode('card', shard, view.aliasOfSlot),
    account: view.account,
    ...maskedNumber(view),
    expiry: String(view.expiry).padStart(4, '0'),
    status: codeName(CardStatus, view.status),
    network_listing: view.listing === 0 ? null : codeName(CardStatus, view.listing),
    created_at: time(view.createdMs),
  };
}

/** Controls as they were set; what events are made of has none. */
function shownControls(text: string | undefined): { controls?: unknown } {
  if (text === undefined) return {};
  return { controls: text === '' ? null : JSON.parse(text) };
}

export function programObject(row: ProgramRow): Record<string, unknown> {
  const { id, name, currency, product, bins, sandbox, tables, controls } = row.program;
  return {
    object: 'program',
    id,
    revision: row.revision,
    name,
    currency,
    product,
    bins,
    sandbox,
    tables,
    controls,
    effective_tables: effectiveTables(row),
    created_at: time(row.createdMs),
    updated_at: time(row.updatedMs),
  };
}

/** What the shards decide with. Without a snapshot they have the defaults of this release. */
function effectiveTables({ snapshot }: ProgramRow): unknown {
  if (snapshot === undefined) return printTables(defaultProgramTables);
  return (JSON.parse(snapshot) as { tables: unknown }).tables;
}

/** `told`: the shard's own text goes out where it has one. Such a text has amounts and days, never what a caller has named. */
const refusals: Record<Refusal, { code: ProblemCode; detail: string; told?: true }> = {
  account_exists: { code: 'account_exists', detail: 'An account with this id exists.' },
  account_not_found: { code: 'account_not_found', detail: 'There is no account with this id.' },
  account_closed: { code: 'account_closed', detail: 'The account is closed and stays closed.' },
  card_exists: { code: 'card_exists', detail: 'A card with this number exists.' },
  card_not_found: { code: 'card_not_found', detail: 'There is no such card.' },
  card_status_final: { code: 'card_status_final', detail: 'Lost, stolen and closed cards keep their status.' },
  card_replaced: { code: 'card_replaced', detail: 'The card has a replacement; replace that one.' },
  not_a_card: { code: 'not_a_card', detail: 'A network token stands for a card; ask for this of the card.' },
  currency_mismatch: { code: 'currency_mismatch', detail: 'The currency is not that of the account.' },
  reference_exists: { code: 'reference_exists', detail: 'A payment or an entry of this kind has this reference.' },
  entry_not_found: { code: 'not_found', detail: 'There is no such object.' },
  already_reversed: { code: 'already_reversed', detail: 'It was taken back before.' },
  balance_too_low: { code: 'balance_too_low', detail: 'The account has less than that.' },
  nothing_owed: { code: 'nothing_owed', detail: 'The account owes nothing.' },
  account_charged_off: { code: 'account_charged_off', detail: 'What the account owed was charged off.' },
  dispute_step_refused: { code: 'dispute_step_refused', detail: 'The dispute does not stand where this step begins.' },
  given_back: {
    code: 'given_back',
    detail:
      'It was given back already, by a dispute, a refund or a reversal. Withdraw the dispute, after a chargeback take that back first.',
  },
  suspense_amount: {
    code: 'suspense_amount',
    detail: 'The record names its amount in the currency of the account: leave `amount` out.',
  },
  already_resolved: { code: 'already_resolved', detail: 'It is not in suspense any more, or goes to another card.' },
  day_out_of_range: {
    code: 'day_out_of_range',
    detail: 'The accrual is past that day, or far behind it, or it has not begun.',
    told: true,
  },
  amount_out_of_range: {
    code: 'amount_out_of_range',
    detail: 'The amount, or a balance with it, would leave its range.',
    told: true,
  },
  capacity_exceeded: { code: 'capacity_exceeded', detail: 'The shard has no room for more; raise its limits.' },
  idempotency_mismatch: {
    code: 'idempotency_mismatch',
    detail: 'This key was used with another method, path or body. Take a new key.',
  },
  hold_not_open: { code: 'not_simulatable', detail: 'The authorization has no open hold.' },
  dropped: {
    code: 'dropped',
    detail:
      'It needs a record that is not in the journal any more: it was dropped after its time (docs/reference/retention.md).',
  },
  set_aside: {
    code: 'shard_unavailable',
    detail: 'The shard stopped at this very request once, and does not take it again.',
  },
  shard_unavailable: { code: 'shard_unavailable', detail: 'The shard takes no new work at the moment.' },
};

/** What a shard's refusal is to a client. `path` is true when the refused object is the one in the URL (404). */
export function refused(
  { code: refusal, detail: text }: { readonly code: Refusal; readonly detail?: string },
  options: { param?: string; path?: boolean } = {},
): ApiError {
  const { code, detail: usual, told } = refusals[refusal];
  const detail = told === true && text !== undefined ? sentence(text) : usual;
  if (options.path === true && (refusal === 'account_not_found' || refusal === 'card_not_found'))
    return new ApiError('not_found', detail);
  return new ApiError(code, detail, {
    ...(options.param === undefined ? {} : { param: options.param }),
    ...(refusal === 'shard_unavailable' ? { retryAfterSeconds: 1 } : {}),
  });
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

/** Text of a refusal for a row of an import. */
export function refusalDetail(refusal: Refusal): string {
  return refusals[refusal].detail;
}
