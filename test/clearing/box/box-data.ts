/** Authorizations for the network in a box. */
import type { BoxAuthorization } from '#src/clearing/box/day.js';
import { panOfNumber } from '#src/vault/pan.js';

/** 2026-11-26. */
export const DAY = 20_783;
export const BRL = 986;

export function authorizationOf(n: number, over: Partial<BoxAuthorization> = {}): BoxAuthorization {
  return {
    id: `0-${n}`,
    pan: panOfNumber('999999', 1 + (n % 50)),
    ...{ amount: 1000 + n, currency: BRL, billingAmount: 1000 + n, billingCurrency: BRL },
    processingCode: 0,
    mcc: n % 3 === 0 ? 5812 : 5411,
    timeMs: DAY * 86_400_000 + n * 1000,
    approvalCode: String(100_000 + n),
    rrn: String(n).padStart(12, '0'),
    networkId: `BOX${String(n).padStart(9, '0')}`,
    acquirer: '999901',
    terminal: 'TERM0001',
    merchant: 'MERCHANT0000001',
    merchantName: 'HOLDFAST TEST SHOP',
    ...over,
  };
}
