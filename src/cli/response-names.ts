/** Response codes (DE39) in words, and what a reply says in one line. */
import type { Fields } from '../iso8583/message.js';

const names: Readonly<Record<string, string>> = {
  '00': 'approved',
  '05': 'do not honour',
  '10': 'partial amount',
  '12': 'invalid transaction',
  '14': 'unknown card',
  '21': 'no action taken',
  '25': 'record not found',
  '30': 'format error',
  '40': 'function not supported',
  '41': 'lost card',
  '43': 'stolen card',
  '46': 'closed account',
  '51': 'insufficient funds',
  '54': 'expired card',
  '55': 'wrong PIN',
  '57': 'not permitted to the cardholder',
  '58': 'not permitted to the terminal',
  '61': 'amount limit exceeded',
  '62': 'restricted card',
  '65': 'count limit exceeded',
  '68': 'late or reversed',
  '75': 'PIN tries exceeded',
  '78': 'inactive card',
  '81': 'PIN unreadable',
  '82': 'wrong CVV',
  '85': 'nothing against it',
  '88': 'wrong cryptogram',
  '91': 'issuer unavailable',
  '94': 'duplicate with another amount',
  '95': 'out of balance',
  '96': 'system malfunction',
  N7: 'wrong CVV2',
};

export function responseName(code: string): string {
  return names[code] ?? 'unnamed code';
}

/** `0110 approved 00 code 123456`, `0110 declined 51 (insufficient funds)`, `0810 accepted 00`. */
export function headline(reply: Fields): string {
  const mti = reply['0'] ?? '????';
  const code = reply['39'];
  if (code === undefined) return `${mti} without a response code`;
  const question = mti[1] === '1' || mti[1] === '2';
  const request = question && mti[2] === '1';
  const good = code === '00' || code === '10' || code === '85';
  const word = request ? (good ? 'approved' : 'declined') : good ? 'accepted' : 'refused';
  const why = code === '00' ? '' : ` (${responseName(code)})`;
  const approval = reply['38'] === undefined ? '' : ` code ${reply['38']}`;
  return `${mti} ${word} ${code}${why}${approval}`;
}
