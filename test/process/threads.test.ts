/**
 * The number of threads is nobody's business: the same traffic on fresh directories with the same keys is answered the same
 * by one thread and by two, also when the number changes at a restart in the middle, and the books agree at the end.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { demoAccount, demoPan } from '#src/cli/demo-program.js';
import type { Fields } from '#src/iso8583/message.js';
import { purchase, repeat, reversal } from '../support/iso-client.js';
import { Server, temporaryFolder } from '../support/server.js';

const CARDS = 60;

/** A seeded generator, so that every run has the same messages. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/**
 * Purchases, declines for lack of money, repeats, full and partial reversals, reversals that come first, wrong expiry
 * dates, unknown cards. The order within a card is fixed; messages of one batch never depend on one of another card.
 */
function traffic(count: number): Fields[] {
  const random = generator(20_261_123);
  const messages: Fields[] = [];
  const originals: Fields[] = [];
  const early: Fields[] = [];
  for (let n = 0; n < count; n++) {
    const kind = random(100);
    const card = 1 + random(CARDS);
    const known = originals[random(Math.max(1, originals.length))];
    if (kind < 15 && known !== undefined) messages.push(repeat(known));
    else if (kind < 25 && known !== undefined) messages.push(reversal(known));
    else if (kind < 32 && known !== undefined) messages.push(reversal(known, random(5000)));
    else if (kind < 35) {
      const late = purchase({ card, amount: 100 + random(1000) });
      early.push(late);
      messages.push(reversal(late));
    } else if (kind < 38 && early.length > 0) messages.push(early.shift()!);
    else if (kind < 42) messages.push(purchase({ fields: { 2: '9999980000000003' } }));
    else if (kind < 45) messages.push(purchase({ card, fields: { 14: '2001' } }));
    else if (kind < 47) messages.push(purchase({ card, fields: { 3: '990000' } }));
    else {
      const original = purchase({ card, amount: 1 + random(kind > 90 ? 600_000 : 60_000) });
      originals.push(original);
      messages.push(original);
    }
  }
  return messages;
}

interface Outcome {
  readonly replies: Fields[];
  readonly balances: unknown[];
  readonly trial: unknown;
}

interface Half {
  readonly threads: number;
}

const messages = traffic(900);

/** Sends the traffic in batches, restarting in the middle when there are two halves. */
async function play(halves: readonly Half[], keys: string | undefined): Promise<Outcome & { keys: string }> {
  const dataDir = join(temporaryFolder('threads'), 'data');
  const replies: Fields[] = [];
  let balances: unknown[] = [];
  let trial: unknown;
  const per = Math.ceil(messages.length / halves.length);
  const keyFile = `${dataDir}.keys`;
  for (const [number, { threads }] of halves.entries()) {
    if (number === 0 && keys !== undefined) {
      mkdirSync(join(dataDir, '..'), { recursive: true });
      // The same secrets; the file must not belong to another directory.
      writeFileSync(keyFile, keys.replace(/"directory": "[^"]*"/, '"directory": ""'), { mode: 0o600 });
    }
    const server = await Server.start({ dataDir, flags: ['--threads', String(threads)] });
    expect(server.number('threads')).toBe(threads);
    const client = await server.connect();
    const part = messages.slice(number * per, (number + 1) * per);
    for (let at = 0; at < part.length; ) {
      // A batch holds each STAN once (the client matches by it), so a repeat waits for its original.
      const batch: Fields[] = [];
      while (at < part.length && batch.length < 50 && !batch.some((one) => one[11] === part[at]![11])) {
        batch.push(part[at++]!);
      }
      replies.push(...(await client.batch(batch)));
    }
    balances = [];
    for (let card = 1; card <= CARDS; card++) {
      balances.push((await server.get(`/v1/accounts/${demoAccount(card)}`)).body.balances);
    }
    const { body } = await server.get('/v1/ledger/trial-balance');
    trial = body.currencies ?? body.data ?? body;
    expect(await server.stop()).toEqual({ status: 0, signal: null });
  }
  return { replies, balances, trial, keys: readFileSync(keyFile, 'utf8') };
}

describe('threads', () => {
  test('one, two, and a change in the middle give the same answers and the same books', async () => {
    const { keys, ...one } = await play([{ threads: 1 }], undefined);
    const codes = new Set(one.replies.map((reply) => reply[39]));
    // The traffic is worth something: every kind of answer is among them.
    expect([...codes].sort()).toEqual(expect.arrayContaining(['00', '12', '14', '51', '54', '68']));
    expect(one.replies.some((reply) => JSON.stringify(reply).includes(demoPan(1)))).toBe(false);
    for (const halves of [[{ threads: 2 }], [{ threads: 1 }, { threads: 2 }], [{ threads: 2 }, { threads: 1 }]]) {
      const { keys: _keys, ...other } = await play(halves, keys);
      for (const [index, reply] of other.replies.entries()) {
        expect(reply, `reply to ${JSON.stringify(messages[index]![11])}`).toEqual(one.replies[index]);
      }
      expect(other.balances).toEqual(one.balances);
      expect(other.trial).toEqual(one.trial);
    }
  });
});
