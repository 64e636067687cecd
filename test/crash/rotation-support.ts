/** Cards and load for rotations of keys: a demo server with more cards, so that a rotation takes some seconds. */
import { expect } from 'vitest';
import { demoPan } from '#src/cli/demo-program.js';
import { panOfNumber } from '#src/vault/pan.js';
import { purchase } from '../support/iso-client.js';
import type { Server } from '../support/server.js';

const DEMO_CARDS = 1000;
/** Enough for a rotation of about two seconds beside the demo's. */
const CARDS = 2000;

/** Card numbers of the server, those of the demo first. */
export const pans = [
  ...Array.from({ length: DEMO_CARDS }, (_, i) => demoPan(i + 1)),
  ...Array.from({ length: CARDS }, (_, i) => panOfNumber('999999', 500_000 + i)),
];

export async function importCards(server: Server): Promise<void> {
  const rows = Array.from({ length: CARDS }, (_, i) => {
    const account = { id: `acc-${i}`, currency: 'BRL', credit_limit: 100_000, type: 'credit' };
    return `${JSON.stringify({ account, card: { pan: pans[DEMO_CARDS + i], expiry: '3012', status: 'active' } })}\n`;
  }).join('');
  const imported = await server.api('POST', '/v1/bulk/accounts', rows, { 'content-type': 'application/x-ndjson' });
  expect(imported.status, imported.text).toBe(200);
}

/** Authorizations of the demo's cards, one after the other until it is stopped; every one is approved. */
export function load(server: Server): { stop(): Promise<number> } {
  let stopped = false;
  const done = (async () => {
    const client = await server.connect();
    let count = 0;
    for (; !stopped; count++) {
      const reply = await client
        .request(purchase({ card: 1 + (count % DEMO_CARDS), amount: 10 }))
        .catch(() => undefined);
      // The server was killed.
      if (reply === undefined) break;
      expect(reply[39]).toBe('00');
    }
    return count;
  })();
  return {
    stop: () => {
      stopped = true;
      return done;
    },
  };
}
