/** Chip traffic: what the cards sign is what an issuer verifies, and a run of it against a real engine, in software. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ChipData } from '#src/iso8583/chip-data.js';
import { Decoder } from '#src/iso8583/decoder.js';
import { dialect } from '#src/iso8583/dialects.js';
import { cryptogramInput } from '#src/vault/card/emv-profiles.js';
import { demoCards, panTable } from '../../loadtest/cards.js';
import { ChipCards, chipKeyOf } from '../../loadtest/chip.js';
import { AUTH, REPEAT } from '../../loadtest/kinds.js';
import { chipTemplatesOf, streamWire } from '../../loadtest/templates.js';
import { Server, until } from '../support/server.js';
import { keyring, newHsm } from '../vault/hsm/support.js';
import { deviceKeyEntries, FakeHsm } from '../vault/payshield/fake-hsm.js';
import { folder, loadtest } from './harness.js';

/** Of each answer of the slow device. */
const DEVICE_MS = 100;
const keyFile = join(folder, 'chip-keys.json');
const keys = keyring.map(([id, purpose, key]) => ({ id, ...purpose, key }));
writeFileSync(keyFile, JSON.stringify({ format: 1, keys }), { mode: 0o600 });
const noChipKeys = join(folder, 'no-chip-keys.json');
writeFileSync(noChipKeys, JSON.stringify({ format: 1, keys: keys.slice(0, 1) }), { mode: 0o600 });

describe('a message with chip data', () => {
  const cards = demoCards(10);
  const pans = panTable(cards);
  const templates = chipTemplatesOf(
    streamWire('iso87-bcd', '2912', 'len2', 0),
    1,
    2,
    new ChipCards(keyFile, 'imk', pans),
  );
  const decoder = new Decoder(dialect('iso87-bcd'));
  const chip = new ChipData();

  const written = (kind: number, over: object): Uint8Array => {
    const values = { card: 3, amount: 98_765, stan: 7, rrn: 1234, de7: 1_231_235_959, originalStan: 0, originalDe7: 0 };
    const out = new Uint8Array(600);
    return out.slice(0, templates[kind]!.write(out, 0, { ...values, counter: 513, ...over }, pans));
  };

  it('has a cryptogram that the issuer finds right, over its amount and counter, and of its card alone', () => {
    for (const [card, amount, counter] of [
      [3, 98_765, 513],
      [9, 1, 1],
      [0, 999_999_999, 65_535],
    ] as const) {
      const frame = written(AUTH, { card, amount, counter });
      expect(decoder.decode(frame, 2, frame.length)).toBe(true);
      expect(chip.read(frame, decoder.start(55), decoder.length(55))).toBe(true);
      const names = ['9F02', '9F03', '9F1A', '95', '5F2A', '9A', '9C', '9F37', '82', '9F36'] as const;
      const values = Object.fromEntries(names.map((tag) => [tag, chip.value(tag)!.slice()]));
      expect(Buffer.from(values['9F02']!).toString('hex')).toBe(String(amount).padStart(12, '0'));
      expect(Buffer.from(values['9F36']!).readUInt16BE()).toBe(counter);
      const data = cryptogramInput('visa_cvn10', values, chip.value('9F10')!)!;
      const [atc, un, arqc] = [values['9F36']!, values['9F37']!, chip.value('9F26')!.slice()];
      const ask = (pan: string) => {
        const of = { pan: Buffer.from(pan), psn: Buffer.from('00'), version: 'visa_cvn10', key: 'imk' } as const;
        return newHsm().answer({ op: 'verify_arqc', ...of, atc, un, data, arqc }).outcome;
      };
      expect([ask(cards.pan(card)), ask(cards.pan(5))]).toEqual(['ok', 'mismatch']);
    }
  });

  it('is repeated with the identical bytes', () => {
    const [first, again] = [written(AUTH, {}), written(REPEAT, {})];
    expect(again[3]).toBe(0x01);
    expect(again.subarray(4)).toEqual(first.subarray(4));
  });

  it('needs a key for cryptograms', () => {
    expect([chipKeyOf(keyFile), chipKeyOf(noChipKeys)]).toEqual(['imk', undefined]);
    expect(() => new ChipCards(keyFile, 'cvk', pans)).toThrow(TypeError);
  });
});

it('a run with 60 % chip traffic: cryptograms are verified and answered by software, and the money is right', async () => {
  // However slow the machine is, nothing is answered 91 for that.
  const flags = ['--hsm-keys', keyFile, '--deadline-ms', '60000', '--link-in-flight-max', '8192'];
  const server = await Server.start({ demo: false, flags });
  const target = `iso8583+tcp://${server.tcp}`;
  const api = ['--admin', `http://${server.ready.admin}`, '--token-file', join(server.dataDir, 'admin.token')];
  const chip = ['--chip', '60', '--chip-keys', keyFile, '--accounts', '50', ...api];
  const run = (...more: string[]) => loadtest(target, ...chip, '-R', '1k', '-n', '2000', '--quiet', ...more);
  const first = await run('--verify', '--json', '--mix', 'auth:80,reversal:10,repeat:5,increment:5');
  expect(first.json.problems).toEqual([]);
  expect([first.status, first.json.verify.ok, first.json.errors]).toEqual([0, true, 0]);
  expect(first.json.by_response_code).toEqual({ '00': 2000 });
  const { percent, verified, cryptography } = first.json.chip!;
  expect([percent, cryptography]).toEqual([60, 'software']);
  const { sent } = first.json.by_kind.auth!;
  expect(verified / sent).toBeGreaterThan(0.55);
  expect(verified / sent).toBeLessThan(0.65);
  // What the engine noted of one: the cryptogram was right, and its counter was fresh.
  const { data } = (await server.get('/v1/authorizations?limit=20')).body;
  const explained = await Promise.all(
    data.map(
      async ({ id }: { id: string }) => (await server.get(`/v1/authorizations/${id}/explain`)).body.cryptography,
    ),
  );
  expect(explained).toContainEqual(expect.objectContaining({ cryptogram: 'passed', counter: 'passed' }));
  // The chips of these cards have counted on.
  const again = await run();
  expect([again.status, again.err]).toEqual([2, expect.stringContaining('name another --seed')]);
  const other = await run('--seed', '2', '-c', '3');
  expect([other.status, other.out]).toEqual([
    0,
    expect.stringMatching(/ARQC verified and answered by software crypto/),
  ]);
  await server.stop();
});

it('a slow device holds up those who ask it, and nobody else', async () => {
  const device = new FakeHsm();
  device.behaviour.delayMs = () => DEVICE_MS;
  const deviceKeys = join(folder, 'device-keys.json');
  writeFileSync(deviceKeys, JSON.stringify({ format: 1, keys: deviceKeyEntries() }), { mode: 0o600 });
  const hsm = ['--hsm', `127.0.0.1:${await device.listen()}`, '--hsm-keys', deviceKeys];
  // As many shards as one thread has: whoever waits and whoever does not are beside each other in each.
  const server = await Server.start({ demo: false, flags: [...hsm, '--threads', '1'] });
  await until('the device is connected', async () =>
    /holdfast_hsm_connections\{[^}]*\} [1-9]/.test((await server.get('/metrics')).text),
  );
  const api = ['--admin', `http://${server.ready.admin}`, '--token-file', join(server.dataDir, 'admin.token')];
  const chip = ['--chip', '60', '--chip-keys', keyFile, '--accounts', '1000', ...api];
  const { json } = await loadtest(
    `iso8583+tcp://${server.tcp}`,
    ...[...chip, '-R', '50', '-n', '300', '--json', '--verify', '--mix', 'auth:100'],
  );
  // A machine that stands still for a second leaves some without an answer of the device: they are shed, and count in neither row.
  const { cryptography, latency_us: asked, others_latency_us: others } = json.chip!;
  expect([cryptography, json.verify.ok, json.dropped, json.timeouts]).toEqual(['devices', true, 0, 0]);
  expect(Math.min(asked.count, others.count)).toBeGreaterThan(20);
  expect(asked.count + others.count).toBe(json.latency_us.count);
  // One answer for the cryptogram, another for what the chip is told.
  expect(asked.p50!).toBeGreaterThan(2 * DEVICE_MS * 1000);
  // Whoever stood behind those who wait would take as long as they: at 30 of them a second there is always one.
  expect(others.p50!).toBeLessThan(asked.p50! - DEVICE_MS * 1000);
  await server.stop();
  await device.close();
});

it('an engine without the key says so', async () => {
  const server = await Server.start({ demo: false });
  const api = ['--admin', `http://${server.ready.admin}`, '--token-file', join(server.dataDir, 'admin.token')];
  const { status, err } = await loadtest(`iso8583+tcp://${server.tcp}`, '--chip', '60', '--chip-keys', keyFile, ...api);
  expect([status, err]).toEqual([2, expect.stringContaining('start it with --hsm-keys')]);
  await server.stop();
});

it.each([
  [['--chip', '60'], 'belong together'],
  [['--chip-keys', keyFile], 'belong together'],
  [['--chip', '101', '--chip-keys', keyFile], '--chip'],
  [['--chip', '60', '--chip-keys', keyFile, '--cards', 'demo'], 'cards of its own'],
  [['--chip', '60', '--chip-keys', keyFile, '--find-max'], '--find-max'],
  [['--chip', '60', '--chip-keys', keyFile, '--dialect', 'iso87-ascii'], 'iso87-bcd only'],
  [['--chip', '60', '--chip-keys', keyFile, '--accounts', '3'], 'as many --accounts'],
  [['--chip', '60', '--chip-keys', noChipKeys], 'no key for cryptograms'],
  [['--chip', '60', '--chip-keys', join(folder, 'missing')], 'is missing'],
])('%j is refused', async (flags, why) => {
  const { status, err } = await loadtest('iso8583+tcp://127.0.0.1:1', ...flags);
  expect([status, err]).toEqual([104, expect.stringContaining(why)]);
});
