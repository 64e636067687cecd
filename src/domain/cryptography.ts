/**
 * Step 5 of a decision: the values by which a card proves itself, as far as the message carries them and the program has a rule
 * for them. All of them are checked before anything is decided, so that a wrong PIN counts a try even when another check fails as
 * well; the first failure in the order of `Check` is the answer. The outcomes are in the event: a replay asks nobody.
 *
 *   stripe, CVV2      82
 *   PIN               75 when no try is left (and nobody is asked), 55, 81
 *   cryptogram, counter of the chip      88
 *   level of 3-D Secure                  57
 *   no device in time 91, a key or a request of ours that does not fit 96: neither says anything about the card
 *
 * Other codes are the response table's business. Who can check is behind `CardCryptography`: the domain knows no key.
 */
import { counterVerdict } from './chip-counter.js';
import { Check, CheckOutcome, Reason, Response, Step, Verdict } from './codes.js';
import type { DecisionContext } from './decision-context.js';
import type { Fingerprint, MessageEvent } from './events.js';
import { Carried } from './message.js';
import { decline } from './outcome.js';
import type { ChipRule, CryptographyTable, Cvv2Rule, PinRule, StripeRule } from './program/cryptography-table.js';
import type { Policy } from './program/policy.js';

/** Whoever can look at what the message at hand carries. */
export interface CardCryptography {
  stripe(rule: StripeRule, out: MessageEvent): CheckOutcome;
  cvv2(rule: Cvv2Rule, out: MessageEvent): CheckOutcome;
  pin(rule: PinRule, out: MessageEvent): CheckOutcome;
  cryptogram(rule: ChipRule, out: MessageEvent): CheckOutcome;
  /** The chip's counter, 0 to 65535; only after a cryptogram that was right. */
  counter(): number;
  /** Puts the issuer's answer to a chip whose cryptogram was right into the event, for the response that the event has. */
  answer(rule: ChipRule, out: MessageEvent): void;
  /** The card's sealed PIN reference, sealed for another fingerprint of its number; empty: it has none. */
  resealedPin(cardSlot: number, fingerprint: Fingerprint): Uint8Array;
}

/** Nobody is there: what a program asks for cannot be checked, and no message that carries it passes. */
export const noCryptography: CardCryptography = {
  stripe: () => CheckOutcome.faulty,
  cvv2: () => CheckOutcome.faulty,
  pin: () => CheckOutcome.faulty,
  cryptogram: () => CheckOutcome.faulty,
  counter: () => 0,
  answer: () => undefined,
  resealedPin: () => new Uint8Array(0),
};

const TRACKS = Carried.track1 | Carried.track2;
const CHECKED = TRACKS | Carried.pin | Carried.chip | Carried.cvv2 | Carried.threeDSecure;
const PIN_TRIES_MAX = 255;

type Refusal = readonly [response: number, reason: Reason];
/** Failures that do not depend on what was checked. */
const commonRefusals: Readonly<Partial<Record<CheckOutcome, Refusal>>> = {
  [CheckOutcome.unreadable]: [Response.pinUnreadable, Reason.pinUnreadable],
  [CheckOutcome.notSet]: [Response.wrongPin, Reason.pinNotSet],
  [CheckOutcome.blocked]: [Response.pinTriesExceeded, Reason.pinTriesExceeded],
  [CheckOutcome.replayed]: [Response.wrongCryptogram, Reason.counterReplayed],
  [CheckOutcome.jumped]: [Response.wrongCryptogram, Reason.counterJumped],
  [CheckOutcome.unavailable]: [Response.unavailable, Reason.cryptographyUnavailable],
  [CheckOutcome.faulty]: [Response.systemError, Reason.cryptographyFault],
};
/** What a wrong value is answered with, by Check. */
const wrongRefusals: readonly Refusal[] = [
  [Response.wrongCvv, Reason.wrongCvv],
  [Response.wrongCvv, Reason.wrongCvv2],
  [Response.wrongPin, Reason.wrongPin],
  [Response.wrongCryptogram, Reason.wrongCryptogram],
  [Response.wrongCryptogram, Reason.counterReplayed],
  [Response.notPermitted, Reason.threeDSecureLevel],
];

/** False when a check declined the request. */
export function passesCryptography(context: DecisionContext, policy: Policy, out: MessageEvent): boolean {
  const { carried } = out.input;
  if ((carried & CHECKED) === 0) {
    out.verdict(Step.cryptography, Verdict.notPresent);
    return true;
  }
  checkAll(context, policy, out);
  const failed = firstFailure(policy.tables.cryptography, out);
  out.verdict(Step.cryptography, failed < 0 ? verdictOf(out) : Verdict.fail);
  if (failed < 0) return true;
  const outcome = out.checks[failed] as CheckOutcome;
  const [response, reason] = outcome === CheckOutcome.wrong ? wrongRefusals[failed]! : commonRefusals[outcome]!;
  decline(out, response, reason);
  return false;
}

/** Answers a chip whose cryptogram was right, whatever the decision became. */
export function answerChip({ cryptography }: DecisionContext, policy: Policy, out: MessageEvent): void {
  const { chip } = policy.tables.cryptography;
  if (out.checked === 0 || chip === undefined || out.checks[Check.cryptogram] !== CheckOutcome.passed) return;
  cryptography.answer(chip, out);
}

function checkAll(context: DecisionContext, policy: Policy, out: MessageEvent): void {
  const { cryptography } = context;
  const { stripe, cvv2, chip, threeDSecure } = policy.tables.cryptography;
  const { checks, input } = out;
  const { carried } = input;
  checks.fill(CheckOutcome.notPresent);
  if ((carried & TRACKS) !== 0) {
    checks[Check.stripe] = stripe === undefined ? CheckOutcome.notChecked : cryptography.stripe(stripe, out);
  }
  if ((carried & Carried.cvv2) !== 0) {
    checks[Check.cvv2] = cvv2 === undefined ? CheckOutcome.notChecked : cryptography.cvv2(cvv2, out);
  }
  if ((carried & Carried.pin) !== 0) checks[Check.pin] = checkPin(context, policy, out);
  if ((carried & Carried.chip) !== 0) {
    checks[Check.cryptogram] = chip === undefined ? CheckOutcome.notChecked : cryptography.cryptogram(chip, out);
    if (checks[Check.cryptogram] === CheckOutcome.passed) checks[Check.counter] = checkCounter(context, chip!, out);
  }
  if ((carried & Carried.threeDSecure) !== 0 && threeDSecure !== undefined) {
    const isDenied = threeDSecure.deny.includes(input.threeDSecureLevel);
    checks[Check.threeDSecure] = isDenied ? CheckOutcome.wrong : CheckOutcome.passed;
  } else if ((carried & Carried.threeDSecure) !== 0) checks[Check.threeDSecure] = CheckOutcome.notChecked;
  out.checked = 0;
  for (let i = 0; i < checks.length; i++) if (checks[i]! > CheckOutcome.notChecked) out.checked = 1;
}

/** A card without tries left is not asked about: whoever guesses learns nothing more. */
function checkPin({ state, cryptography }: DecisionContext, policy: Policy, out: MessageEvent): CheckOutcome {
  const { pinTries, cryptography: rules } = policy.tables;
  const tries = state.cards.pinTries(out.cardSlot);
  if (tries >= pinTries) return CheckOutcome.blocked;
  if (rules.pin === undefined) return CheckOutcome.notChecked;
  const outcome = cryptography.pin(rules.pin, out);
  if (outcome === CheckOutcome.wrong) out.pinTriesAfter = Math.min(PIN_TRIES_MAX, tries + 1);
  else if (outcome === CheckOutcome.passed && tries > 0) out.pinTriesAfter = 0;
  return outcome;
}

/** The counter of a card, or of the token that the message came with. */
function checkCounter({ state, cryptography }: DecisionContext, rule: ChipRule, out: MessageEvent): CheckOutcome {
  const before = state.cards.counter(out.tokenSlot >= 0 ? out.tokenSlot : out.cardSlot);
  out.counter = cryptography.counter();
  out.counterBefore = before;
  switch (counterVerdict(out.counter, before, rule.jumpMax)) {
    case 'replayed':
    case 'behind':
      return CheckOutcome.replayed;
    case 'jumped':
      return CheckOutcome.jumped;
    case 'fresh':
      return CheckOutcome.passed;
  }
}

/** The first check that declines, -1 when none does. */
function firstFailure(rules: CryptographyTable, { checks }: MessageEvent): number {
  for (let check = 0; check < checks.length; check++) {
    const outcome = checks[check]!;
    if (outcome > CheckOutcome.passed && !isOnlyRecorded(rules, check as Check, outcome)) return check;
  }
  return -1;
}

/** True for a failure that the program leaves to whoever reads the record. */
function isOnlyRecorded({ stripe, cvv2, chip }: CryptographyTable, check: Check, outcome: number): boolean {
  if (outcome === CheckOutcome.jumped) return chip?.onJump === 'record';
  if (outcome !== CheckOutcome.wrong) return false;
  if (check === Check.stripe) return stripe?.onWrong === 'record';
  if (check === Check.cvv2) return cvv2?.onWrong === 'record';
  return check === Check.cryptogram && chip?.onWrong === 'record';
}

/** Of checks none of which declined. */
const verdictOf = ({ checked }: MessageEvent): Verdict => (checked === 1 ? Verdict.pass : Verdict.notApplicable);
