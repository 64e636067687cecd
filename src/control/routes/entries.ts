/** Ledger entries on command: fees, returned payments, refunds of credit balances, charge-offs and recoveries. */
import { z } from 'zod';
import { EventKind } from '../../domain/codes.js';
import type { CommandResult } from '../../domain/commands.js';
import type { EntryCommand } from '../../domain/entry-commands.js';
import { EntryKind } from '../../domain/ledger/entry-kinds.js';
import type { AccountView } from '../../domain/party-commands.js';
import type { ControlContext } from '../context.js';
import { currencyOfCode } from '../currencies.js';
import { entryObject, findEntry } from '../entry-object.js';
import { accountSlotOf } from '../events/event-object.js';
import { catchUp, type JournalRecord, readRecord } from '../history.js';
import type { ClaimedKey } from '../idempotency.js';
import { ApiError, type ProblemCode } from '../problem.js';
import { type Answer, type Route, route } from '../route.js';
import { journalRead, shardWrite } from '../route-errors.js';
import * as schemas from '../schemas.js';
import { entry } from '../schemas-authorizations.js';
import * as shapes from '../schemas-entries.js';
import { refused } from '../views.js';

const ofAccount = z.object({ id: schemas.chosenId });
const ofRecord = z.object({ id: z.string().max(64) });
/** Of every write of an entry, whose answer is read from the journal. */
export const entryWrite: readonly ProblemCode[] = [...shardWrite, ...journalRead, 'amount_out_of_range'];
const accountWrite: readonly ProblemCode[] = [...entryWrite, 'currency_mismatch', 'reference_exists'];
const answers = { 201: { description: 'The entry', schema: entry } };

export function entryRoutes(context: ControlContext): Route[] {
  return [
    route({
      id: 'chargeFee',
      method: 'POST',
      path: '/v1/accounts/{id}/fees',
      tag: 'ledger',
      summary: 'Charge an account a fee',
      access: 'write',
      idempotency: 'shard',
      approval: 'adjustments',
      params: ofAccount,
      body: shapes.feeCreate,
      errors: [...accountWrite, 'account_charged_off'],
      answers,
      handle({ params, body, idempotency }) {
        const { note = '' } = body;
        return ofAccountAnswer(context, params.id, { op: 'fee', ...money(params.id, body), note }, idempotency);
      },
    }),
    route({
      id: 'waiveFee',
      method: 'POST',
      path: '/v1/fees/{id}/waive',
      tag: 'ledger',
      summary: 'Take a fee back',
      description: 'In full and once; `id` is that of the entry of the fee.',
      access: 'write',
      idempotency: 'shard',
      approval: 'adjustments',
      params: ofRecord,
      body: shapes.waiver,
      errors: [...entryWrite, 'already_reversed', 'given_back'],
      answers,
      async handle({ params, body, idempotency }) {
        const fee = await findEntry(context, 'entry', params.id);
        const { event } = fee ?? {};
        if (fee === undefined || event?.kind !== EventKind.entryPosted || event.entry !== EntryKind.fee)
          throw new ApiError('not_found', 'There is no such fee.');
        const { shard, sequence } = fee;
        const command = { op: 'waive_fee', sequence, note: body.note ?? '' } as const;
        return entryAnswer(context, shard, await run(context, shard, command, idempotency));
      },
    }),
    route({
      id: 'returnPayment',
      method: 'POST',
      path: '/v1/payments/{id}/return',
      tag: 'payments',
      summary: 'Take a payment back',
      description: 'In full and once, with the fee that is named, or that of the program.',
      access: 'write',
      idempotency: 'shard',
      approval: 'payments',
      params: ofRecord,
      body: shapes.paymentReturn,
      errors: [...entryWrite, 'already_reversed', 'account_charged_off'],
      answers: { 201: { description: 'The return', schema: shapes.paymentReturned } },
      async handle({ params, body, idempotency }) {
        const payment = await findEntry(context, 'pay', params.id);
        if (payment?.event?.kind !== EventKind.payment) throw new ApiError('not_found', 'There is no such payment.');
        const { shard, sequence } = payment;
        const command = { op: 'return_payment', sequence, fee: body.fee ?? -1, note: body.note ?? '' } as const;
        const result = done(await run(context, shard, command, idempotency), '/fee');
        const balance = result.balanceAfter ?? 0;
        const { feeSequence } = result;
        const returned = await entryAt(
          context,
          shard,
          result.sequence,
          balance - (feeSequence === undefined ? 0 : command.fee),
        );
        const fee = feeSequence === undefined ? null : await entryAt(context, shard, feeSequence, balance);
        const object = { object: 'payment_return', payment: params.id, entry: returned, fee };
        return { status: 201, body: object, replayed: result.replayed === true };
      },
    }),
    route({
      id: 'refundCreditBalance',
      method: 'POST',
      path: '/v1/accounts/{id}/credit-balance-refunds',
      tag: 'ledger',
      summary: 'Pay out what an account has in credit',
      description: 'At most the credit balance less what the account owes.',
      access: 'write',
      idempotency: 'shard',
      approval: 'adjustments',
      params: ofAccount,
      body: shapes.creditRefundCreate,
      errors: [...accountWrite, 'balance_too_low'],
      answers,
      handle({ params, body, idempotency }) {
        return ofAccountAnswer(context, params.id, { op: 'refund_credit', ...money(params.id, body) }, idempotency);
      },
    }),
    route({
      id: 'chargeOff',
      method: 'POST',
      path: '/v1/accounts/{id}/charge-off',
      tag: 'ledger',
      summary: 'Take what an account owes as a loss, and close it',
      access: 'write',
      idempotency: 'shard',
      approval: 'adjustments',
      params: ofAccount,
      body: shapes.chargeOffCreate,
      errors: [...entryWrite, 'reference_exists', 'nothing_owed'],
      answers,
      handle({ params, body, idempotency }) {
        const { reference, note = '' } = body;
        return ofAccountAnswer(
          context,
          params.id,
          { op: 'charge_off', account: params.id, reference, note },
          idempotency,
        );
      },
    }),
    route({
      id: 'recover',
      method: 'POST',
      path: '/v1/accounts/{id}/recoveries',
      tag: 'ledger',
      summary: 'Post money for what was charged off',
      description:
        'At most what was charged off and has not been recovered. A payment of the cardholder pays it down by itself.',
      access: 'write',
      idempotency: 'shard',
      approval: 'adjustments',
      params: ofAccount,
      body: shapes.recoveryCreate,
      errors: [...accountWrite, 'balance_too_low'],
      answers,
      handle({ params, body, idempotency }) {
        return ofAccountAnswer(context, params.id, { op: 'recovery', ...money(params.id, body) }, idempotency);
      },
    }),
  ];
}

function money(
  account: string,
  { amount, currency, reference }: { amount: number; currency: string; reference: string },
): { account: string; amount: number; currency: number; reference: string } {
  return { account, amount, currency: currencyOfCode(currency)!, reference };
}

/** Sends the command with the request's idempotency tag. */
export function run(
  context: ControlContext,
  shard: number,
  command: EntryCommand,
  idempotency: ClaimedKey | undefined,
): Promise<CommandResult> {
  return context.shards.command(
    shard,
    idempotency === undefined ? command : { ...command, idempotency: idempotency.tag },
  );
}

async function ofAccountAnswer(
  context: ControlContext,
  account: string,
  command: EntryCommand,
  idempotency: ClaimedKey | undefined,
): Promise<Answer> {
  const shard = context.placement(account);
  return entryAnswer(context, shard, await run(context, shard, command, idempotency));
}

type Done = Extract<CommandResult, { balanceAfter?: number }>;

const paramOf: Partial<Record<string, string>> = { currency_mismatch: '/currency', reference_exists: '/reference' };

/** @param amountAt pointer of the amount in the body @throws ApiError for a refusal */
export function done(result: CommandResult, amountAt = '/amount'): Done {
  if (result.ok) return result;
  const { code } = result;
  if (code === 'account_not_found') throw refused(result, { path: true });
  const param = code === 'amount_out_of_range' || code === 'balance_too_low' ? amountAt : paramOf[code];
  throw refused(result, param === undefined ? {} : { param });
}

async function entryAnswer(context: ControlContext, shard: number, result: CommandResult): Promise<Answer> {
  const posted = done(result);
  const body = await entryAt(context, shard, posted.sequence, posted.balanceAfter ?? null);
  return { status: 201, body, replayed: posted.replayed === true };
}

/** The entry at a sequence that a shard has answered with. */
export async function entryAt(
  context: ControlContext,
  shard: number,
  sequence: number,
  balanceAfter: number | null,
): Promise<Record<string, unknown>> {
  await catchUp(context, shard, sequence);
  const record = readRecord(context, shard, sequence);
  if (record === undefined) throw new TypeError(`shard ${shard} answered with ${sequence}, which is not there`);
  return entryObject(context, await ownerOfRecord(context, record), record, balanceAfter);
}

/** Account of a record; undefined when it has none. */
export async function ownerOfRecord(context: ControlContext, record: JournalRecord): Promise<AccountView | undefined> {
  const slot = accountSlotOf(record);
  if (slot < 0) return undefined;
  const result = await context.shards.read(record.shard, { op: 'account_slot', slot });
  if (!result.ok) throw refused(result);
  if (!('account' in result)) throw new TypeError('the shard answered no account');
  return result.account;
}
