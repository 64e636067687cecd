/** Writes plain events as records; records.ts reads them. */
import { EventKind } from '../domain/codes.js';
import type { DisputedCharge, HoldExpired, PlainEvent } from '../domain/events.js';
import type { MsgpackWriter } from './msgpack.js';
import {
  writeClearingInput,
  writeCounted,
  writeEntryLegs,
  writeFieldValues,
  writeNumbers,
  writePostings,
} from './record-parts.js';

const FIRST_VERSION = 1;

/** Appends the record of a plain event (without length prefix) to `out`. */
export function writePlain(out: MsgpackWriter, event: PlainEvent): void {
  switch (event.kind) {
    case EventKind.accountCreated:
      head(out, event, 9);
      out.integer(event.accountSlot);
      out.text(event.id);
      writeNumbers(out, event.program, event.currency, event.creditLimit, event.type);
      break;
    case EventKind.accountUpdated:
      head(out, event, 7);
      writeNumbers(out, event.accountSlot, event.creditLimit, event.status, event.previousOfAccount);
      break;
    case EventKind.cardCreated:
      head(out, event, 18, 2);
      writeNumbers(
        out,
        event.cardSlot,
        event.accountSlot,
        ...event.fingerprint,
        event.bin,
        event.last4,
        event.panLength,
      );
      writeNumbers(out, event.expiry, event.cardSequence, event.serviceCode, event.status, event.replacesSlot);
      writeNumbers(out, event.aliasOfSlot, event.previousOfAccount);
      break;
    case EventKind.cardUpdated:
      head(out, event, 9, 2);
      writeNumbers(out, event.cardSlot, event.accountSlot, event.status, event.pinTries);
      writeNumbers(out, event.previousOfCard, event.previousOfAccount);
      break;
    case EventKind.notDelivered:
      head(out, event, 14, 4);
      writeNumbers(out, event.accountSlot, event.cardSlot, event.originalSequence, event.authorizationSequence);
      writeNumbers(out, event.authorizedAfter, event.holdDelta);
      writeCounted(out, event.counted);
      writePostings(out, event.postings);
      out.binary(event.changes);
      writeNumbers(out, event.previousOfAccount, event.previousOfCard);
      break;
    case EventKind.holdExpired:
      holdExpired(out, event);
      break;
    case EventKind.payment:
      head(out, event, 9);
      writeNumbers(out, event.accountSlot, event.amount, event.currency);
      out.text(event.reference);
      writePostings(out, event.postings);
      writeNumbers(out, event.previousOfAccount);
      break;
    case EventKind.entryPosted:
      if (event.disputed?.charge !== undefined) head(out, event, 24, 4);
      else if (event.disputed !== undefined) head(out, event, 17, 2);
      else if (event.ended !== undefined) head(out, event, 16, 3);
      else head(out, event, 14);
      writeNumbers(out, event.entry, event.accountSlot, event.cardSlot, event.day);
      out.text(event.reference);
      writeNumbers(out, event.relatedSequence);
      out.text(event.note);
      writeNumbers(out, event.carry);
      writeEntryLegs(out, event.legs);
      writeNumbers(out, event.previousOfAccount, event.previousOfCard);
      if (event.disputed !== undefined) {
        writeNumbers(out, event.disputed.posted);
        out.text(event.disputed.arn);
        out.text(event.disputed.reasonCode);
        if (event.disputed.charge !== undefined) disputedCharge(out, event.disputed.charge);
      } else if (event.ended !== undefined) {
        writeNumbers(out, event.ended.posted, event.ended.kept);
      }
      break;
    case EventKind.clearingPosted:
      head(out, event, 27, 3);
      writeNumbers(out, event.accountSlot, event.cardSlot, event.tokenSlot, ...event.fingerprint);
      out.text(event.file);
      writeClearingInput(out, event.input);
      writeNumbers(
        out,
        event.sort,
        event.rung,
        event.flags,
        event.originalSequence,
        event.relatedSequence,
        event.posted,
      );
      writeNumbers(out, event.authorizedAfter, event.holdDelta, event.holdFlags, event.programRevision);
      out.binary(event.changes);
      writeEntryLegs(out, event.legs);
      writeNumbers(out, event.previousOfAccount, event.previousOfCard, event.disputeSequence, event.windowLagMs);
      break;
    case EventKind.accrualMarked:
      head(out, event, 5);
      writeNumbers(out, event.day, event.nextSlot);
      break;
    case EventKind.statementClosed:
      head(out, event, 9);
      writeNumbers(out, event.accountSlot, event.day, event.balance, event.minimumDue, event.dueDay);
      writeNumbers(out, event.previousOfAccount);
      break;
    case EventKind.totalsCompared:
      head(out, event, 13);
      writeNumbers(
        out,
        event.mti,
        event.link,
        event.acquirer,
        event.day,
        event.currency,
        event.transmission,
        event.stan,
      );
      writeNumbers(out, event.equal);
      writeFieldValues(out, event.theirs);
      writeFieldValues(out, event.ours);
      break;
    case EventKind.poison:
      head(out, event, 6);
      writeNumbers(out, event.hashHigh, event.hashLow);
      out.text(event.error);
      break;
    case EventKind.unknownCardCount:
      head(out, event, 4);
      writeNumbers(out, event.count);
      break;
    case EventKind.programApplied:
      head(out, event, 6);
      writeNumbers(out, event.program, event.revision);
      out.text(event.text);
      break;
    case EventKind.controlsSet:
      head(out, event, 8);
      writeNumbers(out, event.accountSlot, event.cardSlot);
      out.text(event.text);
      writeNumbers(out, event.previousOfAccount, event.previousOfCard);
      break;
    case EventKind.pinReferenceSet:
      head(out, event, 8);
      writeNumbers(out, event.accountSlot, event.cardSlot);
      out.binary(event.sealed);
      writeNumbers(out, event.previousOfAccount, event.previousOfCard);
      break;
    case EventKind.fingerprintChanged:
      head(out, event, 9);
      writeNumbers(out, event.cardSlot, ...event.fingerprint);
      out.binary(event.sealed);
      writeNumbers(out, event.previousOfCard);
      break;
    case EventKind.idempotency:
      head(out, event, 6);
      out.binary(event.keyHash);
      out.binary(event.bodyHash);
      out.binary(event.outcome);
      break;
  }
}

function head(out: MsgpackWriter, event: PlainEvent, fields: number, version = FIRST_VERSION): void {
  out.arrayHeader(fields);
  out.reserve(3 * 9);
  out.integer(event.kind);
  out.integer(version);
  out.integer(event.timeMs);
}

function disputedCharge(out: MsgpackWriter, charge: DisputedCharge): void {
  writeNumbers(
    out,
    charge.amount,
    charge.cash,
    charge.markup,
    charge.fee,
    charge.back,
    charge.markupBack,
    charge.feeBack,
  );
}

/** The one plain event that comes by the million, in the sweep: written without a list of its numbers. */
function holdExpired(out: MsgpackWriter, event: HoldExpired): void {
  head(out, event, 11);
  out.reserve(5 * 9);
  out.integer(event.accountSlot);
  out.integer(event.cardSlot);
  out.integer(event.originalSequence);
  out.integer(event.authorizedAfter);
  out.integer(event.holdDelta);
  out.binary(event.changes);
  out.reserve(2 * 9);
  out.integer(event.previousOfAccount);
  out.integer(event.previousOfCard);
}
