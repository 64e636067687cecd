import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { demoPan } from '#src/cli/demo-program.js';
import { messageFields, reversalOf } from '#src/cli/iso-message.js';
import { headline } from '#src/cli/response-names.js';
import { type DialectName, dialectNames } from '#src/iso8583/dialects.js';
import { FrameReader, type FramingOptions, frameOverhead, framingNames, writeFrame } from '#src/iso8583/framing.js';
import { type Fields, pack, unpack } from '#src/iso8583/message.js';
import { say } from './fake-terminal.js';

/** All elements fixed, so that the bytes are. */
const fixed = [
  ...['--pan', '9999990000000014', '--stan', '000042', '--rrn', '632600000042', '--transmission', '1122235959'],
  ...['--expiry', '3512', '--field', '12=235959', '--field', '13=1122', '--terminal', 'T1', '--merchant', 'M1'],
  ...['--merchant-name', 'SHOP', '--amount', '1234', '--currency', '986'],
];

describe('iso build', () => {
  test('iso87-bcd bytes', async () => {
    const { status, out } = await say(['iso', 'build', ...fixed]);
    expect(status).toBe(0);
    const golden = [
      '0100', // MTI
      '723C648108E08000', // 2 3 4 7 11 12 13 14 18 19 22 25 32 37 41 42 43 49
      '169999990000000014', // DE2
      '000000', // DE3
      '000000001234', // DE4
      '1122235959', // DE7
      '000042', // DE11
      '235959', // DE12
      '1122', // DE13
      '3512', // DE14
      '5411', // DE18
      '0076', // DE19, odd fixed: zero in front
      '0012', // DE22
      '00', // DE25
      '06999901', // DE32
      '363332363030303030303432', // DE37
      '5431202020202020', // DE41
      '4D3120202020202020202020202020', // DE42
      `53484F50${'20'.repeat(36)}`, // DE43
      '393836', // DE49
    ];
    expect(out.trim()).toBe(golden.join(''));
  });

  test.each(dialectNames)('%s: what is built is what is described, and no card number is shown', async (dialect) => {
    const built = await say(['iso', 'build', '--dialect', dialect, '--partial', ...fixed]);
    const hex = built.out.trim();
    const described = await say(['iso', 'describe', hex]);
    expect(described).toMatchObject({ status: 0, err: '' });
    const lines = described.out.trimEnd().split('\n');
    expect(lines[0]).toMatch(new RegExp(`^0100 authorization request \\(${dialect}, \\d+ bytes\\)$`));
    expect(described.out).toMatch(/^DE2 .* 999999\*{6}0014$/m);
    expect(described.out).toMatch(/^DE4 .* 000000001234$/m);
    expect(described.out).toMatch(/^DE37 .* 632600000042$/m);
    expect(described.out).not.toContain('9999990000000014');

    const json = await say(
      ['iso', 'describe', '-', '--json', '--dialect', dialect],
      {},
      `${hex.replace(/(.{8})/g, '$1 ')}\n`,
    );
    const message = JSON.parse(json.out);
    expect(message).toMatchObject({ dialect, mti: '0100' });
    expect(message.fields.map(({ field }: { field: number }) => field)).toEqual(
      Object.keys(unpack(dialect, Buffer.from(hex, 'hex')))
        .map(Number)
        .filter((field) => field !== 0),
    );
    expect(json.out).not.toContain('9999990000000014');
    const both = JSON.parse((await say(['iso', 'build', '--dialect', dialect, '--json', '--demo-card', '7'])).out);
    expect(both.fields[0].value).toBe(`${demoPan(7).slice(0, 6)}******${demoPan(7).slice(-4)}`);
  });

  test('network messages, empty fields and binary fields', async () => {
    const echo = await say(['iso', 'build', '--network', 'echo', '--stan', '000001', '--transmission', '0101000000']);
    expect(echo.out.trim()).toBe('0800822000000000000004000000000000000101000000000001' + '0301');
    const { out } = await say([
      'iso',
      'build',
      ...fixed,
      '--field',
      '43=',
      '--field',
      '52=hex:0011223344556677',
      '--json',
    ]);
    const message = JSON.parse(out);
    expect(message.fields.find(({ field }: { field: number }) => field === 43)).toBeUndefined();
    expect(message.fields.find(({ field }: { field: number }) => field === 52).value).toBe('(hidden)');
  });

  test('totals of an acquirer need no card', async () => {
    const { out } = await say([
      'iso',
      'build',
      '--mti',
      '0500',
      '--stan',
      '000007',
      '--acquirer',
      '42',
      '--field',
      '76=2',
    ]);
    expect(unpack('iso87-bcd', Buffer.from(out.trim(), 'hex'))).toEqual({
      0: '0500',
      7: expect.stringMatching(/^\d{10}$/),
      11: '000007',
      32: '42',
      50: '986',
      76: '0000000002',
    });
  });

  test('a card number may come from stdin', async () => {
    const { out } = await say(['iso', 'build', '--pan', '-'], {}, '9999990000000014\n');
    expect(unpack('iso87-bcd', Buffer.from(out.trim(), 'hex'))['2']).toBe('9999990000000014');
  });

  test.each([
    [['--amount', '1'], 'no card'],
    [['--pan', '9999990000000019'], '--pan is no card number'],
    [['--demo-card', '1001'], 'Allowed: an integer from 1 to 1000'],
    [['--demo-card', '1', '--mcc', '54'], 'Allowed: 4 digits'],
    [['--demo-card', '1', '--field', 'x=1'], 'Allowed: N=VALUE'],
    [['--demo-card', '1', '--field', '4=12x'], 'DE4'],
    [['--demo-card', '1', '--field', '200=1'], 'DE200'],
    [['--demo-card', '1', '--dialect', 'iso87-bdc'], 'did you mean iso87-bcd?'],
    [['--network', 'eco'], 'did you mean echo?'],
  ])('%j is refused', async (args, what) => {
    const { status, out, err } = await say(['iso', 'build', ...args]);
    expect(status).toBe(64);
    expect(out).toBe('');
    expect(err).toContain(what);
    expect(err.trimEnd().split('\n')).toHaveLength(1);
  });
});

describe('iso describe', () => {
  test('takes frames apart', async () => {
    const hex = (await say(['iso', 'build', '--network', 'echo'])).out.trim();
    const length = (hex.length / 2).toString(16).padStart(4, '0');
    const { status, out } = await say(['iso', 'describe', '--framing', 'len2', `${length}${hex}0000${length}${hex}`]);
    expect(status).toBe(0);
    expect(out.match(/^0800 /gm)).toHaveLength(2);
    expect((await say(['iso', 'describe', '--framing', 'len2', `${length}${hex.slice(2)}`])).status).toBe(65);
    expect((await say(['iso', 'describe', '--framing', 'ascii4', 'FFFFFFFF00'])).status).toBe(65);
  });

  test('a malformed message: what could be read, 65, and never its content', async () => {
    const hex = (await say(['iso', 'build', ...fixed])).out.trim();
    const { status, out, err } = await say(['iso', 'describe', hex.slice(0, -4)]);
    expect(status).toBe(65);
    expect(out).toMatch(/^error: DE49, byte \d+/m);
    expect(out + err).not.toContain('9999990000000014');
    expect((await say(['iso', 'describe', 'xyz'])).status).toBe(64);
    expect((await say(['iso', 'describe', '123'])).status).toBe(64);
  });
});

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** How the issuer of a test behaves. */
let refuseSignOn = false;
let talkative = false;
afterEach(() => {
  refuseSignOn = false;
  talkative = false;
});

/** An issuer that answers from a function; `undefined` stays silent. */
function answer(dialect: DialectName, message: Uint8Array, seen: Fields[]): Uint8Array | undefined {
  const fields = unpack(dialect, message);
  seen.push(fields);
  if (fields['4'] === '000000009999') return undefined;
  if (refuseSignOn && fields['70'] === '001') return pack(dialect, { ...fields, 0: '0810', 39: '91' });
  const mti = `0${fields['0']![1]}${Number(fields['0']![2]) + 1}0`;
  const code = fields['4'] === '000000005100' ? '51' : '00';
  const { 2: _pan, 14: _expiry, 22: _mode, 38: _approval, 90: _original, 70: _network, ...echoed } = fields;
  return pack(dialect, { ...echoed, 0: mti, 39: code, ...(code === '00' && mti === '0110' ? { 38: '123456' } : {}) });
}

async function issuer(framing: FramingOptions, dialect: DialectName): Promise<{ port: number; seen: Fields[] }> {
  const seen: Fields[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    const reader = new FrameReader(framing);
    socket.on('data', (chunk) =>
      reader.push(chunk, (buf, start, end, header) => {
        const reply = answer(dialect, buf.slice(start, end), seen);
        if (reply === undefined) return;
        const send = (message: Uint8Array): void => {
          const frame = new Uint8Array(frameOverhead(framing) + message.length);
          frame.set(message, writeFrame(framing, frame, 0, message.length, header));
          socket.write(frame);
        };
        if (talkative) send(pack(dialect, { 0: '0800', 7: '0101000000', 11: '000001', 70: '002' }));
        send(reply);
      }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, seen };
}

describe('iso send', () => {
  test.each(framingNames.flatMap((framing) => dialectNames.map((dialect) => [framing, dialect] as const)))(
    '%s %s',
    async (framing, dialect) => {
      const { port, seen } = await issuer({ framing, headerBytes: 5, maxBytes: 4096 }, dialect);
      const wire = ['--to', `127.0.0.1:${port}`, '--framing', framing, '--header-bytes', '5', '--dialect', dialect];
      const { status, out, err } = await say(['iso', 'send', ...fixed, ...wire]);
      expect(err).toBe('');
      expect(status).toBe(0);
      expect(out.split('\n')[0]).toMatch(/^0110 approved 00 code 123456 in \d+(\.\d)? ms$/);
      expect(out).toMatch(/DE37 .* 632600000042/);
      expect(seen).toHaveLength(1);
      expect(seen[0]!['4']).toBe('000000001234');
    },
  );

  test('declined, repeated, reversed', async () => {
    const { port, seen } = await issuer({ framing: 'len2', headerBytes: 0, maxBytes: 4096 }, 'iso87-bcd');
    const to = ['--to', `iso8583+tcp://127.0.0.1:${port}`];
    const declined = await say(['iso', 'send', ...to, '--demo-card', '1', '--amount', '5100', '--quiet']);
    expect(declined.status).toBe(0);
    expect(declined.out).toMatch(/^0110 declined 51 \(insufficient funds\) in [\d.]+ ms\n$/);
    const { out } = await say(['iso', 'send', ...to, ...fixed, '--repeat', '--reverse', '--quiet']);
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => line.split(' in ')[0]),
    ).toEqual(['0110 approved 00 code 123456', '0110 approved 00 code 123456', '0410 accepted 00']);
    const [, original, repeat, reversal] = seen;
    expect(repeat).toEqual({ ...original, 0: '0101' });
    expect(reversal!['0']).toBe('0400');
    expect(reversal!['90']).toBe('0100' + '000042' + '1122235959' + '00000999901' + '00000000000');
    expect(reversal!['38']).toBe('123456');
    expect(reversal!['37']).toBe('632600000042');
    expect(reversal!['11']).toBe('000043');
  });

  test('--sign-on signs on first, whatever is sent then, and fails when it is refused', async () => {
    const { port, seen } = await issuer({ framing: 'len2', headerBytes: 0, maxBytes: 4096 }, 'iso87-bcd');
    const args = ['iso', 'send', '--to', `127.0.0.1:${port}`, '--sign-on', '--quiet'];
    const { status, out } = await say([...args, '--demo-card', '1']);
    expect(status).toBe(0);
    const words = (text: string) =>
      text
        .trimEnd()
        .split('\n')
        .map((line) => line.split(' in ')[0]);
    expect(words(out)).toEqual(['0810 accepted 00', '0110 approved 00 code 123456']);
    expect(seen.map((fields) => [fields['0'], fields['70']])).toEqual([
      ['0800', '001'],
      ['0100', undefined],
    ]);
    const hex = (await say(['iso', 'build', '--demo-card', '2'])).out.trim();
    const json = await say(['iso', 'send', '--to', `127.0.0.1:${port}`, '--sign-on', '--json', '--hex', hex]);
    expect(
      json.out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).mti),
    ).toEqual(['0810', '0110']);

    refuseSignOn = true;
    const refused = await say([...args, '--demo-card', '1']);
    expect(refused.status).toBe(69);
    expect(words(refused.out)).toEqual(['0810 refused 91 (issuer unavailable)']);
    expect(refused.err).toContain('the sign-on was not accepted: 0810 refused 91');
    expect(seen).toHaveLength(5);
  });

  test('a request of the peer is not taken for the reply', async () => {
    const { port } = await issuer({ framing: 'len2', headerBytes: 0, maxBytes: 4096 }, 'iso87-bcd');
    talkative = true;
    const { status, out } = await say(['iso', 'send', '--to', `127.0.0.1:${port}`, '--demo-card', '1', '--quiet']);
    expect(status).toBe(0);
    expect(out).toMatch(/^0110 approved 00 code 123456 in /);
  });

  test('raw bytes and JSON', async () => {
    const { port } = await issuer({ framing: 'len2', headerBytes: 0, maxBytes: 4096 }, 'iso87-ascii');
    const hex = (await say(['iso', 'build', '--dialect', 'iso87-ascii', ...fixed])).out;
    const args = ['iso', 'send', '--to', `127.0.0.1:${port}`, '--dialect', 'iso87-ascii', '--json'];
    for (const { status, out } of [
      await say([...args, '--hex', hex.trim()]),
      await say([...args, '--hex', '-'], {}, hex),
    ]) {
      expect(status).toBe(0);
      const exchange = JSON.parse(out);
      expect(exchange).toMatchObject({ mti: '0110', response_code: '00', approval_code: '123456' });
      expect(exchange.request.mti).toBe('0100');
      expect(out).not.toContain('9999990000000014');
    }
    expect((await say([...args, '--hex', hex.trim(), '--repeat'])).status).toBe(64);
  });

  test('WebSocket, with the dialect of the URL', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await new Promise((resolve) => server.once('listening', resolve));
    closers.push(() => {
      for (const client of server.clients) client.terminate();
      server.close();
    });
    const seen: Fields[] = [];
    server.on('connection', (socket, request) => {
      const named = new URL(request.url!, 'ws://x').searchParams.get('dialect') as DialectName | null;
      socket.on('message', (data) => socket.send(answer(named ?? 'iso87-bcd', data as Buffer, seen)!));
    });
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/iso8583`;
    for (const to of [url, `${url}?dialect=iso87-ascii`]) {
      const { status, out } = await say(['iso', 'send', '--to', to, '--demo-card', '3', '--quiet']);
      expect(status).toBe(0);
      expect(out).toMatch(/^0110 approved 00 code 123456 in /);
    }
    const contradiction = await say(['iso', 'send', '--to', url, '--dialect', 'iso87-ascii', '--demo-card', '3']);
    expect(contradiction.status).toBe(64);
    expect(contradiction.err).toContain('?dialect=iso87-ascii');
  });

  test('nobody there, no answer, an answer in another dialect, a target that is none', async () => {
    const { port } = await issuer({ framing: 'len2', headerBytes: 0, maxBytes: 4096 }, 'iso87-bcd');
    const silent = await say([
      'iso',
      'send',
      '--to',
      `127.0.0.1:${port}`,
      '--demo-card',
      '1',
      '--amount',
      '9999',
      '--timeout-ms',
      '50',
    ]);
    expect(silent.status).toBe(69);
    expect(silent.err).toContain('no reply within 50 ms');
    const wait = ['iso', 'send', '--to', `127.0.0.1:${port}`, '--demo-card', '1', '--amount', '9999'];
    for (const [time, words] of [
      ['60ms', 'no reply within 60 ms'],
      ['0.07s', 'no reply within 70 ms'],
      ['0.08', 'no reply within 80 ms'],
    ] as const) {
      const { status, err } = await say([...wait, '--timeout', time]);
      expect(status).toBe(69);
      expect(err).toContain(words);
    }
    for (const time of ['', '0', '5 s', '1h', '-1', '601s', '1e3']) {
      const { status, err } = await say([...wait, '--timeout', time]);
      expect([status, err]).toEqual([64, expect.stringContaining('Allowed: a time such as 500ms or 5s')]);
    }
    expect((await say([...wait, '--timeout', '1s', '--timeout-ms', '50'])).status).toBe(64);
    closers.splice(0)[0]!();
    const nobody = await say(['iso', 'send', '--to', `127.0.0.1:${port}`, '--demo-card', '1']);
    expect(nobody.status).toBe(69);
    expect(nobody.err).toContain('ECONNREFUSED');
    for (const to of ['127.0.0.1', 'http://127.0.0.1:1', '://', 'a b:1']) {
      expect((await say(['iso', 'send', '--to', to, '--demo-card', '1'])).status).toBe(64);
    }
  });
});

describe('message fields', () => {
  test('defaults follow the clock, UTC', () => {
    const fields = messageFields({ demoCard: 1, stan: '000007' }, new Date('2027-01-02T03:04:05.999Z'));
    expect(fields).toMatchObject({ 7: '0102030405', 12: '030405', 13: '0102', 37: '700203000007' });
  });

  test('the STAN of a reversal stays in six digits', () => {
    const fields = messageFields({ demoCard: 1, stan: '999999' });
    expect(reversalOf(fields, undefined)['11']).toBe('000001');
  });

  test.each([
    [{ 0: '0110', 39: '00', 38: '000001' }, '0110 approved 00 code 000001'],
    [{ 0: '0110', 39: '10', 38: '000002' }, '0110 approved 10 (partial amount) code 000002'],
    [{ 0: '0110', 39: '85' }, '0110 approved 85 (nothing against it)'],
    [{ 0: '0110', 39: '14' }, '0110 declined 14 (unknown card)'],
    [{ 0: '0130', 39: '00' }, '0130 accepted 00'],
    [{ 0: '0430', 39: '30' }, '0430 refused 30 (format error)'],
    [{ 0: '0810', 39: '00' }, '0810 accepted 00'],
    [{ 0: '0810', 39: '40' }, '0810 refused 40 (function not supported)'],
    [{ 0: '0110', 39: 'ZZ' }, '0110 declined ZZ (unnamed code)'],
    [{ 0: '0110' }, '0110 without a response code'],
  ])('%j', (fields, line) => {
    expect(headline(fields)).toBe(line);
  });
});
