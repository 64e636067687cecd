/**
 * Error codes of a payShield by what they mean for us. "Verification failed" is an answer about the card, and the only one that
 * is; all others are about keys, requests or the device, and none of them may ever look like it.
 */
import { failed, type HsmFailure, type HsmVerdict, mismatch } from '../hsm/port.js';

const classes: readonly (readonly [HsmFailure, string, readonly string[]])[] = [
  ['pin_unreadable', 'the PIN block is none of this card under this key', ['20', '24']],
  [
    'key_not_usable',
    'the device does not accept the key for this',
    ['10', '11', '12', '26', '27', '28', '29', '75', '83', '84'].concat(
      ['A1', 'A2', 'A3', 'A4', 'A5', 'A6', 'A7', 'A8', 'A9', 'AA', 'AB', 'AC', 'AD', 'AE', 'AF'],
      ['B0', 'B1', 'B2', 'B3', 'B4', 'B5', 'B6', 'B7', 'B8', 'B9', 'BA', 'BB', 'BC', 'BD'],
    ),
  ],
  [
    'bad_request',
    'the device finds the command malformed',
    ['03', '04', '05', '06', '07', '08', '09', '15', '21', '22', '23', '25', '80', '82'],
  ],
  ['not_allowed', 'the device forbids it', ['17', '81', '86']],
  [
    'unsupported',
    'the device has the command or the format disabled, or no licence for it',
    ['47', '65', '67', '68', '69'],
  ],
];
const byCode = new Map(
  classes.flatMap(([failure, detail, codes]) => codes.map((code) => [code, { failure, detail }] as const)),
);

/**
 * The verdict on an error code other than 00.
 * @param verifies the command compares something: only then 01 means that it differs
 */
export function verdictOfCode(code: string, verifies: boolean): HsmVerdict {
  if (code === '01' && verifies) return mismatch;
  const known = byCode.get(code);
  if (known !== undefined) return failed(known.failure, `${known.detail} (error ${code})`);
  return failed('device_error', `the device reports error ${code}`);
}
