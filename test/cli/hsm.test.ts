/** The devices of card cryptography as the command line names them, and the file of their keys. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadConfig } from '#src/cli/config.js';
import { parseHsmAddresses } from '#src/cli/hsm-addresses.js';
import { HSM_DEVICES_MAX } from '#src/limits.js';
import { loadDeviceKeys } from '#src/vault/payshield/key-file.js';
import { deviceKeyEntries } from '../vault/payshield/fake-hsm.js';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-hsm-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('addresses', () => {
  it('are host:port, separated by commas', () => {
    expect(parseHsmAddresses('10.0.0.1:1500, hsm-2.example:1501,[::1]:1500')).toEqual([
      { host: '10.0.0.1', port: 1500 },
      { host: 'hsm-2.example', port: 1501 },
      { host: '::1', port: 1500 },
    ]);
  });

  it.each(['', 'hsm', 'hsm:', 'hsm:0', 'hsm:65536', ':1500', 'a:1,a:1', 'a b:1', '::1:1500', 'a:1,'])(
    'refuses %j',
    (text) => {
      expect(parseHsmAddresses(text)).toBeUndefined();
    },
  );

  it('has a bound', () => {
    const so = (count: number): string => Array.from({ length: count }, (_, i) => `hsm-${i}:1500`).join(',');
    expect(parseHsmAddresses(so(HSM_DEVICES_MAX))).toHaveLength(HSM_DEVICES_MAX);
    expect(parseHsmAddresses(so(HSM_DEVICES_MAX + 1))).toBeUndefined();
  });
});

describe('settings', () => {
  const load = (flags: Record<string, string | boolean>) => loadConfig({ flags, environment: {}, terminal: false });

  it('of devices', () => {
    const tls = { 'hsm-ca-file': 'ca.pem', 'hsm-cert-file': 'own.pem', 'hsm-key-file': 'own.key' };
    const { config } = load({ hsm: 'a:1500,b:1500', 'hsm-keys': 'k.json', ...tls });
    expect(config.hsmDevices).toEqual({
      addresses: [
        { host: 'a', port: 1500 },
        { host: 'b', port: 1500 },
      ],
      keyFile: 'k.json',
      tls: { caFile: 'ca.pem', certFile: 'own.pem', keyFile: 'own.key' },
    });
    expect(load({ 'hsm-keys': 'k.json' }).config.hsmDevices).toBeUndefined();
  });

  it.each([
    [{ hsm: 'a:1' }, 'sent their keys'],
    [{ hsm: 'a', 'hsm-keys': 'k' }, 'hsm'],
    [{ hsm: 'a:1', 'hsm-keys': 'k', 'allow-software-pin': true }, 'PINs are checked by the devices'],
    [{ 'hsm-ca-file': 'ca.pem' }, 'there are no devices'],
    [{ hsm: 'a:1', 'hsm-keys': 'k', 'hsm-ca-file': 'c', 'hsm-cert-file': 'c' }, 'a certificate needs its key'],
    [{ hsm: 'a:1', 'hsm-keys': 'k', 'hsm-cert-file': 'c', 'hsm-key-file': 'k' }, 'hsm-ca-file'],
  ])('%j is refused', (flags, what) => {
    expect(() => load(flags as Record<string, string | boolean>)).toThrow(what);
  });
});

describe('the file of keys', () => {
  const [good] = deviceKeyEntries();
  const load = (keys: unknown): unknown => {
    const path = join(folder, 'keys.json');
    writeFileSync(path, JSON.stringify({ format: 1, keys }), { mode: 0o600 });
    return loadDeviceKeys(path).describe(good!.id);
  };

  it('has key blocks under the master key of the device', () => {
    const { wrapped: _wrapped, ...key } = good!;
    expect(load([good])).toEqual({ outcome: 'ok', key });
  });

  it.each([
    ['no key block', { ...good, wrapped: undefined }, 'keys[0]: wrapped'],
    ['a variant key', { ...good, wrapped: `U${'0'.repeat(32)}` }, 'variant keys are for migrations only'],
    ['a key in clear', { ...good, wrapped: undefined, key: '00'.repeat(16) }, 'keys[0]: wrapped'],
    ['no length', { ...good, bits: undefined }, 'keys[0]: bits'],
    ['no check value', { ...good, kcv: 'x' }, 'keys[0]: kcv'],
    ['another exportability', { ...good, exportability: 'X' }, 'keys[0]: exportability'],
  ])('%s is refused', (_what, entry, error) => {
    expect(() => load([entry])).toThrow(error);
  });

  it('has each key once', () => {
    expect(() => load([good, good])).toThrow('keys[1]');
  });
});
