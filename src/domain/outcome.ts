/** Small helpers that every decision ends with. */
import type { Reason } from './codes.js';
import type { MessageEvent } from './events.js';

/** Ends a decision without effect. */
export function decline(out: MessageEvent, response: number, reason: Reason): void {
  out.response = response;
  out.reason = reason;
}
