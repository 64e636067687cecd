/**
 * The simulator's clearing: one record as a file would bring it, by the command that a batch of a file goes by. With an
 * Idempotency-Key the record follows from the key, so a retry after a crash is answered as the record that it is.
 */
import { randomBytes } from 'node:crypto';
import { approvalCodeText } from '../../domain/approval-code.js';
import type { ClearingAnswer, ClearingInput } from '../../domain/clearing/input.js';
import { EventKind } from '../../domain/codes.js';
import type { ClearingPosted, MessageEvent } from '../../domain/events.js';
import { Text } from '../../domain/message.js';
import { mulDivHalfUp } from '../../domain/money.js';
import { SIMULATED_FILE } from '../../recon/files.js';
import { type AuthorizationDetails, authorizationObject, findRecord, recordAt } from '../authorizations.js';
import { clearingObject } from '../clearing-object.js';
import type { ControlContext } from '../context.js';
import { currencyCode, currencyOfCode } from '../currencies.js';
import { catchUp, readRecord } from '../history.js';
import { type ClaimedKey, derive } from '../idempotency.js';
import { eventId } from '../ids.js';
import { maskedClearing } from '../masked-clearing.js';
import { ApiError } from '../problem.js';
import type { Answer } from '../route.js';
import type * as bodies from '../schemas-simulate.js';
import { type Addressee, addresseeOf } from '../simulator.js';
import { refused } from '../views.js';
import type { FoundCard } from './cards.js';

const PRESENTMENT = 1240;
const FIRST = 200;
const DAY_MS = 86_400_000;

/** What the simulator's calls that clear have in common. */
type Body = Pick<
  bodies.ClearingBody,
  | 'amount'
  | 'billing_amount'
  | 'currency'
  | 'mcc'
  | 'merchant'
  | 'country'
  | 'acquirer'
  | 'network_id'
  | 'rrn'
  | 'approval_code'
> &
  Partial<Pick<bodies.ClearingBody, 'settlement' | 'partial' | 'sequence' | 'arn' | 'interchange'>>;

/** Names that the record gets where the body does not say them. */
interface Made {
  file: string;
  arn: string;
}

function madeOf(context: ControlContext, key: ClaimedKey | undefined): Made {
  const bytes = derive(context.keys.id, 'simulate', key?.tag.keyHash ?? randomBytes(32), 1);
  const digits = String(bytes.readUIntBE(0, 6) % 1e15).padStart(15, '0');
  return { file: `${SIMULATED_FILE}${bytes.subarray(6, 18).toString('hex')}`, arn: `79999990${digits}` };
}

/** A record about a payment that names no authorization of ours. @param type first two digits of DE3 */
export function newRecord(
  context: ControlContext,
  body: Body,
  type: number,
  found: FoundCard,
  key: ClaimedKey | undefined,
): { file: string; input: ClearingInput } {
  const made = madeOf(context, key);
  const { currency: account } = found.account;
  const currency = body.currency === undefined ? account : currencyOfCode(body.currency)!;
  if (currency !== account && body.billing_amount === undefined)
    throw new ApiError('currency_mismatch', `Say billing_amount in ${currencyCode(account)} as well.`, {
      param: '/billing_amount',
    });
  const billingAmount = currency === account ? body.amount : body.billing_amount!;
  const input: ClearingInput = {
    ...head(context, body, made, key),
    processingCode: type * 10_000,
    ...{ amount: body.amount, currency, billingAmount, billingCurrency: account },
    ...settlementOf(body, billingAmount, account),
    mcc: Number(body.mcc),
    country: Number(body.country),
    networkId: body.network_id ?? '',
    rrn: body.rrn ?? '',
    approvalCode: body.approval_code ?? '',
    acquirer: body.acquirer,
    terminal: body.merchant.terminal ?? '',
    acceptor: body.merchant.id ?? '',
    acceptorName: body.merchant.name ?? '',
  };
  return { file: made.file, input };
}

/** A record about the payment of a message: its merchant and references. */
export function recordOf(
  context: ControlContext,
  body: Body,
  { input: past, approvalCode }: MessageEvent,
  found: FoundCard,
  key: ClaimedKey | undefined,
): { file: string; input: ClearingInput } {
  const made = madeOf(context, key);
  const { currency: account } = found.account;
  const isForeign = past.currency !== account;
  if (isForeign && body.billing_amount === undefined && !(past.amount > 0 && past.billingAmount > 0))
    throw new ApiError('not_simulatable', 'The authorization has no amount in the currency of its account.', {
      param: '/authorization',
    });
  const billingAmount = isForeign
    ? (body.billing_amount ?? mulDivHalfUp(body.amount, past.billingAmount, past.amount))
    : body.amount;
  const input: ClearingInput = {
    ...head(context, body, made, key),
    processingCode: past.processingCode,
    ...{ amount: body.amount, currency: past.currency, billingAmount, billingCurrency: account },
    ...settlementOf(body, billingAmount, account),
    mcc: past.mcc,
    country: past.country,
    networkId: past.textOf(Text.networkId),
    rrn: past.textOf(Text.rrn),
    approvalCode: approvalCodeText(approvalCode),
    acquirer: past.textOf(Text.acquirer),
    terminal: past.textOf(Text.terminal),
    acceptor: past.textOf(Text.acceptor),
    acceptorName: past.textOf(Text.acceptorName).trim(),
  };
  return { file: made.file, input };
}

/** What takes the newest clearing record of the authorization back. */
export function reversalOf(
  context: ControlContext,
  { elements }: AuthorizationDetails,
  key: ClaimedKey | undefined,
): { file: string; input: ClearingInput } {
  const events = elements.flatMap(({ event }) => (event?.kind === EventKind.clearingPosted ? [event] : []));
  const takenBack = new Set(events.map(({ relatedSequence }) => relatedSequence));
  const last = events.findLast(({ input, sequence }) => input.reversal === 0 && !takenBack.has(sequence));
  // A retry after a crash finds its record posted, and makes the same one again.
  const made = madeOf(context, key);
  const mine = events.find(({ file }) => file === made.file);
  const original = mine ?? last;
  if (original === undefined)
    throw new ApiError('not_simulatable', 'The authorization has no clearing record that could be taken back.', {
      param: '/authorization',
    });
  return {
    file: made.file,
    input: { ...original.input, record: 1, reversal: 1, originalDay: original.input.localDay },
  };
}

function head(
  context: ControlContext,
  body: Body,
  made: Made,
  key: ClaimedKey | undefined,
): Pick<
  ClearingInput,
  | 'record'
  | 'mti'
  | 'functionCode'
  | 'network'
  | 'businessDay'
  | 'localDay'
  | 'localSeconds'
  | 'partial'
  | 'sequence'
  | 'count'
  | 'reversal'
  | 'originalDay'
  | 'cashBack'
  | 'arn'
> {
  const timeMs = key?.claimedMs ?? context.nowMs();
  return {
    record: 1,
    mti: PRESENTMENT,
    functionCode: FIRST,
    network: 0,
    businessDay: Math.floor(timeMs / DAY_MS),
    localDay: Math.floor(timeMs / DAY_MS),
    localSeconds: Math.floor((timeMs % DAY_MS) / 1000),
    partial: body.partial === true ? 1 : 0,
    sequence: body.sequence?.number ?? 0,
    count: body.sequence?.of ?? 0,
    reversal: 0,
    originalDay: -1,
    cashBack: -1,
    arn: body.arn ?? made.arn,
  };
}

/** DE5 and DE50: as said, else as billed. */
function settlementOf(
  { settlement, interchange }: Body,
  billingAmount: number,
  account: number,
): Pick<ClearingInput, 'settlementAmount' | 'settlementCurrency' | 'sub' | 'fees'> {
  const currency = settlement === undefined ? account : currencyOfCode(settlement.currency)!;
  return {
    settlementAmount: settlement?.amount ?? billingAmount,
    settlementCurrency: currency,
    sub: 0,
    fees: interchange === undefined ? [] : [{ amount: interchange, currency, sign: 0 }],
  };
}

/** Posts the record, and answers with what became of it. */
export async function simulateClearing(
  context: ControlContext,
  found: FoundCard,
  { file, input }: { file: string; input: ClearingInput },
): Promise<Answer> {
  const to = addresseeOf(context, found);
  const answer = await post(context, to, file, maskedClearing(to.pan, input));
  const { shard } = to;
  await catchUp(context, shard, answer.sequence);
  const event = readRecord(context, shard, answer.sequence)?.event;
  const cleared = event?.kind === EventKind.clearingPosted ? event : undefined;
  const owner = { id: found.account.id, currency: found.account.currency };
  const body = {
    object: 'simulation',
    // A repeat of the call is answered as the call was.
    outcome: answer.outcome === 'duplicate' ? 'duplicate' : 'posted',
    authorization: await authorizationOf(context, shard, answer, cleared),
    element: eventId(context, 'elem', shard, answer.sequence),
    clearing: cleared === undefined ? null : clearingObject(context, shard, cleared, owner),
    iso: null,
  };
  return { status: 201, body };
}

async function post(
  context: ControlContext,
  { shard, slot, fingerprint }: Addressee,
  file: string,
  input: ClearingInput,
): Promise<ClearingAnswer> {
  const entry = { card: slot ?? -1, fingerprint, input };
  const result = await context.shards.command(shard, { op: 'clear', file, records: [entry] });
  if (!result.ok) throw refused(result);
  if (!('cleared' in result)) throw new TypeError('the shard answered no clearing');
  const answer = result.cleared[0]!;
  if (answer.outcome === 'invalid')
    throw new ApiError('not_simulatable', `The record cannot have this value: ${answer.field}.`);
  return answer;
}

/** The authorization that the record belongs to; of a duplicate the one that posted it. */
async function authorizationOf(
  context: ControlContext,
  shard: number,
  { sequence, outcome }: ClearingAnswer,
  cleared: ClearingPosted | undefined,
): Promise<object | null> {
  const root = cleared === undefined && outcome === 'duplicate' ? sequence : (cleared?.originalSequence ?? 0);
  if (root === 0) return null;
  const record = await recordAt(context, shard, root);
  return record === undefined ? null : authorizationObject(context, record.details);
}

/** The authorization behind an id. */
export async function requireDetails(context: ControlContext, id: string): Promise<AuthorizationDetails> {
  const named = await findRecord(context, id);
  if (named === undefined)
    throw new ApiError('authorization_not_found', 'There is no such authorization.', { param: '/authorization' });
  return named.details;
}
