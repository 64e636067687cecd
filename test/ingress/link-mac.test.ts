/** Message MACs of a link: bytes that were computed elsewhere, and what happens to a message without its MAC. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { LinkMac, type LinkMacProfile, type MacPort } from '#src/ingress/link-mac.js';
import { linkDefaults } from '#src/ingress/links.js';
import { type DialectName, dialect, dialectNames } from '#src/iso8583/dialects.js';
import { type Fields, pack, unpack } from '#src/iso8583/message.js';
import { SoftHsm } from '#src/vault/hsm/soft-hsm.js';
import { SoftKeys } from '#src/vault/hsm/soft-keys.js';
import { harness, portOf, request, type TcpClient, tcpClient, until, WsClient } from './support.js';

const retail: LinkMacProfile = { key: 'mac-tdes', algorithm: 'retail', padding: 1, length: 8 };
const cmac: LinkMacProfile = { key: 'mac-aes', algorithm: 'cmac', padding: 1, length: 8 };

function port(): MacPort {
  const keys = new SoftKeys();
  const add = (id: string, usage: string, algorithm: 'T' | 'A', mode: string, hex: string): void =>
    expect(keys.add(id, { usage, algorithm, mode }, Buffer.from(hex, 'hex')).outcome).toBe('ok');
  add('mac-tdes', 'M3', 'T', 'C', '0123456789ABCDEFFEDCBA9876543210');
  add('mac-aes', 'M6', 'A', 'C', '000102030405060708090A0B0C0D0E0F');
  add('generate-only', 'M6', 'A', 'G', '000102030405060708090A0B0C0D0E0F');
  return new SoftHsm(keys, { say: () => undefined });
}

const macOf = (profile: LinkMacProfile): LinkMac => new LinkMac('test', profile, port());

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
    expect(() => new LinkMac('test', cmac, undefined)).toThrow(/there are no keys/);
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
