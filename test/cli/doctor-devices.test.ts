/** What `doctor` says of devices: a fake one over real sockets, and what is none. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { devices } from '#src/cli/doctor-devices.js';
import type { HsmTls } from '#src/cli/hsm-addresses.js';
import type { ProgramRecord } from '#src/control/system-log.js';
import { hasOpenssl, makeCertificate } from '../support/certificates.js';
import { snapshotOf } from '../support/chip-cards.js';
import { deviceKeyEntries, FakeHsm } from '../vault/payshield/fake-hsm.js';
import { say } from './fake-terminal.js';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-doctor-hsm-'));
const keyFile = join(folder, 'keys.json');
writeFileSync(keyFile, JSON.stringify({ format: 1, keys: deviceKeyEntries() }), { mode: 0o600 });

const closing: (() => unknown)[] = [() => rmSync(folder, { recursive: true })];
afterAll(async () => {
  for (const close of closing.reverse()) await close();
});

async function fakeAt(...options: ConstructorParameters<typeof FakeHsm>): Promise<{ fake: FakeHsm; port: number }> {
  const fake = new FakeHsm(...options);
  closing.push(() => fake.close());
  return { fake, port: await fake.listen() };
}

async function listening(onConnection: Parameters<typeof createServer>[1]): Promise<number> {
  const server: Server = createServer(onConnection);
  closing.push(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** A program of the system journal with these rules for cards. */
const programWith = (cryptography: object): ProgramRecord => ({
  ...{ type: 'program', index: 0, version: 1, atMs: 0, createdMs: 0 },
  program: { ...{ id: 'shop', currency: 'BRL' }, tables: {} } as unknown as ProgramRecord['program'],
  snapshot: snapshotOf({ cryptography }),
});

const told = async (port: number, tls?: HsmTls): Promise<[verdict: string, text: string]> => {
  const addresses = [{ host: '127.0.0.1', port }];
  const [finding, ...more] = await devices({ addresses, keyFile, ...(tls === undefined ? {} : { tls }) });
  expect(more).toEqual([]);
  expect(finding!.check).toBe('hsm');
  return [finding!.verdict, finding!.text];
};

describe('a device', () => {
  it('answers and takes the keys', async () => {
    const { port } = await fakeAt();
    const [verdict, text] = await told(port);
    expect([verdict, text]).toEqual([
      'ok',
      expect.stringMatching(/ answers in \d+\.\d ms, and takes (\d+) of \1 keys/),
    ]);
    const { out } = await say(['doctor', '--data-dir', folder, '--hsm', `127.0.0.1:${port}`, '--hsm-keys', keyFile]);
    expect(out).toMatch(/^ok +hsm +127\.0\.0\.1:\d+ answers in /m);
  });

  it('that is not there ends the command with 69', async () => {
    const port = await listening(undefined);
    await closing.pop()!();
    const [verdict, text] = await told(port);
    expect([verdict, text]).toEqual(['fail', expect.stringMatching(/\(ECONNREFUSED\): nothing listens there/)]);
    const { status } = await say(['doctor', '--data-dir', folder, '--hsm', `127.0.0.1:${port}`, '--hsm-keys', keyFile]);
    expect(status).toBe(69);
  });

  it('that hangs up, is silent, or has another length of its header', async () => {
    const rude = await listening((socket) => socket.end());
    expect((await told(rude))[1]).toMatch(/(cannot be reached|does not answer a host command) \(closed/);
    const silent = await listening((socket) => void closing.push(() => socket.destroy()));
    expect((await told(silent))[1]).toMatch(/does not answer a host command \(the device did not answer in time\)/);
    const { port } = await fakeAt(6);
    expect((await told(port))[1]).toMatch(/is the length of its message header 4/);
  });

  it('whose master key is another, or that has a command disabled', async () => {
    const { fake, port } = await fakeAt();
    fake.behaviour.error = (_n, command) => (command === 'CY' ? '10' : command === 'KQ' ? '68' : undefined);
    const [verdict, text] = await told(port);
    expect(verdict).toBe('fail');
    expect(text).toMatch(/cvk: the device does not accept the key for this \(error 10\)/);
    expect(text).toMatch(/imk: the device has the command or the format disabled, .* \(error 68\)/);
  });

  it('is asked about PIN keys in pairs, those of the file and those that programs name', async () => {
    const { fake, port } = await fakeAt();
    const asked: string[] = [];
    fake.behaviour.error = (_n, command) => {
      asked.push(command);
      return command === 'EC' ? '11' : undefined;
    };
    const [verdict, text] = await told(port);
    expect(verdict).toBe('fail');
    // Each zone key with a key of reference values, and each of these with a zone key; the one of AES has no command.
    expect(text).toMatch(/zpk with pvk: the device does not accept the key for this \(error 11\); zpk2 with pvk: /);
    expect(text).not.toMatch(/zpk4|with ibm/);
    expect(asked.filter((command) => command.startsWith('E'))).toEqual(['EC', 'EA', 'EC']);

    const pin = { zone_key: 'zpk2', zone_keys: { 7: 'zpk-gone' }, pvv_keys: { 1: 'pvk', 4: 'cvk' } };
    const addresses = [{ host: '127.0.0.1', port }];
    const findings = await devices({ addresses, keyFile }, [programWith({ pin })]);
    expect(findings[0]!.text).toMatch(/every key: zpk2 with pvk: [^;]*$/);
    expect(findings.slice(1).map((one) => [one.verdict, one.text])).toEqual([
      [
        'fail',
        expect.stringMatching(/^program shop, \/tables\/cryptography\/pin\/zone_keys\/7: there is no key zpk-gone/),
      ],
      ['fail', expect.stringMatching(/^program shop, .*pin\/pvv_keys\/4: key cvk of usage C0 is none for verify_pvv$/)],
    ]);
  });

  it.skipIf(!hasOpenssl)('with TLS, whose certificate is another one, and without TLS', async () => {
    for (const name of ['device', 'other']) makeCertificate(folder, name);
    const at = (name: string): string => join(folder, name);
    const { port } = await fakeAt(4, { cert: readFileSync(at('device.pem')), key: readFileSync(at('device.key')) });
    expect((await told(port, { caFile: at('device.pem') }))[0]).toBe('ok');
    expect((await told(port, { caFile: at('other.pem') }))[1]).toMatch(/its certificate is not one of --hsm-ca-file/);
    expect((await told((await fakeAt()).port, { caFile: at('device.pem') }))[0]).toBe('fail');
  });
});

it('a file of keys or certificates that cannot be read is the finding', async () => {
  const addresses = [{ host: '127.0.0.1', port: 1 }];
  const missing = join(folder, 'missing');
  const [keys] = await devices({ addresses, keyFile: missing });
  expect([keys!.verdict, keys!.text]).toEqual(['fail', expect.stringContaining('is missing')]);
  const [tls] = await devices({ addresses, keyFile, tls: { caFile: missing } });
  expect([tls!.verdict, tls!.text]).toEqual(['fail', expect.stringContaining('cannot be read: ENOENT')]);
});
