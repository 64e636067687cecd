/**
 * A shard that throws, and a journal that answers late, in the real server: planted by the environment (faults.ts).
 * One shard stops, the others do not notice; nothing is answered before it is durable.
 */
import { describe, expect, test } from 'vitest';
import { demoAccount } from '#src/cli/demo-program.js';
import type { Fields } from '#src/iso8583/message.js';
import { shardOfAccount } from '#src/journal/placement.js';
import { type IsoClient, purchase, repeat, reversal } from '../support/iso-client.js';
import { Server, until } from '../support/server.js';

const SHARDS = 16;
const BOOM = 'BOOM00000001';

/** A demo card of every shard, by shard number. */
function cardsByShard(): number[] {
  const cards: number[] = [];
  for (let card = 1; cards.filter((one) => one > 0).length < SHARDS; card++) {
    cards[shardOfAccount(demoAccount(card), SHARDS)] ??= card;
  }
  return cards;
}

const cards = cardsByShard();
const STRUCK = 5;
const struck = cards[STRUCK]!;
const others = cards.filter((card) => card !== struck);

async function held(server: Server, card: number): Promise<number> {
  const { status, body } = await server.get(`/v1/accounts/${demoAccount(card)}`);
  expect(status).toBe(200);
  return body.balances.held as number;
}

const code = (reply: Fields): string => reply[39]!;

/** Purchases on all cards but the struck one, over and over, until told to stop; resolves with the response codes. */
function traffic(client: IsoClient): { stop(): Promise<Record<string, number>> } {
  let go = true;
  const codes: Record<string, number> = {};
  const done = (async () => {
    while (go) {
      const replies = await client.batch(others.map((card) => purchase({ card, amount: 1 })));
      for (const reply of replies) codes[code(reply)] = (codes[code(reply)] ?? 0) + 1;
    }
  })();
  return {
    stop: async () => {
      go = false;
      await done;
      return codes;
    },
  };
}

const ready = (server: Server): Promise<boolean> => server.get('/readyz').then(({ status }) => status === 200);

describe('a message that stops its shard', () => {
  const environment = { HOLDFAST_FAULT_THROW_RRN: BOOM };

  test('is answered 96; the others go on; the shard is back with its money; resends do not stop it again', async () => {
    const server = await Server.start({ environment });
    const client = await server.connect();
    const background = traffic(await server.connect());
    const first = purchase({ card: struck, amount: 700 });
    expect(code(await client.request(first))).toBe('00');
    const boom = purchase({ card: struck, amount: 55, fields: { 37: BOOM } });
    // In one batch with its neighbours: what was decided before it stays decided.
    const before = purchase({ card: struck, amount: 40 });
    const after = purchase({ card: struck, amount: 60 });
    const [one, two, three] = await client.batch([before, boom, after]);
    expect([one, two].map((reply) => code(reply!))).toEqual(['00', '96']);
    // Refused while the shard is being rebuilt, or decided when it is back: never lost, never half.
    expect(['00', '91']).toContain(code(three!));
    await until('the shard is back', () => ready(server));
    const money = 740 + (code(three!) === '00' ? 60 : 0);
    expect(await held(server, struck)).toBe(money);
    // The same bytes, and the repeat that a network sends.
    expect(code(await client.request(boom))).toBe('96');
    expect(code(await client.request(repeat(boom)))).toBe('96');
    // What was answered before the stop is known: same answer, no second effect.
    const again = await client.request(repeat(first));
    expect([again[0], again[39]]).toEqual(['0110', '00']);
    expect(code(await client.request(purchase({ card: struck, amount: 5 })))).toBe('00');
    expect(await held(server, struck)).toBe(money + 5);
    const codes = await background.stop();
    expect(Object.keys(codes)).toEqual(['00']);
    expect(server.logged('a shard stopped; it is rebuilt from the journal')).toHaveLength(1);
    expect(server.logged('a shard is back')).toHaveLength(1);

    // After a restart with a checkpoint, and after one without.
    for (const end of ['stop', 'kill'] as const) {
      await server[end]();
      const next = await Server.start({ environment, dataDir: server.dataDir });
      const link = await next.connect();
      expect(code(await link.request(boom)), end).toBe('96');
      expect(code(await link.request(repeat(boom))), end).toBe('96');
      expect(next.logged('a shard stopped; it is rebuilt from the journal'), end).toHaveLength(0);
      expect(await held(next, struck), end).toBe(money + 5);
      // The checkpoint had it: the shard was not built anew because the two contradict each other.
      expect(next.stderr, end).not.toContain('checkpoint');
      await next.kill();
    }
  });

  test('a command that stops its shard is refused, and its retries do not stop it again', async () => {
    const server = await Server.start({ environment });
    const client = await server.connect();
    expect(code(await client.request(purchase({ card: struck, amount: 80 })))).toBe('00');
    const pay = (reference: string): ReturnType<Server['api']> => {
      const payment = { account: demoAccount(struck), amount: 5, currency: 'BRL', reference };
      return server.api('POST', '/v1/payments', payment, { 'idempotency-key': `pay ${reference}` });
    };
    // A client does what Retry-After says.
    for (let n = 0; n < 5; n++) {
      const { status, body } = await pay(BOOM);
      expect([status, body.code]).toEqual([503, 'shard_unavailable']);
      await until('the shard is back', () => ready(server));
    }
    expect(server.logged('a shard stopped; it is rebuilt from the journal')).toHaveLength(1);
    expect((await pay('fine')).status).toBe(201);
    const { body } = await server.get(`/v1/accounts/${demoAccount(struck)}`);
    expect(body.balances).toEqual({ posted: -5, held: 80, available: 500_000 + 5 - 80 });
    expect(await server.stop()).toEqual({ status: 0, signal: null });
  });

  test('three stops within a minute keep the shard down and readiness red, the others serve', async () => {
    const server = await Server.start({ environment });
    const client = await server.connect();
    expect(code(await client.request(purchase({ card: struck, amount: 321 })))).toBe('00');
    for (let n = 1; n <= 3; n++) {
      expect(code(await client.request(purchase({ card: struck, amount: n, fields: { 37: BOOM } })))).toBe('96');
      if (n < 3) await until('the shard is back', () => ready(server));
    }
    const { status, body } = await server.get('/readyz');
    expect([status, body]).toEqual([
      503,
      { status: 'not_ready', reasons: [{ check: `shard-${STRUCK}`, detail: 'down' }], warnings: [] },
    ]);
    const codes = await client.batch(cards.map((card) => purchase({ card, amount: 2 })));
    expect(codes.map(code)).toEqual(cards.map((card) => (card === struck ? '91' : '00')));
    const account = await server.get(`/v1/accounts/${demoAccount(struck)}`);
    expect([account.status, account.body.code]).toEqual([503, 'shard_unavailable']);
    const patch = await server.api('PATCH', `/v1/accounts/${demoAccount(struck)}`, { credit_limit: 1 });
    expect([patch.status, patch.body.code]).toEqual([503, 'shard_unavailable']);
    expect(await held(server, others[0]!)).toBe(2);
    expect((await server.get('/metrics')).status).toBe(200);
    expect(await server.stop()).toEqual({ status: 0, signal: null });

    const next = await Server.start({ dataDir: server.dataDir });
    expect(await ready(next)).toBe(true);
    expect(await held(next, struck)).toBe(321);
    expect(await next.stop()).toEqual({ status: 0, signal: null });
  });
});

describe('a journal that acknowledges late', () => {
  const DELAY_MS = 5;

  test('nothing is answered before its delay, and everything is right', async () => {
    const server = await Server.start({ environment: { HOLDFAST_FAULT_LANE_DELAY_MS: String(DELAY_MS) } });
    const client = await server.connect();
    for (let n = 0; n < 20; n++) {
      const began = performance.now();
      expect(code(await client.request(purchase({ card: 20, amount: 10 })))).toBe('00');
      // A millisecond for the clocks of two processes that are read in different places.
      expect(performance.now() - began).toBeGreaterThan(DELAY_MS - 1);
    }
    // A request, its repeats, its reversal and the repeats of that, all in one write.
    const original = purchase({ card: 21, amount: 1500 });
    const undo = reversal(original);
    const other = purchase({ card: 21, amount: 250 });
    const requests = [original, other, undo];
    const replies = await client.batch(requests);
    expect(replies.map((reply) => [reply[0], code(reply)])).toEqual([
      ['0110', '00'],
      ['0110', '00'],
      ['0410', '00'],
    ]);
    expect(await held(server, 21)).toBe(250);
    // The reads see the writes that were answered; an API write is seen by the next message.
    for (let n = 1; n <= 5; n++) {
      expect(code(await client.request(purchase({ card: 22, amount: 100 })))).toBe('00');
      expect(await held(server, 22)).toBe(100 * n);
    }
    expect((await server.api('PATCH', `/v1/accounts/${demoAccount(22)}`, { credit_limit: 500 })).status).toBe(200);
    expect(code(await client.request(purchase({ card: 22, amount: 1 })))).toBe('51');
    const payment = { account: demoAccount(22), amount: 300, currency: 'BRL', reference: 'late-1' };
    const paid = await server.api('POST', '/v1/payments', payment, { 'idempotency-key': 'late-1' });
    expect(paid.status).toBe(201);
    const paidAgain = await server.api('POST', '/v1/payments', payment, { 'idempotency-key': 'late-1' });
    expect([paidAgain.status, paidAgain.headers.get('idempotent-replayed'), paidAgain.text]).toEqual([
      201,
      'true',
      paid.text,
    ]);
    expect(code(await client.request(purchase({ card: 22, amount: 300 })))).toBe('00');
    expect(await server.stop()).toEqual({ status: 0, signal: null });
  });

  test('repeats in the batch of their original get its answer, once it is durable', async () => {
    const server = await Server.start({ environment: { HOLDFAST_FAULT_LANE_DELAY_MS: String(DELAY_MS) } });
    const client = await server.connect();
    const original = purchase({ card: 30, amount: 1000 });
    const first = client.expect(original);
    client.raw(Buffer.concat([client.frame(original), client.frame(repeat(original)), client.frame(repeat(original))]));
    const reply = await first;
    await until('the repeats are answered', () => client.unexpected.length === 2);
    // Replies to the same STAN: all the same.
    for (const one of client.unexpected) expect(one).toEqual(reply);
    expect(code(reply)).toBe('00');
    expect(await held(server, 30)).toBe(1000);
    expect(await server.stop()).toEqual({ status: 0, signal: null });
  });

  test('what becomes durable after its deadline is answered 91, with and without a hold, never silence', async () => {
    const server = await Server.start({
      flags: ['--deadline-ms', '500'],
      environment: { HOLDFAST_FAULT_LANE_DELAY_MS: '1500' },
    });
    const client = await server.connect();
    const verification = purchase({ card: 40, fields: { 3: '380000', 4: '000000000000' } });
    const inquiry = purchase({ card: 40, fields: { 3: '310000', 4: '000000000000' } });
    const bought = purchase({ card: 41, amount: 1000 });
    const again = client.batch([verification, inquiry, bought]);
    client.raw(Buffer.concat([verification, inquiry, bought].map((fields) => client.frame(repeat(fields)))));
    expect((await again).map(code)).toEqual(['91', '91', '91']);
    await until('the repeats are answered', () => client.unexpected.length === 3);
    expect(client.unexpected.map(code)).toEqual(['91', '91', '91']);
    for (const refusal of client.unexpected) expect([refusal[38], refusal[54]]).toEqual([undefined, undefined]);
    expect((await server.get('/metrics')).text).toContain('holdfast_shed_total{cause="deadline"} 6\n');
    expect(await held(server, 41)).toBe(0);
    // What needed no new record is in time: the repeat of a verification gets its first answer, that of the purchase 68.
    expect(code(await client.request(repeat(verification)))).toBe('85');
    expect(code(await client.request(repeat(bought)))).toBe('68');
    expect(await server.stop()).toEqual({ status: 0, signal: null });
  });
});
