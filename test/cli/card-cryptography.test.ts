/** What a start makes of the file of keys: the software adapter for threads and for MACs of links, or devices. */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openCardCryptography } from '#src/cli/card-cryptography.js';
import type { LinkProfile } from '#src/ingress/links.js';
import type { Log } from '#src/log.js';
import { temporaryFolder } from '../support/server.js';
import { hex, keyring } from '../vault/hsm/support.js';
import { deviceKeyEntries, FakeHsm } from '../vault/payshield/fake-hsm.js';

const folder = temporaryFolder('card-cryptography');
function fileOf(name: string, keys: readonly unknown[]): string {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify({ format: 1, keys }), { mode: 0o600 });
  return path;
}
const soft = fileOf(
  'soft',
  keyring.map(([id, purpose, key]) => ({ id, ...purpose, key })),
);
const said: string[] = [];
const log = { warn: (line: string) => said.push(line) } as unknown as Log;
const withMac = [{ mac: { key: 'cmac' } }] as unknown as LinkProfile[];
const open = (config: Partial<Parameters<typeof openCardCryptography>[0]>) =>
  openCardCryptography(
    { hsmKeys: undefined, hsmDevices: undefined, allowSoftwarePin: false, links: [], ...config },
    log,
  );
const ids = (infos: readonly { id: string }[]): string[] => infos.map(({ id }) => id);

const fake = new FakeHsm();
afterAll(() => fake.close());

it('is nothing without a file of keys', () => {
  expect(open({})).toEqual({ infos: [], devices: undefined, softHsm: undefined, macs: undefined });
});

it('is the software adapter, which says so once, and makes MACs only where a link has them, never PINs', () => {
  const plain = open({ hsmKeys: soft, allowSoftwarePin: true });
  expect(said.splice(0)).toHaveLength(1);
  expect(ids(plain.infos)).toEqual(keyring.map(([id]) => id));
  expect([plain.softHsm, plain.macs]).toEqual([{ keyFile: soft, allowSoftwarePin: true }, undefined]);

  const { macs } = open({ hsmKeys: soft, allowSoftwarePin: true, links: withMac });
  expect(said.splice(0)).toHaveLength(1);
  const mac = { key: 'cmac', algorithm: 'cmac', padding: 1, length: 8, data: Buffer.from('0800') } as const;
  expect(macs!.answer({ op: 'generate_mac', ...mac }).outcome).toBe('ok');
  const pin = { key: 'zpk', block: Buffer.alloc(8), format: 0 } as const;
  const method = { method: 'pvv', key: 'pvk', keyIndex: 1 } as const;
  const pan = Buffer.from('9999990000000017');
  expect(macs!.answer({ op: 'set_pin', pin, pan, method })).toMatchObject({ failure: 'not_allowed' });
});

it('is devices where they are named, and no software beside them', async () => {
  const keyFile = fileOf('devices', deviceKeyEntries());
  const port = await fake.listen();
  const made = open({ hsmKeys: keyFile, hsmDevices: { addresses: [{ host: '127.0.0.1', port }], keyFile } });
  expect([made.softHsm, made.macs, said.splice(0)]).toEqual([undefined, undefined, []]);
  expect(ids(made.infos)).toEqual(ids(deviceKeyEntries()));
  expect(hex(Buffer.from(JSON.stringify(made.infos)))).not.toContain(hex(Buffer.from('wrapped')));
  await made.devices!.close();
});

it('ends the start with a file that others can read', () => {
  const others = fileOf('others', []);
  chmodSync(others, 0o644);
  expect(() => open({ hsmKeys: others })).toThrow(/others/);
});
