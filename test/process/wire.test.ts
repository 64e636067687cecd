/**
 * Other people's clients over real sockets: the npm codec iso_8583, every dialect, every framing, a TPDU, and WebSocket
 * through both adapters. The money is the same whatever carries the message.
 */

import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { demoAccount } from '#src/cli/demo-program.js';
import { type DialectName, dialectNames } from '#src/iso8583/dialects.js';
import { type FramingName, framingNames } from '#src/iso8583/framing.js';
import { type Fields, pack, unpack } from '#src/iso8583/message.js';
import { IsoClient, nextStan, purchase, repeat, reversal, transmission } from '../support/iso-client.js';
import { run, Server, temporaryFolder } from '../support/server.js';

interface Peer {
  getBufferMessage(): Buffer | { error: string };
  getIsoJSON(bytes: Buffer): Record<string, string>;
}
const PeerMessage = createRequire(import.meta.url)('iso_8583') as new (fields?: Fields) => Peer;

/** Every dialect with every framing, and a TPDU: each a link of its own. */
interface Combination {
  readonly name: string;
  readonly dialect: DialectName;
  readonly framing: FramingName;
  readonly header?: Buffer;
}
const combinations: Combination[] = [
  ...dialectNames.flatMap((dialect) =>
    framingNames.map((framing) => ({ name: `${dialect}-${framing}`, dialect, framing })),
  ),
  { name: 'tpdu', dialect: 'iso87-bcd', framing: 'len2', header: Buffer.from('6001230456', 'hex') },
  { name: 'header-12', dialect: 'iso87-ascii', framing: 'ascii4', header: Buffer.from('ISO026000077') },
];
let server: Server;
/** Addresses of all links by name, as the ready line gives them. */
let addresses: Map<string, string>;

beforeAll(async () => {
  const links = join(temporaryFolder('links'), 'links.yaml');
  writeFileSync(
    links,
    combinations
      .map(
        ({ name, dialect, framing, header }) =>
          `- { name: ${name}, port: 0, dialect: ${dialect}, framing: ${framing}, header-bytes: ${header?.length ?? 0} }\n`,
      )
      .join('')
      .concat('- { name: strict, port: 0, dialect: iso87-bcd, sign-on-required: true }\n'),
  );
  server = await Server.start({ flags: ['--links', links, '--dialect', 'iso87-ascii-bin', '--ws-adapter', 'uws'] });
  addresses = new Map(server.ready.links!.split(',').map((pair) => splitAtFirst(pair)));
});

function splitAtFirst(pair: string): [name: string, address: string] {
  const at = pair.indexOf(':');
  return [pair.slice(0, at), pair.slice(at + 1)];
}

afterAll(async () => {
  expect(await server.stop()).toEqual({ status: 0, signal: null });
});

async function held(card: number, of = server): Promise<number> {
  return (await of.get(`/v1/accounts/${demoAccount(card)}`)).body.balances.held as number;
}

describe('the npm codec iso_8583 over TCP', () => {
  /** One request of theirs, framed by themselves; the reply is read by themselves too. */
  async function talk(): Promise<{ ask(fields: Fields): Promise<Record<string, string>>; close(): void }> {
    const [host, port] = server.tcp.split(':');
    const socket = connect({ host: host!, port: Number(port), noDelay: true });
    let bytes = Buffer.alloc(0);
    let wake: () => void = () => undefined;
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      wake();
    });
    await new Promise<void>((resolve) => socket.once('connect', resolve));
    return {
      async ask(fields) {
        const request = new PeerMessage(fields).getBufferMessage();
        if (!Buffer.isBuffer(request)) throw new Error(request.error);
        socket.write(request);
        while (bytes.length < 2 || bytes.length < 2 + bytes.readUInt16BE()) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        const size = 2 + bytes.readUInt16BE();
        const reply = bytes.subarray(0, size);
        bytes = Buffer.from(bytes.subarray(size));
        return new PeerMessage().getIsoJSON(reply);
      },
      close: () => socket.destroy(),
    };
  }

  test('sign-on, echo, an approval, its repeat, its reversal', async () => {
    const peer = await talk();
    const network = (code: string): Fields => ({ 0: '0800', 7: transmission(), 11: nextStan(), 70: code });
    expect(await peer.ask(network('001'))).toMatchObject({ 0: '0810', 39: '00', 70: '001' });
    expect(await peer.ask(network('301'))).toMatchObject({ 0: '0810', 39: '00', 70: '301' });

    const { 43: _name, ...request } = purchase({ card: 3, amount: 4200 });
    const approved = await peer.ask(request);
    expect(approved).toMatchObject({
      0: '0110',
      3: request[3],
      4: request[4],
      7: request[7],
      11: request[11],
      37: request[37],
      39: '00',
      41: request[41],
      49: '986',
    });
    expect(approved[38]).toMatch(/^[0-9A-Z]{6}$/);
    expect(approved[2]).toBeUndefined();
    expect(await held(3)).toBe(4200);

    expect(await peer.ask(repeat(request))).toEqual(approved);
    expect(await held(3)).toBe(4200);

    const undo = reversal({ ...request, 38: approved[38]! });
    expect(await peer.ask(undo)).toMatchObject({ 0: '0410', 39: '00', 11: undo[11] });
    expect(await held(3)).toBe(0);
    expect(await peer.ask(repeat(undo))).toMatchObject({ 0: '0410', 39: '00' });
    expect(await held(3)).toBe(0);
    // After the full reversal its repeat is no approval any more.
    expect(await peer.ask(repeat(request))).toMatchObject({ 0: '0110', 39: '68' });
    peer.close();
  });
});

describe('a server with a link file', () => {
  test('names every listener on the ready line, the standard ones first, and in the log', () => {
    const names = ['tcp', 'ws', ...combinations.map(({ name }) => name), 'strict'];
    expect([...addresses.keys()]).toEqual(names);
    expect([addresses.get('tcp'), addresses.get('ws')]).toEqual([server.ready.tcp, server.ready.ws]);
    for (const address of addresses.values()) expect(address).toMatch(/^127\.0\.0\.1:[1-9]\d*$/);
    const lines = server.logged('listening');
    expect(lines.map(({ link, address }) => [link, address])).toEqual([...addresses]);
    const { framing, header_bytes, dialect, transport } = lines[names.indexOf('header-12')]!;
    expect([transport, framing, header_bytes, dialect]).toEqual(['tcp', 'ascii4', 12, 'iso87-ascii']);
  });
});

describe('a link that requires sign-on', () => {
  test('can be tried from the terminal', async () => {
    const send = ['iso', 'send', '--to', addresses.get('strict')!, '--demo-card', '900', '--quiet'];
    const refused = await run(send);
    expect([refused.status, refused.out.split(' in ')[0]]).toEqual([0, '0110 declined 91 (issuer unavailable)']);
    const served = await run([...send, '--sign-on', '--timeout', '20s']);
    expect(served.status).toBe(0);
    expect(served.out).toMatch(/^0810 accepted 00 in .*\n0110 approved 00 code \w{6} in .*\n$/);
  });
});

describe('dialects, framings and headers', () => {
  test.each(combinations.map((one, index) => [one.name, one, index] as const))('%s', async (name, one, index) => {
    const card = 100 + index;
    const { dialect, framing, header } = one;
    const options = { dialect, framing, ...(header === undefined ? {} : { header }) };
    const client = await IsoClient.connect('127.0.0.1', Number(addresses.get(name)!.split(':')[1]), options);
    try {
      client.keepAlive();
      const request = purchase({ card, amount: 900 });
      const reply = await client.request(request);
      expect([reply[0], reply[39], reply[37]]).toEqual(['0110', '00', request[37]]);
      expect(client.keepAlives).toBe(1);
      // A TPDU's addresses are swapped, any other header comes back as it was.
      const expected = header?.length === 5 ? '6004560123' : header?.toString('hex');
      expect(client.header?.toString('hex')).toBe(expected);
      expect((await client.request(repeat(request)))[38]).toBe(reply[38]);
      expect((await client.request(reversal(request, 300)))[39]).toBe('00');
      expect(await held(card)).toBe(300);
    } finally {
      client.close();
    }
  });
});

describe('WebSocket', () => {
  async function open(of: Server, query = ''): Promise<{ ask(bytes: Uint8Array): Promise<Buffer>; close(): void }> {
    const socket = new WebSocket(`ws://${of.ready.ws}/iso8583${query}`);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    return {
      ask: (bytes) =>
        new Promise((resolve, reject) => {
          socket.once('message', (data) => resolve(data as Buffer));
          socket.once('close', () => reject(new Error('closed')));
          socket.send(bytes);
        }),
      close: () => socket.terminate(),
    };
  }

  async function exchange(of: Server, card: number): Promise<void> {
    const link = await open(of);
    const request = purchase({ card, amount: 1111 });
    const reply = unpack('iso87-ascii-bin', await link.ask(pack('iso87-ascii-bin', request)));
    expect([reply[0], reply[39], reply[37]]).toEqual(['0110', '00', request[37]]);
    link.close();
    // The repeat of it over TCP: the same decision, whatever carried the first one.
    const client = await of.connect({ dialect: 'iso87-ascii-bin' });
    expect(await client.request(repeat(request))).toEqual(reply);
    client.close();
    for (const dialect of dialectNames) {
      const other = await open(of, `?dialect=${dialect}`);
      const answer = unpack(dialect, await other.ask(pack(dialect, repeat(request))));
      expect(answer[38]).toBe(reply[38]);
      other.close();
    }
    expect(await held(card, of)).toBe(1111);
  }

  test('through uWebSockets.js', async () => {
    await exchange(server, 200);
  });

  test('through ws', async () => {
    const flags = ['--dialect', 'iso87-ascii-bin', '--ws-adapter', 'ws'];
    const other = await Server.start({ flags });
    await exchange(other, 200);
    expect(await other.stop()).toEqual({ status: 0, signal: null });
  });
});
