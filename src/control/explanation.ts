/** Why a message was answered as it was, from its record alone: today's rules and balances play no part. */
import { checkOutcomes } from '../domain/code-names.js';
import { DeviceFailure, responseText, Step, Verdict } from '../domain/codes.js';
import type { MessageEvent } from '../domain/events.js';
import { postedChange } from '../domain/ledger/chart.js';
import { Carried } from '../domain/message.js';
import type { StageTimesView } from '../domain/reads.js';
import { legsOf } from './authorization-totals.js';
import { type AuthorizationDetails, elementObject, type MessageRecord } from './authorizations.js';
import type { ControlContext } from './context.js';
import { currencyCode } from './currencies.js';
import { type JournalRecord, readRecord } from './history.js';
import { eventId } from './ids.js';
import { legObjects } from './legs.js';
import { declineReason, matchedRules } from './matched-rules.js';
import { codeName, refused, snakeCase, time } from './views.js';

/** Times of the stages, of which only recent samples are known, and only while the process lives. */
export async function stageTimes(context: ControlContext, { shard, sequence }: JournalRecord): Promise<StageTimesView> {
  const result = await context.shards.read(shard, { op: 'stage_times', sequence });
  if (!result.ok) throw refused(result);
  if (!('stageTimes' in result)) throw new TypeError('the shard answered no stage times');
  return result.stageTimes;
}

/**
 * Explains one message.
 * @param details the authorization that `record` stands for or belongs to
 */
export function explanation(
  context: ControlContext,
  details: AuthorizationDetails,
  record: MessageRecord,
  times: StageTimesView,
): Record<string, unknown> {
  const { message } = record;
  const others = [...reversedBy(context, record), details.record, ...details.elements].filter(
    ({ sequence }) => sequence !== record.sequence,
  );
  return {
    object: 'explanation',
    authorization: context.ids.encode('auth', record.shard, details.record.sequence),
    element: eventId(context, 'elem', record.shard, record.sequence),
    account: details.owner?.id ?? null,
    response_code: responseText(message.response),
    decline_reason: declineReason(context, message, details.owner?.program),
    bad_field: message.input.badField === 0 ? null : `DE${message.input.badField}`,
    bad_field_missing: message.input.badField === 0 ? null : message.input.badFieldMissing === 1,
    program_revision: message.programRevision === 0 ? null : message.programRevision,
    verdicts: verdictsOf(message),
    cryptography: cryptographyOf(message),
    matched_rules: matchedRules(context, message, details.owner?.program),
    balances: balancesOf(details, message),
    hold: holdOf(details, record),
    postings: legObjects(legsOf(record)),
    carried: carriedNames(message),
    journal: { position: positionOf(context, record), recorded_at: time(message.timeMs) },
    linked: others.map((element) => elementObject(context, details, element)),
    stage_times_us: typeof times === 'string' ? null : times,
    stage_times_missing: typeof times === 'string' ? times : null,
  };
}

/** The reversal that came before the message. */
function reversedBy(context: ControlContext, { shard, message }: MessageRecord): JournalRecord[] {
  if (message.elementSequence === 0) return [];
  for (let i = 0; i < message.verdictCount; i++) {
    if (message.verdicts[i * 2] !== Step.tombstone || message.verdicts[i * 2 + 1] !== Verdict.fail) continue;
    const reversal = readRecord(context, shard, message.elementSequence);
    return reversal === undefined ? [] : [reversal];
  }
  return [];
}

function verdictsOf(message: MessageEvent): Record<string, unknown>[] {
  const verdicts: Record<string, unknown>[] = [];
  for (let i = 0; i < message.verdictCount; i++) {
    verdicts.push({
      order: i + 1,
      step: codeName(Step, message.verdicts[i * 2]!),
      verdict: codeName(Verdict, message.verdicts[i * 2 + 1]!),
    });
  }
  return verdicts;
}

/** How each check of step 5 ended; null when the program checked nothing that the message carried. */
function cryptographyOf(message: MessageEvent): Record<string, unknown> | null {
  if (message.checked === 0) return null;
  const { pinTriesAfter, counter, counterBefore, deviceWaitUs, deviceFailure } = message;
  return {
    ...checkOutcomes(message),
    pin_tries_after: pinTriesAfter < 0 ? null : pinTriesAfter,
    counter_read: counter < 0 ? null : counter,
    highest_counter_before: counterBefore < 0 ? null : counterBefore,
    device_wait_us: deviceWaitUs < 0 ? null : deviceWaitUs,
    device_failure: deviceFailure === DeviceFailure.none ? null : codeName(DeviceFailure, deviceFailure),
  };
}

/** Balances of the account around the decision; null when the card is unknown. */
function balancesOf({ owner }: AuthorizationDetails, message: MessageEvent): Record<string, unknown> | null {
  if (message.accountSlot < 0) return null;
  const { creditLimitBefore: limit, postedBefore: posted, heldBefore: held } = message;
  const postedAfter = posted + postedChange(message.postings.toList());
  const heldAfter = held + message.holdDelta;
  return {
    currency: owner === undefined ? null : currencyCode(owner.currency),
    before: { credit_limit: limit, posted, held, available: limit - posted - held },
    after: { credit_limit: limit, posted: postedAfter, held: heldAfter, available: limit - postedAfter - heldAfter },
  };
}

/** The hold of the authorization around the message; null when it held nothing before and after. */
function holdOf(
  { effects }: AuthorizationDetails,
  { sequence, message }: MessageRecord,
): Record<string, unknown> | null {
  const { heldBefore, heldAfter } = effects.get(sequence)!;
  if (heldBefore === 0 && heldAfter === 0) return null;
  const expiresMs = message.holdExpiresMs;
  return { before: heldBefore, after: heldAfter, expires_at: expiresMs === 0 ? null : time(expiresMs) };
}

/** Position of a record: shard, epoch and sequence. Clients treat it as opaque; `holdfast inspect journal` and `replay` read it. */
function positionOf(context: ControlContext, record: JournalRecord): string {
  const { shard, sequence } = record;
  return `${shard}-${context.journal.epochOf(shard, sequence)}-${sequence}`;
}

function carriedNames(message: MessageEvent): string[] {
  return Object.entries(Carried)
    .filter(([, bit]) => (message.input.carried & bit) !== 0)
    .map(([name]) => snakeCase(name));
}
