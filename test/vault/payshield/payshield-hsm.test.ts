/** The adapter against a fake device, over real sockets. Nothing here measures time: bounds are wide, and waits end by events. */
import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { declineCode } from '#src/vault/hsm/decline.js';
import type { HsmRequest, HsmVerdict } from '#src/vault/hsm/port.js';
import { CommandMaker } from '#src/vault/payshield/commands.js';
import { DeviceConnection } from '#src/vault/payshield/connection.js';
import { type DeviceOptions, PayShieldHsm } from '#src/vault/payshield/payshield-hsm.js';
import { hasOpenssl, makeCertificate } from '../../support/certificates.js';
import { golden } from '../card/golden.js';
import {
  arqcOf,
  bytes,
  digits,
  hex,
  nameOf,
  newHsm,
  OTHER_PAN,
  PAN,
  requests,
  valueIn,
  verifyPin,
} from '../hsm/support.js';
import { temporaryFolder } from '../support.js';
import { deviceKeys, FakeHsm } from './fake-hsm.js';

const open: { close(): Promise<void> }[] = [];
const lines: string[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
  lines.length = 0;
});

/** Long enough for a machine that does ten other things; where a time-out is expected it is short. */
const PATIENT_MS = 20_000;

async function fake(...args: ConstructorParameters<typeof FakeHsm>): Promise<{ device: FakeHsm; port: number }> {
  const device = new FakeHsm(...args);
  open.push(device);
  return { device, port: await device.listen() };
}

async function adapter(
  devices: readonly (Partial<DeviceOptions> & { port: number })[],
  ready = true,
): Promise<PayShieldHsm> {
  const hsm = new PayShieldHsm({
    devices: devices.map((options, i) => ({
      name: `hsm-${i}`,
      host: '127.0.0.1',
      timeoutMs: PATIENT_MS,
      reconnectMs: 5,
      ...options,
    })),
    keys: deviceKeys(),
    say: (line) => lines.push(line),
  });
  open.push(hsm);
  if (ready) expect(await hsm.ready(PATIENT_MS)).toBe(true);
  return hsm;
}

/** Waits until something is so. */
async function until(what: () => boolean): Promise<void> {
  for (let i = 0; i < 4000 && !what(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(what()).toBe(true);
}

const ask = (hsm: PayShieldHsm, request: HsmRequest, budgetMs = PATIENT_MS): Promise<HsmVerdict> =>
  hsm.submit(request, budgetMs);

it('a device that cannot be reached is told once for each reason, however often it is tried', async () => {
  const { device, port } = await fake();
  await device.close();
  const hsm = await adapter([{ port }], false);
  await until(() => lines.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(lines).toEqual([`HSM hsm-0: cannot be reached: ECONNREFUSED`]);
  await hsm.close();
});

/** Requests that a device answers, and what the software adapter says to them. */
const answered = requests.filter((request) => {
  if (request.op === 'verify_arqc')
    return ['visa_cvn10', 'visa_cvn18', 'mchip_cvn16', 'mchip_cvn20'].includes(request.version);
  return [
    'verify_cvv',
    'generate_cvv',
    'verify_pin',
    'change_pin',
    'generate_mac',
    'verify_mac',
    'encipher_kek',
    'decipher_kek',
    'echo',
  ].includes(request.op);
});
const onDevice = answered.filter((request) => {
  if (request.op === 'verify_pin') return request.pin.format !== 4;
  return request.op !== 'change_pin' || request.method.method === 'pvv';
});

describe('operations', () => {
  it('are answered as the software adapter answers them', async () => {
    const { port } = await fake();
    const hsm = await adapter([{ port }]);
    const soft = newHsm();
    expect(new Set(onDevice.map(({ op }) => op)).size).toBe(10);
    for (const request of onDevice) expect(await ask(hsm, request), request.op).toEqual(soft.answer(request));
    expect(hsm.stats[0]).toMatchObject({
      answered: onDevice.length,
      timeouts: 0,
      lost: 0,
      breaker: 'closed',
      inFlight: 0,
    });
  });

  it('a translated PIN block has the same PIN', async () => {
    const { port } = await fake();
    const hsm = await adapter([{ port }]);
    const translate = {
      op: 'translate_pin',
      pan: digits(PAN),
      pin: verifyPin(1).pin,
      toKey: 'zpk2',
      toFormat: 3,
    } as const;
    const block = valueIn(await ask(hsm, translate));
    const pin = { key: 'zpk2', format: 3, block } as const;
    expect(nameOf(await ask(hsm, { ...verifyPin(), pin }))).toBe('ok');
    expect(nameOf(await ask(hsm, { ...translate, pin, toFormat: 1 }))).toBe('not_allowed');
  });

  it('what is wrong is told apart from what fails', async () => {
    const { device, port } = await fake();
    const hsm = await adapter([{ port }]);
    const cvv = { ...requests[0]!, cvv: digits('118') } as HsmRequest;
    const pin = verifyPin();
    const other = { ...pin, pin: { ...pin.pin, key: 'zpk2' } };
    const swapped = { ...arqcOf(golden.emv[0]), pan: digits(OTHER_PAN) };
    const wrongs = [cvv, { ...pin, reference: digits('4233') }, other, swapped];
    const codes: (string | undefined)[] = [];
    for (const request of wrongs) codes.push(declineCode(request.op, await ask(hsm, request)));
    expect(codes).toEqual(['82', '55', '81', '88']);
    device.behaviour.error = (_n, command) => ({ CY: '10', EC: '68', KQ: '15' })[command];
    const failures: string[] = [];
    for (const request of [cvv, pin, swapped]) failures.push(nameOf(await ask(hsm, request)));
    expect(failures).toEqual(['key_not_usable', 'unsupported', 'bad_request']);
    expect(hsm.stats[0]).toMatchObject({ breaker: 'closed', timeouts: 0, lost: 0 });
  });

  it('what a device need not see does not go there', async () => {
    const { device, port } = await fake();
    const hsm = await adapter([{ port }]);
    expect(nameOf(await ask(hsm, { ...requests[0]!, pan: digits('1') } as HsmRequest))).toBe('bad_request');
    expect(nameOf(await ask(hsm, { ...requests[0]!, key: 'pvk' } as HsmRequest))).toBe('key_not_usable');
    expect(nameOf(await ask(hsm, verifyPin(4)))).toBe('unsupported');
    expect(await ask(hsm, { op: 'describe_key', key: 'cvk' })).toMatchObject({ outcome: 'ok', key: { usage: 'C0' } });
    expect(device.commands).toBe(0);
    expect(hsm.supports('verify_pin')).toBe(true);
    expect(hsm.supports('script_mac')).toBe(false);
  });
});

/** ISO/IEC 9797-1 algorithm 3 with a key of 16 bytes, step by step from the standard: shares nothing with the adapter. */
function retailMac(key: Buffer, data: Buffer, padding: 1 | 2): Buffer {
  const end = padding === 2 ? Buffer.from([0x80]) : Buffer.alloc(0);
  const open = Buffer.concat([data, end]);
  // Method 1 pads nothing to whole blocks, but an empty message is a block of zeros.
  const zeros = open.length === 0 ? 8 : (8 - (open.length % 8)) % 8;
  const text = Buffer.concat([open, Buffer.alloc(zeros)]);
  const des = (half: Buffer, block: Buffer, decrypts = false): Buffer => {
    const make = decrypts ? createDecipheriv : createCipheriv;
    const cipher = make('des-ede3', Buffer.concat([half, half, half]), null).setAutoPadding(false);
    return cipher.update(block);
  };
  const [left, right] = [key.subarray(0, 8), key.subarray(8)];
  let chain: Buffer = Buffer.alloc(8);
  for (let at = 0; at < text.length; at += 8)
    chain = des(left, Buffer.from(chain.map((byte, i) => byte ^ text[at + i]!)));
  return des(left, des(right, chain, true));
}

describe('MACs', () => {
  const sizes = [0, 1, 7, 8, 9, 16, 200];
  it.each(([1, 2] as const).flatMap((padding) => ([4, 8] as const).map((length) => [padding, length] as const)))(
    'of padding method %i, %i bytes, are those of the standard, whatever is left of the last block',
    async (padding, length) => {
      const { port } = await fake();
      const hsm = await adapter([{ port }]);
      for (const size of sizes) {
        const data = Buffer.from(Array.from({ length: size }, (_, i) => (i * 37 + 11) & 255));
        const mac = { key: 'mac', algorithm: 'retail', padding, length, data } as const;
        const expected = retailMac(bytes(golden.keys.mac), data, padding).subarray(0, length);
        expect([size, hex(valueIn(await ask(hsm, { op: 'generate_mac', ...mac })))]).toEqual([size, hex(expected)]);
        expect(await ask(hsm, { op: 'verify_mac', ...mac, mac: expected })).toEqual({ outcome: 'ok' });
        // What the other method makes of it is no MAC of this one.
        const other = retailMac(bytes(golden.keys.mac), data, padding === 1 ? 2 : 1).subarray(0, length);
        expect(nameOf(await ask(hsm, { op: 'verify_mac', ...mac, mac: other }))).toBe('mismatch');
      }
    },
  );
});

describe('many at once', () => {
  /** Three digits that tell one request from another; every third one is wrong. */
  const numbered = async (): Promise<readonly (readonly [HsmRequest, string])[]> => {
    const soft = newHsm();
    return Array.from({ length: 120 }, (_, i) => {
      const data = digits(`message ${i}`);
      const mac = { key: 'mac', algorithm: 'retail', padding: 2, length: 8, data } as const;
      const value = Buffer.from(valueIn(soft.answer({ op: 'generate_mac', ...mac })));
      if (i % 3 === 0) return [{ op: 'generate_mac', ...mac }, hex(value)] as const;
      if (i % 3 === 1) value[i % 8]! ^= 1;
      return [{ op: 'verify_mac', ...mac, mac: value }, i % 3 === 1 ? 'mismatch' : 'ok'] as const;
    });
  };
  const shown = (verdict: HsmVerdict): string =>
    verdict.outcome === 'ok' && verdict.value !== undefined ? hex(verdict.value) : nameOf(verdict);

  it.each([4, 6, 8])('answers in any order find their requests, header of %i characters', async (headerChars) => {
    const { device, port } = await fake(headerChars);
    const hsm = await adapter([{ port, headerChars, connections: 3, inFlightMax: 200 }]);
    // The first ones are answered last.
    device.behaviour.delayMs = (n) => 40 + ((120 - n) % 37);
    const all = await numbered();
    const verdicts = await Promise.all(all.map(([request]) => ask(hsm, request)));
    expect(verdicts.map(shown)).toEqual(all.map(([, expected]) => expected));
    expect(device.busiest).toBeGreaterThan(20);
    expect(device.connections).toBe(3);
  });

  it('answers that come in pieces and in clumps are read', async () => {
    const { device, port } = await fake();
    const hsm = await adapter([{ port, connections: 1, inFlightMax: 200 }]);
    const held: Buffer[] = [];
    // Every answer but the last is held back; the last one brings all, whole.
    device.behaviour.instead = (n, answer) => {
      held.push(answer);
      return n < 119 ? Buffer.alloc(0) : Buffer.concat(held);
    };
    const all = await numbered();
    const verdicts = await Promise.all(all.map(([request]) => ask(hsm, request)));
    expect(verdicts.map(shown)).toEqual(all.map(([, expected]) => expected));
  });

  it('beyond what a device may have to do is refused at once, or goes to the next one', async () => {
    const [one, two] = [await fake(), await fake()];
    const hsm = await adapter([
      { port: one.port, inFlightMax: 4 },
      { port: two.port, inFlightMax: 4 },
    ]);
    one.device.behaviour.silent = () => true;
    two.device.behaviour.silent = () => true;
    const waiting = Array.from({ length: 8 }, () => ask(hsm, requests[0]!));
    await until(() => one.device.commands === 4 && two.device.commands === 4);
    expect(hsm.stats.map(({ inFlight }) => inFlight)).toEqual([4, 4]);
    const refused = await ask(hsm, requests[0]!);
    expect(nameOf(refused)).toBe('device_busy');
    expect(declineCode('verify_cvv', refused)).toBe('91');
    await hsm.close();
    expect((await Promise.all(waiting)).map(nameOf)).toEqual(Array(8).fill('device_down'));
  });
});

describe('devices that misbehave', () => {
  it('a silent one: time-out, and its late answers are nobody else`s', async () => {
    const { device, port } = await fake();
    const hsm = await adapter([{ port, connections: 1, timeoutMs: 60 }]);
    device.behaviour.delayMs = (n) => (n === 0 ? 400 : 0);
    // The late answer says ok; the next request, on the same connection, must not get it.
    expect(nameOf(await ask(hsm, requests[0]!))).toBe('timeout');
    await until(() => hsm.stats[0]!.late === 1);
    expect(hsm.stats[0]).toMatchObject({ timeouts: 1, lost: 0 });
    const slow = await adapter([{ port }]);
    expect(nameOf(await ask(slow, { ...requests[0]!, cvv: digits('118') } as HsmRequest))).toBe('mismatch');
  });

  it('a number is not used again while its answer may come: a header of one character has 16', async () => {
    const { device, port } = await fake(1);
    const hsm = await adapter([
      { port, headerChars: 1, connections: 1, inFlightMax: 100, breaker: { window: 31, failures: 32, openMs: 60_000 } },
    ]);
    // Two commands are given up; their answers, which say ok, come when their numbers' turn is again.
    const held: Buffer[] = [];
    device.behaviour.instead = (n, answer) => {
      if (n >= 2) return n === 16 ? Buffer.concat([...held, answer]) : answer;
      held.push(Buffer.from(answer));
      return Buffer.alloc(0);
    };
    const lost = await Promise.all([ask(hsm, requests[0]!, 50), ask(hsm, requests[0]!, 50)]);
    expect(lost.map(nameOf)).toEqual(['timeout', 'timeout']);
    const wrong = { ...requests[0]!, cvv: digits('118') } as HsmRequest;
    for (let i = 0; i < 40; i++) expect(nameOf(await ask(hsm, wrong))).toBe('mismatch');
    expect(hsm.stats[0]).toMatchObject({ late: 2, lost: 0 });
    device.behaviour.silent = () => true;
    const all = await Promise.all(Array.from({ length: 18 }, () => ask(hsm, wrong, 50)));
    expect(all.filter((verdict) => nameOf(verdict) === 'timeout')).toHaveLength(15);
    expect(all.filter((verdict) => nameOf(verdict) === 'device_busy')).toHaveLength(3);
  });

  it('one that never answers any more gets a new connection', async () => {
    const { device, port } = await fake();
    // A breaker that never opens: it would keep the device from being asked so often.
    const quiet = { window: 31, failures: 32, openMs: 60_000 };
    const hsm = await adapter([{ port, connections: 1, timeoutMs: 20, inFlightMax: 100, breaker: quiet }]);
    device.behaviour.silent = () => true;
    for (let round = 0; round < 4 && hsm.stats[0]!.lost === 0; round++)
      await Promise.all(Array.from({ length: 24 }, () => ask(hsm, requests[0]!)));
    await until(() => hsm.stats[0]!.lost === 1);
    expect(lines.join()).toContain('too many commands without an answer');
  });

  it('a reset in the middle: asked again on another connection, once', async () => {
    const { device, port } = await fake();
    const hsm = await adapter([{ port, connections: 2 }]);
    device.behaviour.reset = (n) => n === 0;
    expect(nameOf(await ask(hsm, requests[0]!))).toBe('ok');
    expect(device.commands).toBe(2);
    await until(() => hsm.stats[0]!.connectionsUp === 2);
    device.behaviour.reset = () => true;
    expect(nameOf(await ask(hsm, requests[0]!))).toBe('device_down');
    expect(device.commands).toBe(4);
  });

  it('resets under load: each request gets its own answer or `device_down`', async () => {
    const { device, port } = await fake();
    const hsm = await adapter([
      { port, connections: 3, inFlightMax: 500, breaker: { window: 31, failures: 31, openMs: 50 } },
    ]);
    device.behaviour.delayMs = (n) => n % 7;
    device.behaviour.reset = (n) => n % 40 === 39;
    let good = 0;
    for (let round = 0; round < 6; round++) {
      await until(() => hsm.stats[0]!.connectionsUp > 0);
      const wanted = Array.from({ length: 30 }, (_, i) => i % 2 === 0);
      const verdicts = await Promise.all(
        wanted.map((right) => ask(hsm, { ...requests[0]!, cvv: digits(right ? '117' : '118') } as HsmRequest)),
      );
      verdicts.forEach((verdict, i) => {
        if (nameOf(verdict) === 'device_down') return;
        expect(nameOf(verdict)).toBe(wanted[i] ? 'ok' : 'mismatch');
        good++;
      });
    }
    expect(good).toBeGreaterThan(60);
    expect(hsm.stats[0]!.lost).toBeGreaterThan(0);
  });

  const changed = (change: (answer: Buffer) => void) => (n: number, answer: Buffer) => {
    if (n !== 0) return undefined;
    change(answer);
    return answer;
  };
  it.each([
    ['a wrong header', changed((answer) => answer.write('ZZZZ', 2)), 'an answer to nothing that was asked'],
    ['another command', changed((answer) => answer.write('ED', 6)), 'an answer of another form'],
    ['no error code', changed((answer) => answer.write('?!', 8)), 'an answer of another form'],
    [
      'bytes too many',
      (n: number, answer: Buffer) => (n === 0 ? longer(answer) : undefined),
      'an answer of another form',
    ],
    [
      'an impossible length',
      (n: number) => (n === 0 ? Buffer.from('FFFF00', 'hex') : undefined),
      'an answer of an impossible length',
    ],
    ['no length at all', (n: number) => (n === 0 ? Buffer.alloc(2) : undefined), 'an answer of an impossible length'],
    [
      'another protocol',
      (n: number) => (n === 0 ? Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n') : undefined),
      'an answer of an impossible length',
    ],
  ] as const)('%s: that connection ends, and the request is asked again', async (_what, instead, reason) => {
    const { device, port } = await fake();
    const hsm = await adapter([{ port, connections: 1 }]);
    device.behaviour.instead = instead;
    const verdict = await ask(hsm, requests[0]!);
    // With its only connection gone it may find none for the second attempt.
    expect(['ok', 'device_down', 'device_error']).toContain(nameOf(verdict));
    await until(() => hsm.stats[0]!.lost === 1 && hsm.stats[0]!.connectionsUp === 1);
    expect(lines.join()).toContain(reason);
    expect(nameOf(await ask(hsm, requests[0]!))).toBe('ok');
  });

  it('random bytes: connections end, nothing else does', async () => {
    const { device, port } = await fake();
    const never = { window: 31, failures: 32, openMs: 60_000 };
    const hsm = await adapter([{ port, connections: 2, breaker: never }]);
    // The same bytes in every run.
    device.behaviour.instead = (n) => {
      const noise = createHash('sha256').update(`noise ${n}`).digest();
      return noise.subarray(0, 1 + (noise[31]! % 31));
    };
    for (let i = 0; i < 40; i++) {
      await until(() => hsm.stats[0]!.connectionsUp > 0);
      // A few bytes may be the beginning of a frame that never ends: the time-out is the end then.
      expect(['device_down', 'device_error', 'timeout', 'device_busy']).toContain(
        nameOf(await ask(hsm, verifyPin(), 50)),
      );
    }
    device.behaviour.instead = () => undefined;
    device.resetAll();
    // Until the resets have come here a connection still looks alive.
    let last = '';
    for (let i = 0; i < 500 && last !== 'ok'; i++) {
      await until(() => hsm.stats[0]!.connectionsUp > 0);
      last = nameOf(await ask(hsm, verifyPin()));
    }
    expect(last).toBe('ok');
  });

  it('a dead one beside a live one: every request is answered', async () => {
    const [dead, live] = [await fake(), await fake()];
    const hsm = await adapter([{ port: dead.port }, { port: live.port }]);
    await dead.device.close();
    await until(() => hsm.stats[0]!.connectionsUp === 0);
    for (let i = 0; i < 5; i++) expect(nameOf(await ask(hsm, requests[0]!))).toBe('ok');
    expect(live.device.commands).toBe(5);
  });

  it('a silent one beside a live one: the second attempt is answered', async () => {
    const [silent, live] = [await fake(), await fake()];
    const hsm = await adapter([{ port: silent.port, timeoutMs: 30 }, { port: live.port }]);
    silent.device.behaviour.silent = () => true;
    expect(nameOf(await ask(hsm, requests[0]!))).toBe('ok');
    expect([silent.device.commands, live.device.commands]).toEqual([1, 1]);
  });

  it('none there: told at once, and found when it comes', async () => {
    const placeholder = await fake();
    await placeholder.device.close();
    const hsm = await adapter([{ port: placeholder.port }], false);
    expect(await hsm.ready(50)).toBe(false);
    expect(nameOf(await ask(hsm, requests[0]!))).toBe('device_down');
    const device = new FakeHsm();
    open.push(device);
    await device.listen(placeholder.port);
    expect(await hsm.ready(PATIENT_MS)).toBe(true);
    expect(nameOf(await ask(hsm, requests[0]!))).toBe('ok');
  });

  it('no device at all', async () => {
    const hsm = await adapter([]);
    expect(nameOf(await ask(hsm, requests[0]!))).toBe('device_down');
  });
});

describe('breaker', () => {
  const breaker = { window: 8, failures: 4, openMs: 40 };

  it('a slow device is not asked any more, and is when it answers an echo in time', async () => {
    const { device, port } = await fake();
    const hsm = await adapter([{ port, timeoutMs: 150, breaker, inFlightMax: 100 }]);
    device.behaviour.silent = () => true;
    for (let i = 0; i < 4; i++) expect(nameOf(await ask(hsm, requests[0]!))).toBe('timeout');
    expect(hsm.stats[0]).toMatchObject({ breaker: 'open', opened: 1, timeouts: 4 });
    const before = device.commands;
    expect(nameOf(await ask(hsm, requests[0]!))).toBe('device_down');
    // Only echoes reach it while it is out.
    await until(() => device.commands >= before + 2);
    device.behaviour.silent = () => false;
    await until(() => hsm.stats[0]!.breaker === 'closed');
    expect(lines.at(-1)).toContain('answers again');
    const patient = await adapter([{ port }]);
    expect(nameOf(await ask(patient, requests[0]!))).toBe('ok');
  });

  it('opens by faults of the device', async () => {
    const { device, port } = await fake();
    const hsm = await adapter([{ port, breaker: { ...breaker, openMs: 60_000 } }]);
    device.behaviour.error = () => '41';
    // Each request is tried twice.
    for (let i = 0; i < 2; i++) expect(nameOf(await ask(hsm, requests[0]!))).toBe('device_error');
    expect(hsm.stats[0]!.breaker).toBe('open');
  });

  it('does not open by wrong PINs, however many', async () => {
    const { port } = await fake();
    const hsm = await adapter([{ port, breaker }]);
    const wrong = { ...verifyPin(), reference: digits('0000') };
    for (let i = 0; i < 20; i++) expect(nameOf(await ask(hsm, wrong))).toBe('mismatch');
    expect(hsm.stats[0]!.breaker).toBe('closed');
  });
});

it('a command is overwritten when it is answered, given up or not sent', async () => {
  const { device, port } = await fake();
  const maker = new CommandMaker(deviceKeys());
  const connection = await new Promise<DeviceConnection>((resolve) => {
    const made = new DeviceConnection(
      { host: '127.0.0.1', port, headerChars: 4 },
      { up: () => resolve(made), down: () => undefined, late: () => undefined },
    );
  });
  const cases: readonly (readonly [string, () => void])[] = [
    ['ok', () => undefined],
    [
      'timeout',
      () => {
        device.behaviour.silent = () => true;
      },
    ],
    ['device_down', () => connection.close()],
  ];
  for (const [outcome, before] of cases) {
    before();
    const command = maker.make(verifyPin());
    if ('outcome' in command) throw new Error('no command');
    expect(command.fields.some((byte) => byte !== 0)).toBe(true);
    expect(nameOf(await connection.send(command, outcome === 'timeout' ? 20 : PATIENT_MS))).toBe(outcome);
    expect(command.fields.every((byte) => byte === 0)).toBe(true);
  }
});

describe.skipIf(!hasOpenssl)('TLS', () => {
  it('serves a device that has the right certificate, and sends nothing to another one', async () => {
    const folder = temporaryFolder();
    makeCertificate(folder, 'device');
    makeCertificate(folder, 'stranger');
    const file = (name: string): Buffer => readFileSync(join(folder, name));
    const { device, port } = await fake(4, { cert: file('device.pem'), key: file('device.key') });
    const trusting = await adapter([{ port, tls: { ca: file('device.pem') } }]);
    expect(nameOf(await ask(trusting, requests[0]!))).toBe('ok');
    const others = await adapter(
      [
        { port, tls: { ca: file('stranger.pem') } },
        // Not even when it is asked for.
        { port, tls: { ca: file('stranger.pem'), rejectUnauthorized: false } },
      ],
      false,
    );
    expect(await others.ready(200)).toBe(false);
    expect(nameOf(await ask(others, verifyPin()))).toBe('device_down');
    expect(others.stats.map(({ connectionsUp }) => connectionsUp)).toEqual([0, 0]);
    expect(device.commands).toBe(1);
  });
});

/** An answer with two bytes more, and a length that says so. */
function longer(answer: Buffer): Buffer {
  const out = Buffer.concat([answer, bytes('3131')]);
  out.writeUInt16BE(out.length - 2);
  return out;
}
