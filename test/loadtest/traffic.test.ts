/** What goes over the wire: kinds that refer to each other as a network's do, every dialect, framing and transport. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { describe, expect, it } from 'vitest';
import type { DialectName } from '#src/iso8583/dialects.js';
import type { FramingName } from '#src/iso8583/framing.js';
import { fakeIssuer, folder, loadtest, newIssuer } from './harness.js';

describe('the traffic', () => {
  it('repeats and reverses as a network does', async () => {
    const { fake, target } = await fakeIssuer();
    const { json, status } = await loadtest(
      target,
      '--cards',
      'demo',
      '-R',
      '1k',
      '-n',
      '600',
      '-c',
      '2',
      '--mix',
      'auth:70,reversal:20,repeat:10',
      '--json',
      '--quiet',
    );
    expect(status).toBe(0);
    const auths = fake.heard.filter((one) => one.fields[0] === '0100');
    const repeats = fake.heard.filter((one) => one.fields[0] === '0101');
    const reversals = fake.heard.filter((one) => one.fields[0] === '0400');
    expect(repeats.length).toBeGreaterThan(20);
    expect(reversals.length).toBeGreaterThan(60);
    expect(json.by_mti).toEqual({ '0100': auths.length, '0101': repeats.length, '0400': reversals.length });
    const byKey = new Map(auths.map((one) => [`${one.fields[37]}${one.fields[41]}`, one]));
    expect(byKey.size).toBe(auths.length);
    for (const repeat of repeats) {
      const original = byKey.get(`${repeat.fields[37]}${repeat.fields[41]}`)!;
      expect({ ...repeat.fields, 0: '0100' }).toEqual(original.fields);
      expect(repeat.bytes.subarray(2)).toEqual(original.bytes.subarray(2));
    }
    const reversed = new Set<string>();
    for (const reversal of reversals) {
      const original = byKey.get(`${reversal.fields[37]}${reversal.fields[41]}`)!.fields;
      expect(reversal.fields[90]).toBe(
        `0100${original[11]}${original[7]}${original[32]!.padStart(11, '0')}${'0'.repeat(11)}`,
      );
      expect([reversal.fields[2], reversal.fields[4]]).toEqual([original[2], original[4]]);
      expect(reversal.fields[11]).not.toBe(original[11]);
      reversed.add(original[37]!);
    }
    expect(reversed.size).toBe(reversals.length);
  });

  it('asks for the same things in the same order with the same seed', async () => {
    const asked = async (seed: string) => {
      const { fake, target } = await fakeIssuer();
      await loadtest(
        target,
        '--cards',
        'demo',
        '-R',
        '2k',
        '-n',
        '100',
        '-c',
        '1',
        '--mix',
        'auth:5,inquiry:1',
        '--seed',
        seed,
        '--quiet',
      );
      return fake.heard.map((one) => [one.fields[3], one.fields[2], one.fields[4]].join());
    };
    const first = await asked('5');
    expect(first).toHaveLength(100);
    expect(await asked('5')).toEqual(first);
    expect(await asked('6')).not.toEqual(first);
  });

  it('notices a repeat that gets another decision', async () => {
    const { target } = await fakeIssuer({
      deliver: (reply, request) => [request[0] === '0101' ? { ...reply, 39: '51' } : reply],
    });
    const { json, status } = await loadtest(
      target,
      '--cards',
      'demo',
      '-R',
      '1k',
      '-n',
      '200',
      '--mix',
      'auth:8,repeat:2',
      '--json',
      '--quiet',
    );
    expect(json.errors_by.repeat_mismatches).toBe(json.by_mti['0101']);
    expect(json.errors_by.repeat_mismatches).toBeGreaterThan(0);
    expect(status).toBe(2);
  });

  it('keeps the window of a closed loop', async () => {
    let most = 0;
    let inFlight = 0;
    const { target } = await fakeIssuer({
      delayMs: () => 5,
      deliver: (reply) => {
        most = Math.max(most, ++inFlight);
        setTimeout(() => inFlight--, 4);
        return [reply];
      },
    });
    const { json, status } = await loadtest(
      target,
      '--cards',
      'demo',
      '--closed',
      '-p',
      '3',
      '-c',
      '2',
      '-n',
      '100',
      '--json',
      '--quiet',
    );
    expect(status).toBe(0);
    expect(json.answered).toBe(100);
    expect(json.mode).toBe('closed');
    expect(most).toBeLessThanOrEqual(6);
  });

  it('ends a closed loop by its count, long before its time', async () => {
    const { target } = await fakeIssuer({ delayMs: () => 5 });
    const loop = ['--closed', '-p', '3', '-c', '2', '-d', '3600s', '--json', '--quiet'];
    for (const requests of [4, 100]) {
      const { json } = await loadtest(target, '--cards', 'demo', ...loop, '-n', String(requests));
      expect(json.answered).toBe(requests);
      expect(json.duration_s).toBeLessThan(60);
      expect(json.achieved_per_s).toBeCloseTo(requests / json.duration_s, 0);
    }
  });
});

describe('wires', () => {
  it.each([
    ['iso87-bcd', 'len2', 0],
    ['iso87-bcd', 'len4', 5],
    ['iso87-ascii', 'ascii4', 0],
    ['iso87-ascii-bin', 'hex4', 4],
    ['iso87-ascii', 'bcd2', 0],
  ] as [DialectName, FramingName, number][])(
    '%s over %s with a header of %d',
    async (dialect, framing, headerBytes) => {
      const { target } = await fakeIssuer({ dialect, framing, headerBytes });
      const { json, status } = await loadtest(
        target,
        '--cards',
        'demo',
        '-R',
        '1k',
        '-n',
        '60',
        '--dialect',
        dialect,
        '--framing',
        framing,
        '--header-bytes',
        String(headerBytes),
        '--json',
        '--quiet',
      );
      expect(status).toBe(0);
      expect(json.answered).toBe(60);
    },
  );

  it('speaks WebSocket', async () => {
    const fake = newIssuer({ dialect: 'iso87-ascii' });
    const { json, status } = await loadtest(
      await fake.listenWebSocket(),
      '--cards',
      'demo',
      '-R',
      '1k',
      '-n',
      '100',
      '--dialect',
      'iso87-ascii',
      '--json',
      '--quiet',
    );
    expect(status).toBe(0);
    expect(json.answered).toBe(100);
  });

  it('speaks TLS', async ({ skip }) => {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    try {
      execFileSync(
        'openssl',
        [
          'req',
          '-x509',
          '-newkey',
          'rsa:2048',
          '-nodes',
          '-days',
          '2',
          '-subj',
          '/CN=127.0.0.1',
          '-addext',
          'subjectAltName=IP:127.0.0.1',
          '-keyout',
          key,
          '-out',
          cert,
        ],
        { stdio: 'ignore' },
      );
    } catch {
      skip('no openssl to make a certificate with');
    }
    const fake = newIssuer();
    const target = await fake.listen(createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }));
    const flags = ['--cards', 'demo', '-R', '1k', '-n', '50', '--quiet'];
    expect((await loadtest(target, ...flags, '--cacert', cert)).status).toBe(0);
    expect((await loadtest(target, ...flags, '--insecure')).status).toBe(0);
    const refused = await loadtest(target, ...flags);
    expect(refused.status).toBe(2);
    expect(refused.err).toMatch(/cannot connect to .*certificate/);
  });
});
