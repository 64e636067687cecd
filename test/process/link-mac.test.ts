/** A link with message MACs on the real server, under a key of its file. */
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LinkMac } from '#src/ingress/link-mac.js';
import { dialect } from '#src/iso8583/dialects.js';
import { type Fields, pack, unpack } from '#src/iso8583/message.js';
import { SoftHsm } from '#src/vault/hsm/soft-hsm.js';
import { SoftKeys } from '#src/vault/hsm/soft-keys.js';
import { run, Server, serveArguments, temporaryFolder } from '../support/server.js';

const folder = temporaryFolder('mac');
const keys = join(folder, 'keys.json');
const mac = { id: 'mac-1', usage: 'M3', algorithm: 'T', mode: 'C', key: '0123456789ABCDEFFEDCBA9876543210' };
writeFileSync(keys, JSON.stringify({ format: 1, keys: [mac] }), { mode: 0o600 });

function linkFile(key: string): string {
  const path = join(folder, `${key}.json`);
  writeFileSync(path, JSON.stringify([{ name: 'tcp', port: 0, mac: { key, algorithm: 'retail' } }]));
  return path;
}

async function ask(address: string, message: string): Promise<string> {
  const [host, port] = address.split(':');
  const bytes = Buffer.from(message, 'hex');
  const socket = connect({ host: host!, port: Number(port) });
  try {
    return await new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.once('data', (reply: Buffer) => resolve(reply.subarray(2).toString('hex').toUpperCase()));
      socket.write(Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]));
    });
  } finally {
    socket.destroy();
  }
}

/** The MAC of a network that has this AES key. */
function networkMac(hex: string): LinkMac {
  const softKeys = new SoftKeys();
  softKeys.add('mac', { usage: 'M6', algorithm: 'A', mode: 'C' }, Buffer.from(hex, 'hex'));
  const profile = { key: 'mac', algorithm: 'cmac', padding: 1, length: 8 } as const;
  return new LinkMac('network', profile, new SoftHsm(softKeys, { say: () => undefined }), () => 0);
}

/** A key block as the network makes it. */
function keyBlock(kbpk: string, hex: string): string {
  const softKeys = new SoftKeys();
  softKeys.add('kbpk', { usage: 'K1', algorithm: 'A', mode: 'E' }, Buffer.from(kbpk, 'hex'));
  softKeys.add('next', { usage: 'M6', algorithm: 'A', mode: 'C', exportability: 'E' }, Buffer.from(hex, 'hex'));
  return (softKeys.wrap('kbpk', 'next') as { block: string }).block;
}

test('an echo test with its MAC is answered 00, without one 63, both with a MAC of the reply', async () => {
  const server = await Server.start({ demo: false, flags: ['--hsm-keys', keys, '--links', linkFile('mac-1')] });
  const head = '08008220000000000000040000000000000111230245000000010301';
  const withMac = await ask(server.tcp, `${head}B9C4A66CE551A634`);
  const without = await ask(server.tcp, '08008220000000000000040000000000000011230245000000010301');
  // Computed elsewhere, as in test/ingress/link-mac.test.ts. A refusal does not echo DE70, so its MAC is in DE64.
  expect(withMac).toBe('08108220000002000000040000000000000111230245000000013030030157A55CC78C09F07B');
  expect(without).toBe('08100220000002000001112302450000000136333910A01082B600E3');
  expect(server.logged('a message was not taken: its MAC is missing or wrong')).toHaveLength(1);
  expect((await server.get('/metrics')).text).toContain('holdfast_link_errors_total{kind="mac"} 1');
  expect(await server.stop()).toEqual({ status: 0, signal: null });
});

test('the network sends the next key, which outlives a kill -9 before and after it is used', async () => {
  const dataDir = join(temporaryFolder('mac'), 'data');
  const kbpk = '101112131415161718191A1B1C1D1E1F101112131415161718191A1B1C1D1E1F';
  const first = '000102030405060708090A0B0C0D0E0F';
  const path = join(folder, 'exchange-keys.json');
  const own = [
    { id: 'kbpk', usage: 'K1', algorithm: 'A', mode: 'D', key: kbpk },
    { id: 'mac-1', usage: 'M6', algorithm: 'A', mode: 'C', key: first },
  ];
  writeFileSync(path, JSON.stringify({ format: 1, keys: own }), { mode: 0o600 });
  const links = join(folder, 'exchange-links.json');
  const profile = { key: 'mac-1', algorithm: 'cmac', 'exchange-key': 'kbpk' };
  writeFileSync(links, JSON.stringify([{ name: 'tcp', port: 0, dialect: 'iso87-ascii', mac: profile }]));
  const start = (): Promise<Server> =>
    Server.start({ dataDir, demo: false, flags: ['--hsm-keys', path, '--links', links] });

  const next = (byte: string): string => `${byte.repeat(15)}FF`;
  const said = async (server: Server, under: string, more: Fields = { '70': '301' }): Promise<string | undefined> => {
    const message = pack('iso87-ascii', { '0': '0800', '7': '1123024500', '11': '000001', ...more });
    const mac = networkMac(under);
    const bytes = mac.bytes.slice(0, mac.seal(dialect('iso87-ascii'), message, 0, message.length));
    return unpack('iso87-ascii', Buffer.from(await ask(server.tcp, Buffer.from(bytes).toString('hex')), 'hex'))['39'];
  };
  const exchange = (hex: string): Fields => ({ '70': '161', '110': keyBlock(kbpk, hex) });

  let server = await start();
  expect(await said(server, first, exchange(next('A1')))).toBe('00');
  await server.kill();
  server = await start();
  // Nobody has used it yet.
  expect([await said(server, first), await said(server, next('A1'))]).toEqual(['00', '00']);
  expect(await said(server, next('A1'), exchange(next('B2')))).toBe('00');
  expect(await said(server, next('B2'))).toBe('00');
  await server.kill();
  server = await start();
  expect([await said(server, next('B2')), await said(server, first)]).toEqual(['00', '63']);
  expect(await server.stop()).toEqual({ status: 0, signal: null });
  const { status, out } = await run(['verify', '--data-dir', dataDir]);
  expect([status, out]).toEqual([0, expect.stringContaining('verify ok')]);
});

test('a key that is not there, or no file of keys, ends the start', async () => {
  for (const [flags, why] of [
    [['--hsm-keys', keys, '--links', linkFile('mac-2')], 'link tcp: MACs: '],
    [['--links', linkFile('mac-1')], 'there are no keys'],
  ] as const) {
    const dataDir = join(temporaryFolder('mac'), 'data');
    const { status, err } = await run(serveArguments({ dataDir, demo: false, flags }));
    expect([status, err]).toEqual([64, expect.stringContaining(why)]);
  }
});
