/** The simulator's calls: which message each of them sends (simulator.ts does the sending). */
import type { z } from 'zod';
import { ElementKind } from '../../domain/codes.js';
import type { Fields } from '../../iso8583/message.js';
import { classOf, isForListener, MessageClass, replyMti } from '../../iso8583/mti.js';
import { PrivateTag } from '../../iso8583/private-data.js';
import { findRecord, type MessageRecord } from '../authorizations.js';
import type { ControlContext } from '../context.js';
import type { ClaimedKey } from '../idempotency.js';
import { ApiError, type ProblemCode } from '../problem.js';
import { type Answer, type Route, route } from '../route.js';
import { journalRead, shardWrite } from '../route-errors.js';
import * as bodies from '../schemas-simulate.js';
import {
  cashBackGroup,
  codeOf,
  continuedAmount,
  continuedFields,
  processingTypes,
  type References,
  remainingAmount,
  type Tags,
  transactionFields,
} from '../simulated-messages.js';
import {
  type Addressee,
  addresseeOf,
  addresseeOfNumber,
  assertSandbox,
  referencesOf,
  simulate,
  simulateForListener,
} from '../simulator.js';
import { readAlias } from './aliases.js';
import { type FoundCard, readCard, readCardAt } from './cards.js';
import { newRecord, recordOf, requireDetails, reversalOf, simulateClearing } from './simulate-clearing.js';

const aboutCard: readonly ProblemCode[] = ['card_not_found', 'currency_mismatch'];
const aboutAuthorization: readonly ProblemCode[] = ['authorization_not_found'];

export function simulateRoutes(context: ControlContext): Route[] {
  const refsOf = (body: Parameters<typeof referencesOf>[2], key: ClaimedKey | undefined): References =>
    referencesOf(context, key, body);
  return [
    simulation(
      'simulateAuthorization',
      'authorization',
      'Send an authorization request as a merchant would',
      bodies.simulateAuthorization,
      aboutCard,
      async (body, key) => {
        const found = await sandboxCard(context, body.card);
        const fields = transactionFields(body, found, refsOf(body, key));
        const tags: Tags = [];
        if (body.estimated) tags.push([PrivateTag.function, 'E']);
        if (body.partial_approval) tags.push([PrivateTag.terminal, '1']);
        const type = body.cash_back === undefined ? processingTypes[body.kind] : '09';
        const cashBack = body.cash_back === undefined ? {} : { 54: cashBackGroup(fields, body.cash_back) };
        const head = { 0: body.single_message ? '0200' : '0100', 3: `${type}0000` };
        return simulate(context, addresseeOf(context, found), { ...fields, ...head, ...cashBack }, tags);
      },
    ),
    simulation(
      'simulateIncrement',
      'increment',
      'Add to an authorization, or name its new total',
      bodies.simulateIncrement,
      aboutAuthorization,
      async (body, key) => {
        const { found, record } = await payment(context, body.authorization);
        const { fields, tags } = continuedFields(record.message, refsOf(body, key));
        const amount = continuedAmount(body, record.message, found.account);
        const own = body.network_id === undefined ? {} : { 63: body.network_id };
        return simulate(context, addresseeOf(context, found), { ...fields, ...amount, ...own, 0: '0100' }, [
          [PrivateTag.function, body.replace ? 'R' : 'I'],
          ...tags,
        ]);
      },
    ),
    simulation(
      'simulateAdvice',
      'advice',
      'Tell what the network decided for us, or the final amount',
      bodies.simulateAdvice,
      [...aboutCard, ...aboutAuthorization],
      async (body, key) => {
        const refs = refsOf(body, key);
        const reason = bodies.adviceReasons[body.reason];
        const { to, fields, tags, code } = await aboutPayment(context, body, refs);
        const approval = reason === 'D' ? {} : { 38: body.approval_code ?? code };
        const head = { 0: body.financial ? '0220' : '0120' };
        return simulate(context, to, { 3: '000000', ...fields, ...approval, ...head }, [
          [PrivateTag.adviceReason, reason],
          ...tags,
        ]);
      },
    ),
    simulation(
      'simulateRefund',
      'refund',
      'Credit a card, or announce that it will be',
      bodies.simulateRefund,
      [...aboutCard, ...aboutAuthorization],
      async (body, key) => {
        if (body.authorization !== undefined) await assertAnnounced(context, body.authorization);
        if (body.clearing) return clear(context, body, Number(bodies.refundKinds[body.kind]), key);
        const { to, fields, tags } = await aboutPayment(context, body, refsOf(body, key));
        const head =
          body.authorization !== undefined
            ? { 0: '0220' }
            : { 0: body.announce ? '0100' : '0200', 3: `${bodies.refundKinds[body.kind]}0000` };
        return simulate(context, to, { ...fields, ...head }, tags);
      },
    ),
    simulation(
      'simulateForcePost',
      'force_post',
      'Post a payment that nobody asked us about',
      bodies.simulateForcePost,
      aboutCard,
      async (body, key) => {
        if (body.clearing) return clear(context, body, Number(processingTypes[body.kind]), key);
        const found = await sandboxCard(context, body.card);
        const refs = refsOf(body, key);
        const head = { 0: '0220', 3: `${processingTypes[body.kind]}0000`, 38: refs.approvalCode };
        return simulate(context, addresseeOf(context, found), { ...transactionFields(body, found, refs), ...head });
      },
    ),
    simulation(
      'simulateClearing',
      'clearing',
      'Clear a payment as a record of a clearing file would',
      bodies.simulateClearing,
      [...aboutCard, ...aboutAuthorization],
      async (body, key) => {
        if (body.reversal) {
          const { found } = await payment(context, body.authorization!);
          const details = await requireDetails(context, body.authorization!);
          return simulateClearing(context, found, reversalOf(context, details, key));
        }
        return clear(context, { ...body, amount: body.amount! }, bodies.clearingKinds[body.kind], key);
      },
    ),
    simulation(
      'simulateReversal',
      'reversal',
      'Reverse an authorization, in full or down to an amount',
      bodies.simulateReversal,
      aboutAuthorization,
      async (body, key) => {
        const { found, record } = await payment(context, body.authorization);
        const { fields, tags } = continuedFields(record.message, refsOf(body, key));
        const head = { 0: body.advice ? '0420' : '0400', ...codeOf(record.message) };
        const to = addresseeOf(context, found);
        return simulate(context, to, { ...fields, ...head, ...remainingAmount(body.remaining) }, tags);
      },
    ),
    simulation(
      'simulateNetworkMessage',
      'network_message',
      'Send any message, field by field',
      bodies.simulateNetworkMessage,
      ['card_not_found'],
      async ({ card, dialect, fields }) => {
        const mti = Number(fields[0] ?? 0);
        if (replyMti(mti) < 0) throw notSimulatable('The engine does not answer such a message.', '/fields');
        if (!isForListener(mti)) return simulate(context, await addressee(context, card, fields), fields, [], dialect);
        if (card !== undefined || fields[2] !== undefined || fields[35] !== undefined)
          throw notSimulatable('The listener answers this message: it is about no card.', card ? '/card' : '/fields');
        return simulateForListener(context, fields, dialect);
      },
    ),
  ];
}

/** One call: all of them answer alike. */
function simulation<B extends z.ZodType>(
  id: string,
  kind: string,
  summary: string,
  body: B,
  errors: readonly ProblemCode[],
  run: (body: z.output<B>, key: ClaimedKey | undefined) => Promise<Answer>,
): Route {
  return route({
    id,
    method: 'POST',
    path: `/v1/simulate/${kind}`,
    tag: 'simulator',
    summary,
    access: 'simulate',
    idempotency: 'answer',
    body,
    errors: [...shardWrite, ...journalRead, 'not_sandbox', 'not_simulatable', ...errors],
    answers: { 201: { description: 'The authorization after it, and the two messages', schema: bodies.simulation } },
    handle: ({ body: given, idempotency }) => run(given, idempotency),
  });
}

/** A card, or a network token, whose number is sent then. */
async function sandboxCard(context: ControlContext, id: string): Promise<FoundCard> {
  const found = (await readCard(context, id)) ?? (await readAlias(context, id));
  if (found === undefined) throw new ApiError('card_not_found', 'There is no such card.', { param: '/card' });
  assertSandbox(context, found.account);
  return found;
}

/** The message of a payment that a later message may name, and the card or network token whose number it had. */
async function payment(context: ControlContext, id: string): Promise<{ found: FoundCard; record: MessageRecord }> {
  const named = await findRecord(context, id);
  if (named === undefined)
    throw new ApiError('authorization_not_found', 'There is no such authorization.', { param: '/authorization' });
  const { shard, message } = named.record;
  if (message === undefined || !isPayment(message.element)) throw notSimulatable('This is no message about a payment.');
  const number = message.tokenSlot < 0 ? message.cardSlot : message.tokenSlot;
  const found = number < 0 ? undefined : await readCardAt(context, { shard, number });
  if (found === undefined) throw notSimulatable('The authorization names no card of ours.');
  assertSandbox(context, found.account);
  return { found, record: named.record as MessageRecord };
}

function isPayment(element: ElementKind): boolean {
  return element !== ElementKind.reversal && element !== ElementKind.refused && element !== ElementKind.fileUpdate;
}

function notSimulatable(detail: string, param = '/authorization'): ApiError {
  return new ApiError('not_simulatable', detail, { param });
}

/** A clearing record about a new payment of `card`, or about the one behind `authorization`. @param type of DE3 */
async function clear(
  context: ControlContext,
  body: Parameters<typeof newRecord>[1] & { card?: string | undefined; authorization?: string | undefined },
  type: number,
  key: ClaimedKey | undefined,
): Promise<Answer> {
  if (body.authorization === undefined) {
    const found = await sandboxCard(context, body.card!);
    return simulateClearing(context, found, newRecord(context, body, type, found, key));
  }
  const { found, record } = await payment(context, body.authorization);
  return simulateClearing(context, found, recordOf(context, body, record.message, found, key));
}

interface AboutPayment {
  to: Addressee;
  fields: Fields;
  tags: Tags;
  /** DE38: that of the known payment, or a new one. */
  code: string;
}

/** Fields of a message about a new payment of `card`, or about the one behind `authorization`. */
async function aboutPayment(
  context: ControlContext,
  body: Parameters<typeof transactionFields>[0] & { card?: string | undefined; authorization?: string | undefined },
  refs: References,
): Promise<AboutPayment> {
  if (body.authorization === undefined) {
    const found = await sandboxCard(context, body.card!);
    const fields = transactionFields(body, found, refs);
    return { to: addresseeOf(context, found), fields, tags: [], code: refs.approvalCode };
  }
  const { found, record } = await payment(context, body.authorization);
  const { fields, tags } = continuedFields(record.message, refs);
  const code = codeOf(record.message)[38] ?? refs.approvalCode;
  const amount = continuedAmount(body, record.message, found.account);
  return { to: addresseeOf(context, found), fields: { ...fields, ...amount }, tags, code };
}

async function assertAnnounced(context: ControlContext, id: string): Promise<void> {
  const { record } = await payment(context, id);
  if (
    record.message.element === ElementKind.refundAuthorization &&
    classOf(record.message.input.mti) === MessageClass.authorization
  )
    return;
  throw notSimulatable('This is no announced refund. A refund of a purchase is a payment of its own: name the card.');
}

/** The card that the fields of a network message name. A number that nobody has must be of a sandbox program's BIN. */
async function addressee(context: ControlContext, card: string | undefined, fields: Fields): Promise<Addressee> {
  if (card !== undefined) {
    if (fields[2] !== undefined || fields[35] !== undefined)
      throw notSimulatable('Leave DE2 and DE35 out: the number of the card becomes DE2.', '/fields');
    return addresseeOf(context, await sandboxCard(context, card));
  }
  const pan = fields[2] ?? fields[35]?.split(/[=D]/)[0] ?? '';
  if (!/^\d{13,19}$/.test(pan)) throw notSimulatable('Name a card, or give its number in DE2 or DE35.', '/fields');
  const to = addresseeOfNumber(context, pan);
  if (to.slot !== undefined) {
    await sandboxCard(context, context.ids.encode('card', to.shard, to.slot));
    return to;
  }
  const known = context.system.programs.some(
    ({ program }) => program.sandbox && program.bins.some((bin) => pan.startsWith(bin)),
  );
  if (!known) throw new ApiError('not_sandbox', 'The number belongs to no BIN of a sandbox program.');
  return to;
}
