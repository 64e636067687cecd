/** Small helpers that every decision ends with. */
import { ElementKind, Reason, Response } from './codes.js';
import type { MessageEvent } from './events.js';

/** Ends a decision without effect. */
export function decline(out: MessageEvent, response: number, reason: Reason): void {
  out.response = response;
  out.reason = reason;
}

/**
 * Answers 30: it is recorded, and no decision that a later message could repeat.
 * @param field number of the field that is missing (`missing` 1) or malformed (0)
 */
export function refuseFormat(out: MessageEvent, field: number, missing: number, reason?: Reason): void {
  out.input.badField = field;
  out.input.badFieldMissing = missing;
  out.element = ElementKind.refused;
  decline(out, Response.formatError, reason ?? (missing === 1 ? Reason.missingField : Reason.malformedField));
}
