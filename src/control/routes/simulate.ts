/**
 * The simulator: builds a real ISO 8583 message for a card of a sandbox program and sends it the way the ingress would, so
 * that the decision is the same code on the same path. The card number comes from the vault and stays in this function.
 *
 * With an Idempotency-Key the references of the message (STAN, RRN, time) follow from the key and the time of its claim. A
 * retry after a crash sends the very same message, and the shard answers it as the repeat that it is.
 */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { ElementKind } from '../../domain/codes.js';
import type { AccountView, CardView } from '../../domain/commands.js';
import { Text } from '../../domain/message.js';
import { dialectNames } from '../../iso8583/dialects.js';
import { type DescribedMessage, describe, type Fields, IsoError, pack } from '../../iso8583/message.js';
import { originalData, privateData, replacementAmounts } from '../../iso8583/private-data.js';
import { WIRE_HEADER_BYTES } from '../../ring/wire-entry.js';
import { type AuthorizationDetails, assemble, authorizationObject, isAuthorization } from '../authorizations.js';
import type { ControlContext } from '../context.js';
import { currencyCode, currencyOfCode } from '../currencies.js';
import { catchUp, readRecord } from '../history.js';
import { type ClaimedKey, derive } from '../idempotency.js';
import { ApiError } from '../problem.js';
import { type Answer, type Route, route } from '../route.js';
import { journalRead, shardWrite } from '../route-errors.js';
import * as schemas from '../schemas.js';
import { authorization } from '../schemas-authorizations.js';
import { findAuthorization } from './authorizations.js';
import { type FoundCard, readCard } from './cards.js';

const DIALECT = 'iso87-bcd';

const kinds = { purchase: '00', cash: '01', balance_inquiry: '30', verification: '38' } as const;
const printable = (most: number) =>
  z.string().regex(new RegExp(`^[\\x20-\\x7e]{1,${most}}$`), `1 to ${most} printable characters`);
const digits = (least: number, most: number) =>
  z
    .string()
    .regex(new RegExp(`^\\d{${least},${most}}$`), least === most ? `${most} digits` : `${least} to ${most} digits`);

const references = {
  stan: digits(6, 6).optional().describe('DE11. Made when absent.'),
  rrn: z
    .string()
    .regex(/^[A-Za-z0-9]{12}$/, '12 letters and digits')
    .optional()
    .describe('DE37. Made when absent.'),
};

const simulateAuthorization = z
  .strictObject({
    card: z.string().max(64),
    amount: z.int().min(0).max(999_999_999_999).describe('DE4, minor units of `currency`.'),
    currency: schemas.currency.optional().describe('DE49. Default: the currency of the account.'),
    billing_amount: schemas.amount
      .optional()
      .describe('DE6, in the currency of the account, when DE49 is another one.'),
    kind: z.enum(['purchase', 'cash', 'balance_inquiry', 'verification']).default('purchase'),
    mcc: digits(4, 4).default('5999'),
    merchant: z
      .strictObject({ id: printable(15).optional(), name: printable(40).optional(), terminal: printable(8).optional() })
      .default({}),
    country: digits(3, 3).default('076').describe('DE19, ISO 3166 numeric.'),
    entry_mode: digits(3, 3).default('051').describe('DE22.'),
    acquirer: digits(1, 11).default('999999').describe('DE32.'),
    network_id: printable(15).optional().describe('DE63.'),
    partial_approval: z.boolean().default(false).describe('The terminal takes partial approvals (DE48 tag 61).'),
    expiry: schemas.expiry.optional().describe('DE14. Default: that of the card.'),
    ...references,
  })
  .meta({ id: 'SimulateAuthorization' });

const simulateReversal = z
  .strictObject({
    authorization: z.string().max(64),
    remaining: z
      .int()
      .min(0)
      .max(999_999_999_999)
      .optional()
      .describe('What stays authorized (DE95), in the currency of the merchant. Absent: everything is reversed.'),
    advice: z.boolean().default(false).describe('Send 0420 instead of 0400.'),
    stan: references.stan,
  })
  .meta({ id: 'SimulateReversal' });

const isoMessage = z
  .object({
    dialect: z.string(),
    hex: z.string().describe('The bytes. The middle digits of the card number are zeros.'),
    decoded: z.record(z.string(), z.unknown()).describe('Masked, field by field.'),
  })
  .meta({ id: 'IsoMessage' });

export const simulation = z
  .object({
    object: z.literal('simulation'),
    authorization: authorization.nullable().describe('Null when nothing was recorded (an answer 91 or 96).'),
    iso: z
      .object({ request: isoMessage, reply: isoMessage })
      .nullable()
      .describe('Null of an expiry, of which the network knows nothing.'),
  })
  .meta({ id: 'Simulation' });

export function simulateRoutes(context: ControlContext): Route[] {
  return [
    route({
      id: 'simulateAuthorization',
      method: 'POST',
      path: '/v1/simulate/authorization',
      tag: 'simulator',
      summary: 'Send an authorization request as a merchant would',
      access: 'simulate',
      idempotency: 'answer',
      body: simulateAuthorization,
      errors: [...shardWrite, ...journalRead, 'not_sandbox', 'card_not_found', 'currency_mismatch', 'not_simulatable'],
      answers: { 201: { description: 'The authorization and the two messages', schema: simulation } },
      async handle({ body, idempotency }) {
        const found = await readCard(context, body.card);
        if (found === undefined) throw new ApiError('card_not_found', 'There is no such card.', { param: '/card' });
        assertSandbox(context, found.account);
        const fields = authorizationFields(body, found, referencesOf(context, idempotency, body));
        const sent = await send(context, found, fields);
        return answer(context, sent, await recorded(context, found.shard, sent.sequence));
      },
    }),
    route({
      id: 'simulateReversal',
      method: 'POST',
      path: '/v1/simulate/reversal',
      tag: 'simulator',
      summary: 'Reverse an authorization, in full or down to an amount',
      access: 'simulate',
      idempotency: 'answer',
      body: simulateReversal,
      errors: [...shardWrite, ...journalRead, 'not_sandbox', 'authorization_not_found', 'not_simulatable'],
      answers: { 201: { description: 'The authorization after the reversal', schema: simulation } },
      async handle({ body, idempotency }) {
        const original = await findAuthorization(context, body.authorization);
        if (original === undefined)
          throw new ApiError('authorization_not_found', 'There is no such authorization.', { param: '/authorization' });
        const { shard, message } = original.record;
        if (message.element === ElementKind.reversal || message.element === ElementKind.refused)
          throw new ApiError('not_simulatable', 'Only an authorization can be reversed.', { param: '/authorization' });
        const card = message.cardSlot < 0 ? undefined : context.ids.encode('card', shard, message.cardSlot);
        const found = card === undefined ? undefined : await readCard(context, card);
        if (found === undefined)
          throw new ApiError('not_simulatable', 'The authorization names no card of ours.', {
            param: '/authorization',
          });
        assertSandbox(context, found.account);
        const fields = reversalFields(body, original, referencesOf(context, idempotency, body));
        const sent = await send(context, found, fields);
        return answer(context, sent, await findAuthorization(context, body.authorization));
      },
    }),
  ];
}

export function assertSandbox(context: ControlContext, account: AccountView): void {
  if (context.system.programAt(account.program)?.program.sandbox !== true)
    throw new ApiError('not_sandbox', 'The program of this card is live.');
}

interface References {
  stan: string;
  rrn: string;
  /** DE7, DE12 and DE13. */
  transmission: string;
}

/** References of the message: made from the key and the time of its claim, so that a repeat has the same; else random. */
function referencesOf(
  context: ControlContext,
  key: ClaimedKey | undefined,
  body: { stan?: string | undefined; rrn?: string | undefined },
): References {
  const bytes = derive(context.keys.id, 'simulate', key?.tag.keyHash ?? randomBytes(32));
  const timeMs = key?.claimedMs ?? context.nowMs();
  return {
    stan: body.stan ?? String(bytes.readUInt32BE(0) % 1_000_000).padStart(6, '0'),
    rrn: body.rrn ?? String(bytes.readUIntBE(4, 6) % 1e12).padStart(12, '0'),
    transmission: new Date(timeMs).toISOString().replace(/\D/g, '').slice(4, 14),
  };
}

function authorizationFields(
  body: z.output<typeof simulateAuthorization>,
  { card, account }: FoundCard,
  refs: References,
): Fields {
  const currency = body.currency === undefined ? account.currency : currencyOfCode(body.currency)!;
  const foreign = currency !== account.currency;
  if (foreign && body.billing_amount === undefined && body.amount > 0)
    throw new ApiError('currency_mismatch', `Say billing_amount in ${currencyCode(account.currency)} as well.`, {
      param: '/billing_amount',
    });
  return {
    0: '0100',
    3: `${kinds[body.kind]}0000`,
    4: amount12(body.amount),
    ...(foreign && body.billing_amount !== undefined
      ? { 6: amount12(body.billing_amount), 51: number3(account.currency) }
      : {}),
    7: refs.transmission,
    11: refs.stan,
    12: refs.transmission.slice(4),
    13: refs.transmission.slice(0, 4),
    14: body.expiry ?? String(card.expiry).padStart(4, '0'),
    18: body.mcc,
    19: body.country,
    22: body.entry_mode,
    25: '00',
    32: body.acquirer,
    37: refs.rrn,
    41: (body.merchant.terminal ?? 'SIM00001').padEnd(8),
    42: (body.merchant.id ?? 'SIMULATOR').padEnd(15),
    43: (body.merchant.name ?? 'HOLDFAST SIMULATOR').padEnd(40),
    ...(body.partial_approval ? { 48: privateData([[61, '1']]) } : {}),
    49: number3(currency),
    ...(body.network_id === undefined ? {} : { 63: body.network_id }),
  };
}

function reversalFields(
  body: z.output<typeof simulateReversal>,
  { record }: AuthorizationDetails,
  refs: References,
): Fields {
  const { input, approvalCode } = record.message;
  const acquirer = input.textOf(Text.acquirer);
  const networkId = input.textOf(Text.networkId);
  const optional = (field: number, text: string): Fields => (text === '' ? {} : { [field]: text });
  const digitsOf = (field: number, value: number, width: number): Fields =>
    value < 0 ? {} : { [field]: String(value).padStart(width, '0') };
  return {
    0: body.advice ? '0420' : '0400',
    ...digitsOf(3, input.processingCode, 6),
    ...digitsOf(4, input.amount, 12),
    ...digitsOf(6, input.billingAmount, 12),
    7: refs.transmission,
    11: refs.stan,
    12: refs.transmission.slice(4),
    13: refs.transmission.slice(0, 4),
    ...digitsOf(22, input.entryMode, 3),
    ...digitsOf(25, input.condition, 2),
    ...optional(32, acquirer),
    ...optional(37, input.textOf(Text.rrn)),
    ...digitsOf(38, approvalCode, 6),
    ...optional(41, input.textOf(Text.terminal).padEnd(8)),
    ...optional(42, input.textOf(Text.acceptor).padEnd(15)),
    ...(networkId === '' ? {} : { 48: privateData([[63, networkId]]) }),
    ...digitsOf(49, input.currency, 3),
    ...digitsOf(51, input.billingCurrency, 3),
    90: originalData(input.mti, Math.max(0, input.stan), Math.max(0, input.transmission), Number(acquirer || 0)),
    ...(body.remaining === undefined ? {} : { 95: replacementAmounts(body.remaining) }),
  };
}

function amount12(value: number): string {
  return String(value).padStart(12, '0');
}

function number3(value: number): string {
  return String(value).padStart(3, '0');
}

interface Sent {
  request: IsoView;
  reply: IsoView;
  sequence: number;
}

interface IsoView {
  dialect: string;
  hex: string;
  decoded: DescribedMessage;
}

/** Adds the card number, sends the message, and forgets the number. */
async function send(context: ControlContext, { shard, card }: FoundCard, fields: Fields): Promise<Sent> {
  const pan = revealed(context, card);
  const message = packed({ ...fields, 2: pan });
  const header = new Uint8Array(WIRE_HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint32(0, ((shard << 24) | card.slot) >>> 0, true);
  for (const [index, word] of card.fingerprint.entries()) view.setUint32(4 + index * 4, word, true);
  header[16] = dialectNames.indexOf(DIALECT);
  header[17] = 1;
  const request = isoView(message, pan);
  try {
    const reply = await context.shards.wire(shard, header, message);
    return { request, reply: isoView(reply.message, pan), sequence: reply.sequence };
  } finally {
    message.fill(0);
  }
}

function revealed(context: ControlContext, card: CardView): string {
  const [f0, f1, f2] = card.fingerprint;
  const pan = context.vault.reveal({ f0, f1, f2 });
  if (pan === undefined) throw new Error('the vault has no number for a card of the journal');
  return pan;
}

function packed(fields: Fields): Uint8Array {
  try {
    return pack(DIALECT, fields);
  } catch (error) {
    // Its text names the field and the reason, never the value.
    if (error instanceof IsoError) throw new ApiError('not_simulatable', error.message);
    throw error;
  }
}

function isoView(message: Uint8Array, pan: string): IsoView {
  const masked = pan.slice(0, 6) + '0'.repeat(pan.length - 10) + pan.slice(-4);
  // In this dialect the digits of the number are its hexadecimal digits.
  const hex = Buffer.from(message).toString('hex').replaceAll(pan, masked).toUpperCase();
  return { dialect: DIALECT, hex, decoded: describe(DIALECT, message) };
}

async function recorded(
  context: ControlContext,
  shard: number,
  sequence: number,
): Promise<AuthorizationDetails | undefined> {
  if (sequence < 1) return undefined;
  await catchUp(context, shard, sequence);
  const record = readRecord(context, shard, sequence);
  return record !== undefined && isAuthorization(record) ? assemble(context, record) : undefined;
}

function answer(context: ControlContext, sent: Sent, details: AuthorizationDetails | undefined): Answer {
  const body = {
    object: 'simulation',
    authorization: details === undefined ? null : authorizationObject(context, details),
    iso: { request: sent.request, reply: sent.reply },
  };
  return { status: 201, body };
}
