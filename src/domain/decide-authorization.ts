/**
 * Authorization requests behind the duplicate check: purchases, cash, balance inquiries and account verifications.
 */

import { isPastExpiry } from './calendar.js';
import { AccountStatus, CardStatus, ElementKind, Reason, Response, Step, Verdict } from './codes.js';
import type { MessageEvent } from './events.js';
import type { History } from './history.js';
import { defaultHoldLife, HoldLife } from './hold-life.js';
import type { IndexKeys } from './index-keys.js';
import { findTombstone } from './lookups.js';
import { Carried } from './message.js';
import { decline } from './outcome.js';
import { isWorthNothing } from './reply-facts.js';
import type { ShardState } from './shard-state.js';

const holdLife = new HoldLife(defaultHoldLife);

/** Carried data that a cryptographic check would look at. */
const CHECKED = Carried.track1 | Carried.track2 | Carried.pin | Carried.chip | Carried.cvv2 | Carried.threeDSecure;

/** Decides the request in `out`, whose head is filled. */
export function decideAuthorization(state: ShardState, history: History, keys: IndexKeys, out: MessageEvent): void {
  if (wasReversed(state, history, keys, out)) {
    out.verdict(Step.tombstone, Verdict.fail);
    decline(out, Response.lateOrReversed, Reason.reversedBeforeArrival);
    return;
  }
  out.verdict(Step.tombstone, Verdict.notFound);
  if (!checkCard(state, out) || !checkAccount(state, out)) return;
  out.verdict(Step.cryptography, (out.input.carried & CHECKED) === 0 ? Verdict.notPresent : Verdict.notApplicable);
  out.verdict(Step.controls, Verdict.notApplicable);
  out.verdict(Step.rules, Verdict.notApplicable);
  if (out.element === ElementKind.authorization) {
    if (!checkFunds(state, out)) return;
    out.authorizedAfter = out.approvedAmount;
    out.holdDelta = out.approvedAmount;
    out.holdExpiresMs = out.timeMs + holdLife.lifeMs(out.input);
  } else {
    out.verdict(Step.funds, Verdict.notApplicable);
    out.response = out.element === ElementKind.verification ? Response.verified : Response.approved;
  }
  out.approvalCode = state.approvalCodes.of(out.cardSlot, state.cards.approvals(out.cardSlot));
  out.verdict(Step.approve, Verdict.pass);
}

/** A known card remembers when its newest tombstone was laid: most cards never had one, and then nothing is searched. */
function wasReversed(state: ShardState, history: History, keys: IndexKeys, out: MessageEvent): boolean {
  if (out.cardSlot >= 0) {
    const newestMs = state.cards.tombstoneS(out.cardSlot) * 1000;
    if (newestMs === 0 || out.timeMs - newestMs > state.duplicateWindowMs) return false;
  }
  return findTombstone(history, keys, out, state.duplicateWindowMs) > 0;
}

function checkCard(state: ShardState, out: MessageEvent): boolean {
  if (out.cardSlot < 0) {
    out.verdict(Step.cardKnown, Verdict.fail);
    decline(out, Response.invalidCard, Reason.unknownCard);
    return false;
  }
  out.verdict(Step.cardKnown, Verdict.pass);
  if (!checkCardStatus(state.cards.status(out.cardSlot), out)) return false;
  const expiry = state.cards.expiry(out.cardSlot);
  const given = out.input.expiry;
  const mismatch = given >= 0 && given !== expiry;
  if (mismatch || isPastExpiry(expiry, out.timeMs)) {
    out.verdict(Step.expiryDate, Verdict.fail);
    decline(out, Response.expired, mismatch ? Reason.expiryMismatch : Reason.cardExpired);
    return false;
  }
  out.verdict(Step.expiryDate, given >= 0 ? Verdict.pass : Verdict.notPresent);
  return true;
}

function checkCardStatus(status: number, out: MessageEvent): boolean {
  switch (status) {
    case CardStatus.active:
      out.verdict(Step.cardStatus, Verdict.pass);
      return true;
    case CardStatus.inactive:
      decline(out, Response.inactive, Reason.cardInactive);
      break;
    case CardStatus.paused:
      decline(out, Response.restricted, Reason.cardPaused);
      break;
    case CardStatus.lost:
      decline(out, Response.lost, Reason.cardLost);
      break;
    case CardStatus.stolen:
      decline(out, Response.stolen, Reason.cardStolen);
      break;
    case CardStatus.expired:
      decline(out, Response.expired, Reason.cardExpired);
      break;
    default:
      decline(out, Response.invalidCard, Reason.cardClosed);
      break;
  }
  out.verdict(Step.cardStatus, Verdict.fail);
  return false;
}

function checkAccount(state: ShardState, out: MessageEvent): boolean {
  const status = state.accounts.status(out.accountSlot);
  if (status === AccountStatus.open) {
    out.verdict(Step.accountStatus, Verdict.pass);
    return true;
  }
  out.verdict(Step.accountStatus, Verdict.fail);
  if (status === AccountStatus.frozen) decline(out, Response.restricted, Reason.accountFrozen);
  else decline(out, Response.invalidCard, Reason.accountClosed);
  return false;
}

/** Approves the amount, or what is left of it where the terminal can take less (purchases only, never cash). */
function checkFunds(state: ShardState, out: MessageEvent): boolean {
  const { input } = out;
  const foreign = input.currency !== state.accounts.currency(out.accountSlot);
  const amount = foreign ? input.billingAmount : input.amount;
  const available = state.accounts.available(out.accountSlot);
  if (available >= amount) {
    out.verdict(Step.funds, Verdict.pass);
    out.response = Response.approved;
    out.approvedAmount = amount;
    return true;
  }
  const isPurchase = input.processingCode < 10_000;
  if (isPurchase && input.partialSupported === 1 && available > 0 && !(foreign && isWorthNothing(input, available))) {
    out.verdict(Step.funds, Verdict.pass);
    out.response = Response.partial;
    out.approvedAmount = available;
    return true;
  }
  out.verdict(Step.funds, Verdict.fail);
  decline(out, Response.insufficientFunds, Reason.insufficientFunds);
  return false;
}
