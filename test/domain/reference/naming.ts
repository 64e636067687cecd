/** How a message names an earlier one. */
import { bare, classOf, type Message } from './message.js';

export interface Named {
  message: Message;
  code?: string;
}

export const byNetworkId = (r: Message, o: Named): boolean => !!r.orig && r.orig === o.message.net;

export function byCompleteDe90(r: Message, o: Named): boolean {
  const d = r.de90;
  if (d?.stan === undefined || d.de7 === undefined || !d.acquirer) return false;
  if (bare(d.acquirer) !== bare(o.message.acquirer)) return false;
  if (d.forwarder && bare(d.forwarder) !== bare(o.message.forwarder)) return false;
  return d.stan === o.message.stan && d.de7 === o.message.de7 && classOf(d.mti) === classOf(o.message.mti);
}

export const sharesRrn = (r: Message, o: Named): boolean =>
  !!r.rrn && r.rrn === o.message.rrn && (r.terminal ?? '') === (o.message.terminal ?? '');

export function byRrn(r: Message, o: Named): boolean {
  if (!sharesRrn(r, o)) return false;
  // The code of an advice is the network's own.
  if (classOf(r.mti) !== '4') return true;
  // All messages of a purchase share the RRN: DE90 or the code may say that another one is meant.
  const d = r.de90;
  if (d?.stan !== undefined && d.de7 !== undefined) {
    if (classOf(d.mti) !== classOf(o.message.mti)) return false;
    if (r.de38 === undefined && d.stan !== o.message.stan && d.de7 !== o.message.de7) return false;
  }
  return r.de38 === undefined || isCode(r.de38, o.code) || r.de38.trimEnd() === o.message.de38?.trimEnd();
}

const isCode = (told: string, code: string | undefined): boolean =>
  code === told.trimEnd() || (/^\d+$/.test(told) && code === told.padStart(6, '0'));

export const byHoldReference = (r: Message, o: Named): boolean => !!r.hold && r.hold === o.message.hold;

/** DE90 without a usable acquirer on one of the sides. */
export function byGivenStan(r: Message, o: Named): boolean {
  const d = r.de90;
  if (d?.stan !== undefined && d.de7 !== undefined) {
    const acquirersTold = !!d.acquirer && !!o.message.acquirer;
    const same = d.stan === o.message.stan && d.de7 === o.message.de7 && classOf(d.mti) === classOf(o.message.mti);
    if (!acquirersTold && same) return true;
  }
  return false;
}

export const byOwnStan = (r: Message, o: Named): boolean => r.stan === o.message.stan && r.de7 === o.message.de7;

/** Named by what only that message has. */
export const isNamedExactly = (m: Message, o: Named): boolean => byDe90(m, o) || byNetworkId(m, o) || byOwnStan(m, o);

/** One that was sent again may have got another DE7. */
function byDe90({ de90: d }: Message, { message }: Named): boolean {
  if (d?.stan === undefined || d.de7 === undefined || classOf(d.mti) !== classOf(message.mti)) return false;
  return d.stan === message.stan || d.de7 === message.de7;
}

/** Found by DE37 and DE41, which a second attempt has as well, and by nothing else. */
export const isByRrnAlone = (r: Message, o: Named): boolean =>
  r.de38 === undefined &&
  (r.de90?.stan === undefined || r.de90.de7 === undefined) &&
  !byNetworkId(r, o) &&
  !byOwnStan(r, o);

/** Whether the reversal would have found this message; the late original has no approval code to compare. */
export function names(r: Message, o: Named): boolean {
  const { de38: _unknown, ...withoutCode } = r;
  return [byNetworkId, byCompleteDe90, byRrn, byGivenStan, byOwnStan].some((way) => way(withoutCode, o));
}
