/** Reference values of PINs over the API: taken, sealed, never shown. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { cardKeysPort, missingKeys } from '#src/control/card-keys.js';
import type { KeyInfo } from '#src/vault/hsm/key-policy.js';
import { everyRule } from '../support/chip-cards.js';
import { newKeys } from '../vault/hsm/support.js';
import { type Harness, makeHarness } from './harness.js';

let h: Harness;
beforeEach(async () => {
  h = makeHarness();
  await h.call('POST', '/v1/accounts', { id: 'acc', credit_limit: 100_000 });
});

const create = (more: object, headers = {}) =>
  h.call('POST', '/v1/cards', { account: 'acc', expiry: '2912', ...more }, headers);

describe('the PIN of a card', () => {
  it('comes with the card or later, is told as set, and is taken away', async () => {
    const made = await create({ pin: { pvv: '4232', key_index: 6 } });
    expect([made.status, made.body.pin]).toEqual([201, { set: true, tries_used: 0, tries_left: 3, blocked: false }]);
    const path = `/v1/cards/${made.body.id}`;
    expect((await h.call('PATCH', path, { pin: null })).body.pin.set).toBe(false);
    expect((await h.call('PATCH', path, { pin: { offset: '123456789012' } })).body.pin.set).toBe(true);
    expect((await h.call('PATCH', path, { status: 'paused' })).body).toMatchObject({
      status: 'paused',
      pin: { set: true },
    });
    expect((await h.call('GET', path)).body.pin.set).toBe(true);
    expect((await create({})).body.pin.set).toBe(false);
    const place = h.context.ids.decode('card', made.body.id)!;
    const read = await h.engine.read(place.shard, { op: 'card', slot: place.number });
    expect(JSON.stringify(read)).not.toContain('123456789012');
  });

  it('is sealed for this card: it opens with the fingerprint of its number', async () => {
    const seal = vi.spyOn(h.context.pins, 'seal');
    const pan = '9999990000000017';
    const { id } = (await create({ pan, pin: { pvv: '4232' } })).body;
    await h.call('PATCH', `/v1/cards/${id}`, { pin: { pvv: '4232' } });
    const [ofCard, ofChange] = seal.mock.results.map(({ value }) =>
      h.context.pins.open(h.context.fingerprinter.of(pan), value as Uint8Array),
    );
    expect(ofChange).toEqual(ofCard);
    const opened = ofCard!;
    expect([opened.method, opened.keyIndex, Buffer.from(opened.digits).toString()]).toEqual(['pvv', 1, '4232']);
  });

  it('a repeat is answered as the first request was', async () => {
    const key = { 'idempotency-key': 'pin-1' };
    const first = await create({ pin: { pvv: '4232' } }, key);
    const again = await create({ pin: { pvv: '4232' } }, key);
    expect([again.status, again.body.id, again.body.pin.set]).toEqual([201, first.body.id, true]);
    expect((await create({ pin: { pvv: '4233' } }, key)).status).toBe(422);
  });

  it.each([
    [{ pvv: '423' }],
    [{ pvv: '42321' }],
    [{ pvv: '4232', key_index: 10 }],
    [{ offset: '123' }],
    [{ offset: '1234567890123' }],
    [{ pvv: '4232', offset: '6478' }],
    [{}],
  ])('%j is refused, without the value', async (pin) => {
    const answer = await create({ pin });
    expect([answer.status, answer.body.code]).toEqual([422, 'validation_failed']);
    for (const value of Object.values(pin)) if (typeof value === 'string') expect(answer.text).not.toContain(value);
  });

  it('a token has none', async () => {
    const card = (await create({})).body.id;
    const token = (await h.call('POST', `/v1/cards/${card}/aliases`, {})).body.id;
    expect((await h.call('PATCH', `/v1/cards/${token}`, { pin: { pvv: '4232' } })).status).toBe(404);
    expect((await h.call('PATCH', `/v1/aliases/${token}`, { pin: { pvv: '4232' } })).status).toBe(422);
  });
});

describe('rules of a program', () => {
  it('are shown with their defaults, and every problem is told', async () => {
    const made = await h.call('POST', '/v1/programs', {
      ...{ id: 'chip', currency: 'BRL', product: 'credit', bins: ['999999'], sandbox: true },
      tables: { cryptography: everyRule },
    });
    expect(made.status, made.text).toBe(201);
    expect(made.body.effective_tables.cryptography).toMatchObject({
      cvv: { key: 'cvk', expiry: 'YYMM', offset: 5, on_wrong: 'decline' },
      pin: { format: 0, zone_keys: {}, ibm3624: { key: 'ibm' } },
      chip: { jump_max: 1000, on_jump: 'record', approved_status: '00800000', declined_status: '00000000' },
      three_d_secure: { deny: ['210'] },
    });
    const cryptography = {
      cvv: { key: 'a key', offset: 21, expiry: 'MYMY' },
      cvv2: {},
      pin: { format: 4, zone_key: '9999990000000017', zone_keys: { first: 'z' }, pvv_keys: { 10: 'p' } },
      chip: { scheme: 'other', key: 'k', jump_max: 0, approved_status: '00' },
      three_d_secure: { deny: [210] },
      mac: {},
    };
    const refused = await h.call('PATCH', '/v1/programs/chip', { tables: { cryptography } });
    expect(refused.status).toBe(422);
    const pointers = (refused.body.errors as { pointer: string }[]).map(({ pointer }) =>
      pointer.replace('/tables/cryptography', ''),
    );
    expect([...new Set(pointers)].sort()).toEqual(
      [
        ...['/mac', '/cvv/key', '/cvv/offset', '/cvv/expiry', '/cvv2/key', '/pin', '/pin/format', '/pin/zone_key'],
        ...['/pin/zone_keys/first', '/pin/pvv_keys', '/chip/scheme', '/chip/jump_max', '/chip/approved_status'],
        '/three_d_secure/deny/0',
      ].sort(),
    );
    expect(refused.text).not.toContain('9999990000000017');
    const table = { ...everyRule.pin, ibm3624: { ...everyRule.pin.ibm3624, table: '0101010101010101' } };
    const weak = await h.call('PATCH', '/v1/programs/chip', { tables: { cryptography: { pin: table } } });
    expect(weak.body.param).toBe('/tables/cryptography/pin/ibm3624/table');
  });

  it('name keys that are there and are for that; a change of something else asks for none', async () => {
    const some = newKeys().infos.filter(({ id }) => id !== 'ibm');
    const withKeys = (keys: readonly KeyInfo[]) => makeHarness({ cardKeys: cardKeysPort(keys) });
    const create = (on: Harness, cryptography: object) =>
      on.call('POST', '/v1/programs', {
        ...{ id: 'chip', currency: 'BRL', product: 'credit', bins: ['999999'], sandbox: true },
        tables: { cryptography },
      });
    const chip = withKeys(some);
    const pin = { ...everyRule.pin, zone_keys: { 2: 'pvk' } };
    const refused = await create(chip, {
      ...everyRule,
      pin,
      cvv2: { key: 'imk' },
      chip: { scheme: 'visa', key: 'nowhere' },
    });
    expect([refused.status, refused.body.errors]).toEqual([
      422,
      [
        { pointer: '/tables/cryptography/cvv2/key', detail: 'key imk of usage E0 is none for verify_cvv' },
        { pointer: '/tables/cryptography/pin/zone_keys/2', detail: 'key pvk of usage V2 is none for decipher_pin' },
        {
          pointer: '/tables/cryptography/pin/ibm3624/key',
          detail: 'there is no key ibm in the file of --hsm-keys',
        },
        { pointer: '/tables/cryptography/chip/key', detail: 'there is no key nowhere in the file of --hsm-keys' },
      ],
    ]);
    const { ibm3624: _, ...pvv } = everyRule.pin;
    expect((await create(chip, { ...everyRule, pin: pvv })).status).toBe(201);
    const without = withKeys([]);
    expect((await create(without, { cvv: { key: 'cvk' } })).body.errors).toEqual([
      { pointer: '/tables/cryptography/cvv/key', detail: expect.stringContaining('start it with --hsm-keys') },
    ]);
    // Its key is gone by now: other tables can still be changed, and the rules taken away.
    Object.assign(chip.context, { cardKeys: cardKeysPort([]) });
    const patch = (tables: object) => chip.call('PATCH', '/v1/programs/chip', { tables });
    expect((await patch({ pin: { tries: 4 } })).status).toBe(200);
    expect((await patch({ cryptography: everyRule })).status).toBe(422);
    const { system } = chip.context;
    const [missing] = missingKeys(system, [], chip.context.cardKeys);
    expect(missing).toMatchObject({ program: 'chip', pointer: '/tables/cryptography/cvv/key' });
    const file = [system.program('chip')!.program];
    expect(() => missingKeys(system, file, chip.context.cardKeys)).toThrow(
      expect.objectContaining({ code: 'bad_input_file' }),
    );
    expect((await patch({ cryptography: null })).status).toBe(200);
    expect(missingKeys(system, [], chip.context.cardKeys)).toEqual([]);
  });
});
