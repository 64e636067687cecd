/** The simulator beyond authorizations and reversals: what each call sends, and what it refuses. */

import { beforeEach, describe, expect, it } from 'vitest';
import { findRecord } from '#src/control/authorizations.js';
import { cutOver } from '#src/control/cutover.js';
import type { DescribedMessage } from '#src/iso8583/describe.js';
import { pack } from '#src/iso8583/message.js';
import { WIRE_HEADER_BYTES } from '#src/ring/wire-entry.js';
import { type AnswerBody, type Harness, makeHarness, START_MS } from './harness.js';

let h: Harness;
let card: string;
let pan: string;
beforeEach(async () => {
  h = makeHarness();
  await h.call('POST', '/v1/accounts', { id: 'acc', credit_limit: 100_000 });
  ({ id: card, pan } = (await h.call('POST', '/v1/cards', { account: 'acc', expiry: '2912' })).body);
});

/** Value of a field of a decoded message. */
function fieldOf(decoded: DescribedMessage, field: number): string | undefined {
  return decoded.fields.find((one) => one.field === field)?.value;
}

/** Values of the tags of DE48. */
function tagsOf(decoded: DescribedMessage): Record<string, string> {
  const parts = decoded.fields.find(({ field }) => field === 48)?.parts ?? [];
  return Object.fromEntries(parts.map(({ part, value }) => [part, value]));
}

async function simulate(kind: string, body: object): Promise<AnswerBody> {
  const answer = await h.call('POST', `/v1/simulate/${kind}`, body);
  expect(answer.status, answer.text).toBe(201);
  expect(answer.text).not.toContain(pan);
  return answer.body;
}

const message = { 0: '0120', 3: '000000', 4: '000000001000', 7: '1123120000', 11: '000001', 49: '986' };

describe('what is sent', () => {
  it('an increment names its original by DE90, DE37, DE41 and DE48 tag 63', async () => {
    const { authorization } = await simulate('authorization', {
      ...{ card, amount: 1000, stan: '000011', rrn: 'RRN000000011', network_id: 'NET11', mcc: '7011' },
    });
    const { iso } = await simulate('increment', { authorization: authorization.id, amount: 500, stan: '000012' });
    expect(iso.request.decoded.mti).toBe('0100');
    const { decoded } = iso.request;
    expect(tagsOf(decoded)).toEqual({ 'tag 20': 'I', 'tag 63': 'NET11' });
    expect(fieldOf(decoded, 90)).toMatch(/^0100000011\d{10}00000999999/);
    expect([fieldOf(decoded, 4), fieldOf(decoded, 11), fieldOf(decoded, 18), fieldOf(decoded, 37)]).toEqual([
      ...['000000000500', '000012', '7011', 'RRN000000011'],
    ]);
  });

  it('amounts in another currency follow the rate of the original, or are given', async () => {
    const body = { card, amount: 1000, currency: 'USD', billing_amount: 5225 };
    const { authorization } = await simulate('authorization', body);
    const followed = await simulate('increment', { authorization: authorization.id, amount: 101 });
    // 101 x 5225 / 1000 = 527.725, half up.
    expect(fieldOf(followed.iso.request.decoded, 6)).toBe('000000000528');
    expect(followed.authorization.totals).toMatchObject({ authorized: 5225, incremented: 528, held: 5753 });
    const given = await simulate('increment', { authorization: authorization.id, amount: 101, billing_amount: 530 });
    expect(given.authorization.totals).toMatchObject({ incremented: 1058, held: 6283 });
  });

  const firstDigits: [string, object, string, string][] = [
    ['authorization', { amount: 100, kind: 'quasi_cash' }, '0100', '110000'],
    ['authorization', { amount: 100, kind: 'account_funding', single_message: true }, '0200', '100000'],
    ['authorization', { amount: 100, estimated: true }, '0100', '000000'],
    ['advice', { amount: 100, reason: 'stand_in_approved' }, '0120', '000000'],
    ['advice', { amount: 100, reason: 'stand_in_declined', financial: true }, '0220', '000000'],
    ['refund', { amount: 100 }, '0200', '200000'],
    ['refund', { amount: 100, kind: 'credit' }, '0200', '260000'],
    ['refund', { amount: 100, kind: 'payment_credit', announce: true }, '0100', '280000'],
    ['force_post', { amount: 100, kind: 'cash' }, '0220', '010000'],
  ];
  it.each(firstDigits)('%s %j is %s with DE3 %s', async (kind, body, mti, processingCode) => {
    const { iso, authorization } = await simulate(kind, { card, ...body });
    expect([iso.request.decoded.mti, fieldOf(iso.request.decoded, 3)]).toEqual([mti, processingCode]);
    expect(fieldOf(iso.reply.decoded, 39)).toBe('00');
    expect(authorization.response_code).toBe('00');
  });

  it('an advice keeps the code of the network, a declined one has none', async () => {
    const approved = await simulate('advice', { card, amount: 100, reason: 'stand_in_approved' });
    expect(fieldOf(approved.iso.reply.decoded, 38)).toBe(fieldOf(approved.iso.request.decoded, 38));
    expect(approved.authorization.approval_code).toBe(fieldOf(approved.iso.request.decoded, 38));
    expect(tagsOf(approved.iso.request.decoded)).toEqual({ 'tag 84': 'S' });
    const declined = await simulate('advice', { card, amount: 100, reason: 'stand_in_declined' });
    expect(fieldOf(declined.iso.request.decoded, 38)).toBeUndefined();
    expect(tagsOf(declined.iso.request.decoded)).toEqual({ 'tag 84': 'D' });
  });

  it('a network message is sent as it is, in any dialect, and shown without its secrets', async () => {
    const track = `${pan}=29122010000012345678`;
    const fields = { ...message, 0: '0100', 35: track, 52: 'hex:1122334455667788', 48: '9203737' };
    for (const [n, dialect] of ['iso87-bcd', 'iso87-ascii', 'iso87-ascii-bin'].entries()) {
      const sent = await simulate('network_message', { dialect, fields: { ...fields, 11: `00000${n}` } });
      expect(sent.iso.request.dialect).toBe(dialect);
      expect(sent.authorization).toMatchObject({ status: 'pending', card });
      for (const secret of ['737', '29122010', '1122334455667788'])
        for (const hidden of [secret, Buffer.from(secret).toString('hex')])
          expect(JSON.stringify(sent.iso)).not.toContain(hidden);
    }
    // Nothing is added: what is missing is answered 30.
    const { 11: _stan, ...without } = message;
    const refused = await simulate('network_message', { card, fields: without });
    expect(fieldOf(refused.iso.reply.decoded, 39)).toBe('30');
    expect(refused.authorization).toMatchObject({ type: 'refused', status: 'declined' });
  });

  it('network management goes to the listener, and is about no card', async () => {
    for (const dialect of ['iso87-bcd', 'iso87-ascii', 'iso87-ascii-bin']) {
      const fields = { 0: '0800', 7: '1126120000', 11: '000007', 70: '301' };
      const { authorization, element, iso } = await simulate('network_message', { dialect, fields });
      expect([authorization, element]).toEqual([null, null]);
      expect([iso.request.decoded.mti, iso.request.dialect]).toEqual(['0800', dialect]);
      expect(iso.reply.decoded.mti).toBe('0810');
      expect([7, 11, 39, 70].map((field) => fieldOf(iso.reply.decoded, field))).toEqual([
        ...['1126120000', '000007', '00', '301'],
      ]);
    }
  });

  it('after a cutover of the simulator its messages belong to the new date', async () => {
    cutOver(h.context.system, { link: 0, name: 'simulator', settlementDate: -1, transmission: 1, stan: 1 }, START_MS);
    const { authorization } = await simulate('network_message', { card, fields: message });
    const { record } = (await findRecord(h.context, authorization.id))!;
    expect(record.message!.input.businessDay).toBe(Math.floor(START_MS / 86_400_000) + 1);
  });

  it('a listener that does not answer leaves the outcome open', async () => {
    const deaf = makeHarness({ listens: false });
    const body = { fields: { 0: '0800', 7: '1126120000', 11: '000007', 70: '201' } };
    const answer = await deaf.call('POST', '/v1/simulate/network_message', body);
    expect([answer.status, answer.body.code]).toEqual([504, 'outcome_unknown']);
  });

  it('a retry with the same key is the same message', async () => {
    const { id } = (await simulate('authorization', { card, amount: 1000 })).authorization;
    const calls: [string, object][] = [
      ['increment', { authorization: id, amount: 100 }],
      ['advice', { card, amount: 100, reason: 'stand_in_approved' }],
      ['refund', { card, amount: 100 }],
      ['force_post', { card, amount: 100 }],
      ['network_message', { card, fields: message }],
    ];
    for (const [kind, body] of calls) {
      const key = { 'idempotency-key': kind };
      const first = await h.call('POST', `/v1/simulate/${kind}`, body, key);
      const again = await h.call('POST', `/v1/simulate/${kind}`, body, key);
      expect([first.status, again.status, again.headers['idempotent-replayed']], kind).toEqual([201, 201, 'true']);
      expect(again.text).toBe(first.text);
    }
  });
});

describe('what is refused', () => {
  it('every call about a live program: 403', async () => {
    await h.call('POST', '/v1/programs', { id: 'live', currency: 'BRL', bins: ['999998'] });
    await h.call('POST', '/v1/accounts', { id: 'real', program: 'live', credit_limit: 5000 });
    const real = (await h.call('POST', '/v1/cards', { account: 'real', expiry: '2912' })).body;
    const place = h.context.ids.decode('card', real.id)!;
    const advice = { card: real.id, amount: 1, reason: 'stand_in_approved' };
    const calls: [string, object][] = [
      ['authorization', { card: real.id, amount: 1 }],
      ['advice', advice],
      ['refund', { card: real.id, amount: 1 }],
      ['force_post', { card: real.id, amount: 1 }],
      ['network_message', { card: real.id, fields: message }],
      ['network_message', { fields: { ...message, 2: real.pan } }],
      // A number that nobody has, of no sandbox BIN.
      ['network_message', { fields: { ...message, 2: '9999980000009999' } }],
    ];
    for (const [kind, body] of calls) {
      const answer = await h.call('POST', `/v1/simulate/${kind}`, body);
      expect([answer.status, answer.body.code], kind).toEqual([403, 'not_sandbox']);
      expect(answer.text).not.toContain(real.pan);
    }
    expect((await h.call('GET', `/v1/authorizations?card=${real.id}`)).body.data).toEqual([]);
    // What came over the wire cannot be continued here either.
    const header = new Uint8Array(WIRE_HEADER_BYTES);
    new DataView(header.buffer).setUint32(0, ((place.shard << 24) | place.number) >>> 0, true);
    await h.engine.wire(place.shard, header, pack('iso87-bcd', { ...message, 0: '0100', 2: real.pan }));
    const [{ id: authorization }] = (await h.call('GET', `/v1/authorizations?card=${real.id}`)).body.data;
    const continued: [string, object][] = [
      ['increment', { authorization, amount: 1 }],
      ['advice', { authorization, amount: 1, reason: 'completion' }],
      ['refund', { authorization, amount: 1 }],
      ['reversal', { authorization }],
    ];
    for (const [kind, body] of continued) {
      const answer = await h.call('POST', `/v1/simulate/${kind}`, body);
      expect([answer.status, answer.body.code], kind).toEqual([403, 'not_sandbox']);
    }
    expect((await h.call('GET', `/v1/authorizations/${authorization}`)).body.elements).toHaveLength(1);
  });

  const unprocessable: [string, (id: string) => [string, object], string][] = [
    ['both subjects', (id) => ['advice', { card, authorization: id, amount: 1, reason: 'completion' }], '/card'],
    ['no subject', () => ['refund', { amount: 1 }], '/card'],
    ['an unknown reason', (id) => ['advice', { authorization: id, amount: 1, reason: 'X' }], '/reason'],
    ['no such authorization', () => ['increment', { authorization: 'auth_x', amount: 1 }], '/authorization'],
    ['no such card', () => ['force_post', { card: 'card_x', amount: 1 }], '/card'],
    ['a refund of a purchase', (id) => ['refund', { authorization: id, amount: 1 }], '/authorization'],
    ['cash back of cash', () => ['authorization', { card, amount: 2, kind: 'cash', cash_back: 1 }], '/cash_back'],
    ['an echo test of a card', () => ['network_message', { card, fields: { 0: '0800', 70: '301' } }], '/card'],
    ['totals of a card', () => ['network_message', { fields: { ...message, 0: '0500', 2: pan } }], '/fields'],
    ['a number twice', () => ['network_message', { card, fields: { ...message, 2: '9999990000000014' } }], '/fields'],
    ['no number', () => ['network_message', { fields: message }], '/fields'],
  ];
  it.each(unprocessable)('%s: 422', async (_name, call, param) => {
    const { id } = (await simulate('authorization', { card, amount: 1000 })).authorization;
    const [kind, body] = call(id);
    const answer = await h.call('POST', `/v1/simulate/${kind}`, body);
    expect([answer.status, answer.body.param], answer.text).toEqual([422, param]);
  });

  it('fields that no dialect has or that do not fit, without their content', async () => {
    for (const fields of [
      { ...message, 129: 'x' },
      { ...message, 4: 'LETTERS' },
      { ...message, 0: '12' },
      { ...message, 0: '2100' },
      { ...message, 43: 'ä€'.repeat(20) },
      { ...message, 48: 'x'.repeat(1000) },
    ]) {
      const answer = await h.call('POST', '/v1/simulate/network_message', { card, fields });
      expect(answer.status, answer.text).toBe(422);
      expect(answer.text).not.toContain('LETTERS');
    }
    // What listeners drop: replies, notifications.
    for (const mti of ['0110', '0130', '0140', '0156', '0410']) {
      const dropped = await h.call('POST', '/v1/simulate/network_message', { card, fields: { ...message, 0: mti } });
      expect([dropped.status, dropped.body.code, dropped.body.param], mti).toEqual([422, 'not_simulatable', '/fields']);
    }
  });
});
