/** Message MACs of a link: bytes that were computed elsewhere, and what happens to a message without its MAC. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type KeyOffer, LinkMac, type LinkMacProfile } from '#src/ingress/link-mac.js';
import { linkDefaults } from '#src/ingress/links.js';
import { type DialectName, dialect, dialectNames } from '#src/iso8583/dialects.js';
import { type Fields, pack, unpack } from '#src/iso8583/message.js';
import type { LinkKey } from '#src/link-requests.js';
import { SoftHsm } from '#src/vault/hsm/soft-hsm.js';
import { SoftKeys } from '#src/vault/hsm/soft-keys.js';
import { harness, portOf, request, type TcpClient, tcpClient, until, WsClient } from './support.js';

const retail: LinkMacProfile = { key: 'mac-tdes', algorithm: 'retail', padding: 1, length: 8 };
const cmac: LinkMacProfile = { key: 'mac-aes', algorithm: 'cmac', padding: 1, length: 8 };

/** Under which the network sends keys: it wraps, we open. */
const KBPK = '101112131415161718191A1B1C1D1E1F101112131415161718191A1B1C1D1E1F';
const NEXT = 'A0A1A2A3A4A5A6A7A8A9AAABACADAEAF';

function port(keys = new SoftKeys()): SoftHsm {
  const add = (id: string, usage: string, algorithm: 'T' | 'A', mode: string, hex: string): void =>
    expect(keys.add(id, { usage, algorithm, mode }, Buffer.from(hex, 'hex')).outcome).toBe('ok');
  add('mac-tdes', 'M3', 'T', 'C', '0123456789ABCDEFFEDCBA9876543210');
  add('mac-aes', 'M6', 'A', 'C', '000102030405060708090A0B0C0D0E0F');
  add('exchange', 'K1', 'A', 'D', KBPK);
  add('generate-only', 'M6', 'A', 'G', '000102030405060708090A0B0C0D0E0F');
  return new SoftHsm(keys, { say: () => undefined });
}

const macOf = (profile: LinkMacProfile): LinkMac => new LinkMac('test', profile, port(), () => 0);

function sealed(mac: LinkMac, name: DialectName, message: Uint8Array): Buffer {
  return Buffer.from(mac.bytes.slice(0, mac.seal(dialect(name), message, 0, message.length)));
}

/** Text in single quotes is ASCII, the rest hexadecimal. */
function bytes(text: string): Buffer {
  const parts = text.split("'").map((part, i) => Buffer.from(part.replaceAll(' ', ''), i % 2 === 0 ? 'hex' : 'latin1'));
  return Buffer.concat(parts);
}

describe('the bytes of a MAC', () => {
  const echo = '0800 8220000000000000 0400000000000000 1123024500 000001 0301';
  const echoSealed = '0800 8220000000000000 0400000000000001 1123024500 000001 0301';
  const four = { ...retail, length: 4 };
  // Computed by a program that knows DES and AES of one block, and nothing of this one.
  it.each<[DialectName, string, LinkMacProfile, string, string]>([
    ['iso87-bcd', 'retail, padding 1, DE128', retail, echo, `${echoSealed} B9C4A66CE551A634`],
    ['iso87-bcd', 'retail, padding 2, DE128', { ...retail, padding: 2 }, echo, `${echoSealed} 7916C91746ED7985`],
    ['iso87-bcd', 'the first four bytes of it', four, echo, `${echoSealed} B9C4A66C 00000000`],
    ['iso87-ascii', 'CMAC, DE64', cmac, "'0110000000000200000000'", "'011000000000020000010061AD5B0A11B01010'"],
    [
      'iso87-ascii-bin',
      'CMAC, DE64',
      cmac,
      "'0110' 0000000002000000 '00'",
      "'0110' 0000000002000001 '00B4F30E1DFDAF1881'",
    ],
    [
      'iso87-ascii-bin',
      'retail, DE64',
      retail,
      "'0110' 0000000002000000 '00'",
      "'0110' 0000000002000001 '00A810FDC64EF9C068'",
    ],
  ])('%s: %s', (name, _what, profile, plain, expected) => {
    const mac = macOf(profile);
    const message = sealed(mac, name, bytes(plain));
    expect(message.toString('hex')).toBe(bytes(expected).toString('hex'));
    expect(mac.verifies(dialect(name), message, 0, message.length)).toBe(true);
    expect(mac.verifies(dialect(name), bytes(plain), 0, bytes(plain).length)).toBe(false);
  });

  it('covers every bit of the message', () => {
    for (const name of dialectNames)
      for (const profile of [retail, cmac, four]) {
        const mac = macOf(profile);
        const message = sealed(mac, name, pack(name, request(1)));
        fc.assert(
          fc.property(fc.nat(message.length * 8 - 1), (bit) => {
            const changed = Buffer.from(message);
            changed[bit >> 3]! ^= 1 << (bit & 7);
            // A hex digit of the MAC may be written in either case.
            const value = changed.toString('latin1').toUpperCase() === message.toString('latin1').toUpperCase();
            expect(mac.verifies(dialect(name), changed, 0, changed.length)).toBe(
              value && name !== 'iso87-bcd' && bit >> 3 >= message.length - 16,
            );
          }),
        );
        for (let end = 0; end < message.length; end++)
          expect(mac.verifies(dialect(name), message.subarray(0, end), 0, end)).toBe(false);
      }
  });

  it('wants a key that may make and verify it', () => {
    for (const key of ['generate-only', 'mac-tdes', 'nobody'])
      expect(() => macOf({ ...cmac, key })).toThrow(/link test: MACs: .*key/);
    expect(() => new LinkMac('test', cmac, undefined, () => 0)).toThrow(/there are no keys/);
  });
});

describe.each(dialectNames)('a link with MACs, %s', (name) => {
  const mac = macOf(cmac);
  const start = () => harness({ link: { mac: cmac, dialect: name }, ingress: { macs: port() } });

  async function ask(client: TcpClient, message: Uint8Array): Promise<Fields> {
    const index = client.replies.length;
    client.socket.write(client.frame(message));
    await until('a reply', () => client.replies.length > index || client.closed);
    const reply = client.replies[index]!;
    expect(mac.verifies(dialect(name), reply, 0, reply.length)).toBe(true);
    return unpack(name, reply);
  }

  it('takes what has its MAC, and answers with one: decisions, sign-on, refusals, what is malformed', async () => {
    const test = await start();
    const client = await tcpClient(test, { dialect: name });
    expect(await ask(client, sealed(mac, name, pack(name, request(1))))).toMatchObject({ '0': '0110', '39': '00' });
    const signOn = { '0': '0800', '7': '1123024500', '11': '000002', '70': '001' };
    expect(await ask(client, sealed(mac, name, pack(name, signOn)))).toMatchObject({ '0': '0810', '39': '00' });
    const { '70': _code, ...nothing } = signOn;
    expect(await ask(client, sealed(mac, name, pack(name, nothing)))).toMatchObject({ '39': '30' });
    expect(test.ingress.stats().errors.mac).toBe(0);
  });

  it('decides nothing without it: 63, counted, and one line', async () => {
    const test = await start();
    const client = await tcpClient(test, { dialect: name });
    const right = sealed(mac, name, pack(name, request(1)));
    const wrong = Buffer.from(right);
    wrong[wrong.length - 1]! ^= 1;
    const foreign = sealed(macOf(retail), name, pack(name, request(1)));
    const advice = pack(name, request(3, { '0': '0120', '38': 'A00001', '39': '00' }));
    for (const message of [pack(name, request(1)), wrong, foreign])
      expect(await ask(client, message)).toMatchObject({ '0': '0110', '39': '63' });
    expect(await ask(client, advice)).toMatchObject({ '0': '0130', '39': '63' });
    expect(
      await ask(client, pack(name, { '0': '0800', '7': '1123024500', '11': '000002', '70': '001' })),
    ).toMatchObject({ '39': '63' });
    // An answer of a peer is never answered.
    client.socket.write(
      client.frame(pack(name, { '0': '0810', '7': '1123024500', '11': '000002', '39': '00', '70': '002' })),
    );
    await until('the sixth', () => test.ingress.stats().errors.mac === 6);
    expect(test.shards.seen).toEqual([]);
    expect(test.log.filter((line) => line.includes('its MAC is missing or wrong'))).toHaveLength(6);
    expect(client.closed).toBe(false);
    expect(await ask(client, right)).toMatchObject({ '39': '00' });
  });
});

it('works over WebSocket, and a link beside it needs none', async () => {
  const mac = macOf(retail);
  const shared = { ...linkDefaults, host: '127.0.0.1', port: 0 } as const;
  const links = [
    { ...shared, name: 'ws', number: 2, transport: 'ws', mac: retail },
    { ...shared, name: 'tcp', number: 1, transport: 'tcp' },
  ] as const;
  const test = await harness({ links, ingress: { macs: port() } });
  const client = new WsClient(new WebSocket(`ws://127.0.0.1:${portOf(test.addresses.ws)}/iso8583`));
  await new Promise((resolve) => client.socket.once('open', resolve));
  client.socket.send(sealed(mac, 'iso87-bcd', pack('iso87-bcd', request(1))));
  await until('the reply', () => client.replies.length === 1);
  const reply = client.replies[0]!;
  expect(mac.verifies(dialect('iso87-bcd'), reply, 0, reply.length)).toBe(true);
  expect(unpack('iso87-bcd', reply)).toMatchObject({ '39': '00' });
  expect(await (await tcpClient(test)).ask(request(2))).toMatchObject({ '39': '00' });
});

describe('a key exchange', () => {
  const profile: LinkMacProfile = { ...cmac, exchangeKey: 'exchange' };

  /** A key block as the network makes it. */
  function blockOf(hex: string, { usage = 'M6', algorithm = 'A' as 'A' | 'T', mode = 'C', kbpk = KBPK } = {}): string {
    const keys = new SoftKeys();
    const network = new SoftHsm(keys, { say: () => undefined });
    const purpose = { usage, algorithm, mode, exportability: 'E' };
    expect(keys.add('kbpk', { usage: 'K1', algorithm: 'A', mode: 'E' }, Buffer.from(kbpk, 'hex')).outcome).toBe('ok');
    expect(keys.add('next', purpose, Buffer.from(hex, 'hex')).outcome).toBe('ok');
    const verdict = network.answer({ op: 'export_key', protection: 'kbpk', key: 'next' });
    return (verdict as { block: string }).block;
  }

  /** The MAC that the network makes under a key. */
  function networkMac(hex: string): LinkMac {
    const keys = new SoftKeys();
    expect(keys.add('mac-aes', { usage: 'M6', algorithm: 'A', mode: 'C' }, Buffer.from(hex, 'hex')).outcome).toBe('ok');
    return new LinkMac('network', cmac, new SoftHsm(keys, { say: () => undefined }), () => 0);
  }
  const FIRST = '000102030405060708090A0B0C0D0E0F';
  const echo = { '0': '0800', '7': '1123024500', '11': '000001', '70': '301' };
  const exchange = (block: string, stan = 2): Fields => ({
    ...{ '0': '0800', '7': '1123024500', '11': String(stan).padStart(6, '0'), '70': '161' },
    ...(block === '' ? {} : { '110': block }),
  });
  const name = 'iso87-bcd';

  async function ask(client: TcpClient, message: Fields, under: LinkMac): Promise<{ fields: Fields; reply: Buffer }> {
    const index = client.replies.length;
    client.socket.write(client.frame(sealed(under, name, pack(name, message))));
    await until('a reply', () => client.replies.length > index || client.closed);
    const reply = Buffer.from(client.replies[index]!);
    return { fields: unpack(name, reply), reply };
  }
  const isUnder = (mac: LinkMac, reply: Buffer): boolean => mac.verifies(dialect(name), reply, 0, reply.length);

  it('is answered under the key in use when the next one is durable; with the first message under it the link goes on to it', async () => {
    const kept: LinkKey[] = [];
    let release = (): void => undefined;
    const keepLinkKey = (key: LinkKey): Promise<void> => {
      kept.push(key);
      return new Promise((resolve) => {
        release = resolve;
      });
    };
    const test = await harness({ link: { mac: profile }, ingress: { macs: port(), keepLinkKey } });
    const client = await tcpClient(test);
    const other = await tcpClient(test);
    const [old, next] = [networkMac(FIRST), networkMac(NEXT)];
    const block = blockOf(NEXT);
    const pending = ask(client, exchange(block), old);
    await until('it is to be kept', () => kept.length === 1);
    expect(kept[0]).toEqual({
      taken: false,
      link: 1,
      name: 'tcp',
      base: 'mac-aes BE7ED6AE78',
      block,
      kcv: expect.stringMatching(/^[0-9A-F]{10}$/),
    });
    // Not durable yet.
    expect((await ask(other, echo, next)).fields['39']).toBe('63');
    release();
    const answered = await pending;
    expect(answered.fields).toEqual({
      '0': '0810',
      '7': '1123024500',
      '11': '000002',
      '39': '00',
      '70': '161',
      '128': expect.anything(),
    });
    expect(isUnder(old, answered.reply)).toBe(true);
    expect(isUnder(old, (await ask(other, echo, old)).reply)).toBe(true);
    const first = await ask(client, echo, next);
    expect([first.fields['39'], isUnder(next, first.reply)]).toEqual(['00', true]);
    // What was on its way under the old key, on another connection of the link.
    const late = await ask(other, { ...echo, '11': '000003' }, old);
    expect([late.fields['39'], isUnder(next, late.reply)]).toEqual(['00', true]);
    expect(test.log.join()).toMatch(/the network has sent the next key of a link/);
    expect(test.log.join()).not.toContain(block.slice(16, 60));
  });

  it('the same key again is answered at once, and nothing is kept', async () => {
    const kept: LinkKey[] = [];
    const keepLinkKey = async (key: LinkKey): Promise<void> => void kept.push(key);
    const test = await harness({ link: { mac: profile }, ingress: { macs: port(), keepLinkKey } });
    const client = await tcpClient(test);
    const old = networkMac(FIRST);
    // Each block has random bytes of its own.
    for (const stan of [1, 2]) expect((await ask(client, exchange(blockOf(NEXT), stan), old)).fields['39']).toBe('00');
    expect((await ask(client, exchange(blockOf(FIRST), 3), old)).fields['39']).toBe('00');
    expect(kept).toHaveLength(1);
  });

  it.each([
    ['without DE110', () => '', '30', undefined],
    ['what is no key block', () => 'D0112M6AC00E0000', '63', /malformed/],
    ['a block of another key', () => blockOf(NEXT, { kbpk: '20'.repeat(32) }), '63', /not authentic/],
    ['a key for PINs', () => blockOf(NEXT, { usage: 'P0', mode: 'D' }), '63', /usage P0/],
    ['a key that verifies only', () => blockOf(NEXT, { mode: 'V' }), '63', /mode V/],
    ['a key that generates only', () => blockOf(NEXT, { mode: 'G' }), '63', /another mode than C/],
  ])('refuses %s', async (_what, block, code, why) => {
    const keepLinkKey = (): Promise<void> => Promise.reject(new Error('asked to keep it'));
    const test = await harness({ link: { mac: profile }, ingress: { macs: port(), keepLinkKey } });
    const client = await tcpClient(test);
    const old = networkMac(FIRST);
    expect((await ask(client, exchange(block()), old)).fields['39']).toBe(code);
    expect((await ask(client, echo, old)).fields['39']).toBe('00');
    if (why !== undefined) expect(test.log.join()).toMatch(why);
  });

  it('is no function of a link without MACs, or without a key for exchanges: 40; of one that cannot be kept: 91', async () => {
    const old = networkMac(FIRST);
    const without = await harness({ link: { mac: cmac }, ingress: { macs: port() } });
    expect((await ask(await tcpClient(without), exchange(blockOf(NEXT)), old)).fields['39']).toBe('40');
    const plain = await tcpClient(await harness());
    expect(await plain.ask(exchange(blockOf(NEXT)))).toMatchObject({ '39': '40' });
    const keepLinkKey = (): Promise<void> => Promise.reject(new Error('no journal'));
    const failing = await harness({ link: { mac: profile }, ingress: { macs: port(), keepLinkKey } });
    const client = await tcpClient(failing);
    expect((await ask(client, exchange(blockOf(NEXT)), old)).fields['39']).toBe('91');
    expect((await ask(client, echo, networkMac(NEXT))).fields['39']).toBe('63');
  });

  it('the key before is taken for a minute, and forgotten with the next exchange', () => {
    const keys = new SoftKeys();
    let nowMs = 0;
    const mac = new LinkMac('test', profile, port(keys), () => nowMs);
    const message = (under: LinkMac): Buffer => sealed(under, name, pack(name, request(1)));
    const verifies = (bytes: Buffer): boolean => mac.verifies(dialect(name), bytes, 0, bytes.length);
    const [old, next, third] = [FIRST, NEXT, 'B0'.repeat(8) + 'B1'.repeat(8)].map(networkMac) as [
      LinkMac,
      LinkMac,
      LinkMac,
    ];
    const take = (hex: string): void => mac.offer(mac.open(blockOf(hex)) as KeyOffer);
    take(NEXT);
    expect([verifies(message(old)), verifies(message(next)), verifies(message(old))]).toEqual([true, true, true]);
    nowMs = 59_999;
    expect(verifies(message(old))).toBe(true);
    nowMs = 60_000;
    expect(verifies(message(old))).toBe(false);
    take('B0'.repeat(8) + 'B1'.repeat(8));
    expect([verifies(message(third)), verifies(message(next)), verifies(message(old))]).toEqual([true, true, false]);
    // An offer that another one takes the place of.
    take('C0'.repeat(8) + 'C1'.repeat(8));
    take('D0'.repeat(8) + 'D1'.repeat(8));
    expect(verifies(message(networkMac('C0'.repeat(8) + 'C1'.repeat(8))))).toBe(false);
    expect([1, 2, 3, 4, 5].map((n) => keys.info(`test/${n}`) !== undefined)).toEqual([true, true, false, true, false]);
  });

  it('after a restart the key that was used last, or the one that was sent behind it; no other', () => {
    const third = 'B0'.repeat(8) + 'B1'.repeat(8);
    const fourth = 'C0'.repeat(8) + 'C1'.repeat(8);
    const sent = (hex: string, taken = false): LinkKey => {
      const { base, block, kcv } = macOf(profile).open(blocks.get(hex)!) as KeyOffer;
      return { link: 1, name: 'tcp', base, block, kcv, taken };
    };
    const blocks = new Map([NEXT, third, fourth].map((hex) => [hex, blockOf(hex)]));
    const message = (hex: string): Buffer => sealed(networkMac(hex), name, pack(name, request(1)));
    const verifies = (mac: LinkMac, hex: string): boolean =>
      mac.verifies(dialect(name), message(hex), 0, message(hex).length);
    const restored = (...keys: LinkKey[]): LinkMac => {
      const mac = macOf(profile);
      mac.restore(keys);
      return mac;
    };
    const all = [FIRST, NEXT, third, fourth];
    for (const [keys, good] of [
      [[], [FIRST]],
      [[sent(NEXT)], [FIRST, NEXT]],
      // The answer to the first was lost, and the network made another.
      [
        [sent(NEXT), sent(third)],
        [FIRST, third],
      ],
      [[sent(NEXT), sent(NEXT, true)], [NEXT]],
      [
        [sent(NEXT), sent(NEXT)],
        [FIRST, NEXT],
      ],
      [
        [sent(NEXT), sent(NEXT, true), sent(third), sent(fourth)],
        [NEXT, fourth],
      ],
      [[sent(NEXT), sent(NEXT, true), sent(third), sent(third, true)], [third]],
    ] as const)
      expect(all.filter((hex) => verifies(restored(...keys), hex))).toEqual(good);
    // Recorded long ago, and sent again by somebody.
    const mac = restored(sent(NEXT), sent(NEXT, true), sent(third), sent(third, true));
    expect(mac.open(blocks.get(NEXT)!)).toBe('the key block was sent before, and another key since');
    expect(mac.open(blocks.get(third)!)).toBeUndefined();
    const keys = [sent(NEXT), sent(third)];
    const anew = macOf(profile);
    anew.restore(keys.map((one) => ({ ...one, base: 'mac-aes 0000000000' })));
    expect([FIRST, NEXT, third].map((hex) => verifies(anew, hex))).toEqual([true, false, false]);
    const damaged = keys.map((one) => ({
      ...one,
      block: `${one.block.slice(0, -1)}${one.block.endsWith('0') ? '1' : '0'}`,
    }));
    expect(() => macOf(profile).restore(damaged)).toThrow(/the key that the network sent last cannot be used/);
  });

  it('wants a key that opens key blocks', () => {
    for (const exchangeKey of ['mac-aes', 'nobody'])
      expect(() => macOf({ ...profile, exchangeKey })).toThrow(/link test: MACs: key .* opens no key blocks/);
  });
});
