/** A link with message MACs on the real server, under a key of its file. */
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
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
      socket.write(Buffer.concat([Buffer.from([0, bytes.length]), bytes]));
    });
  } finally {
    socket.destroy();
  }
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
