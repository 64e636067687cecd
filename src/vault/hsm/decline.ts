/**
 * What a verdict means for the answer to the network: DE39, or undefined when the check was passed or decides nothing (an
 * operation that only makes a value).
 *
 * Only a mismatch and an unreadable PIN block speak about the card. Every other failure is ours: no device in time is 91 (issuer
 * inoperative), a key or a request of ours that does not fit is 96 (system malfunction); neither counts a PIN try.
 */
import type { HsmOp, HsmVerdict } from './port.js';

/** DE39 of a mismatch. Programs may answer 05 instead of 88. */
const mismatchCodes: Readonly<Partial<Record<HsmOp, string>>> = {
  verify_cvv: '82',
  verify_dcvv: '82',
  verify_cvc3: '82',
  verify_pin: '55',
  change_pin: '55',
  verify_arqc: '88',
  verify_mac: '96',
};

export function declineCode(op: HsmOp, verdict: HsmVerdict): string | undefined {
  switch (verdict.outcome) {
    case 'ok':
      return undefined;
    case 'mismatch':
      return mismatchCodes[op] ?? '96';
    case 'failed':
      switch (verdict.failure) {
        case 'pin_unreadable':
          return '81';
        case 'device_down':
        case 'device_busy':
        case 'timeout':
        case 'device_error':
          return '91';
        case 'key_not_usable':
        case 'bad_request':
        case 'not_allowed':
        case 'unsupported':
          return '96';
      }
  }
}

/** Whether a PIN try was used up: the PIN was read and is another one. An unreadable block says nothing about the PIN. */
export const countsPinTry = (op: HsmOp, verdict: HsmVerdict): boolean =>
  verdict.outcome === 'mismatch' && (op === 'verify_pin' || op === 'change_pin');
