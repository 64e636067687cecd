import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { HoldfastError } from '#src/errors.js';
import { linkDefaults } from '#src/ingress/links.js';
import { pack, unpack } from '#src/iso8583/message.js';
import { LINK_SOCKETS_SPARE } from '#src/limits.js';
import { hasOpenssl, makeCertificate } from '../support/certificates.js';
import { harness, portOf, request, TcpClient, until, WsClient } from './support.js';

let folder = '';
const file = (name: string): string => join(folder, name);

/** A connection that never shakes hands. */
async function silentClient(address: string | undefined): Promise<TcpClient> {
  const socket = connectPlain({ host: '127.0.0.1', port: portOf(address) });
  await new Promise((resolve) => socket.once('connect', resolve));
  return new TcpClient(socket, 'len2', 0, 'iso87-bcd');
}

describe.skipIf(!hasOpenssl)('TLS links (needs the openssl command)', () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-tls-'));
    makeCertificate(folder, 'server');
    makeCertificate(folder, 'client');
    makeCertificate(folder, 'stranger');
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const tls = (more = {}) => ({ certFile: file('server.pem'), keyFile: file('server.key'), ...more });
  const ca = (): Buffer => readFileSync(file('server.pem'));

  function secure(port: number, more: object = {}): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, ca: ca(), ...more }, () => resolve(socket));
      socket.once('error', reject);
    });
  }

  it('serves over TLS and survives peers that do not speak it', async () => {
    const test = await harness({ link: { tls: tls() } });
    const port = portOf(test.addresses.tcp);
    const client = new TcpClient(await secure(port), 'len2', 0, 'iso87-bcd');
    expect(await client.ask(request(1))).toMatchObject({ '39': '00', '11': '000001' });
    const plain = new TcpClient(connectPlain({ host: '127.0.0.1', port }), 'len2', 0, 'iso87-bcd');
    plain.send(request(2));
    await until('the refusal', () => plain.closed);
    await expect(secure(port, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1' })).rejects.toThrow();
    expect(test.ingress.stats().errors.tls).toBeGreaterThanOrEqual(1);
    expect(await client.ask(request(3))).toMatchObject({ '39': '00' });
  });

  it('asks for a client certificate of the given authority', async () => {
    const test = await harness({ link: { tls: tls({ clientCaFile: file('client.pem') }) } });
    const port = portOf(test.addresses.tcp);
    const own = { cert: readFileSync(file('client.pem')), key: readFileSync(file('client.key')) };
    const client = new TcpClient(await secure(port, own), 'len2', 0, 'iso87-bcd');
    expect(await client.ask(request(1))).toMatchObject({ '39': '00' });
    for (const bad of [{}, { cert: readFileSync(file('stranger.pem')), key: readFileSync(file('stranger.key')) }]) {
      const outcome = await secure(port, bad).then(
        (socket) => new TcpClient(socket, 'len2', 0, 'iso87-bcd'),
        () => undefined,
      );
      if (outcome !== undefined) await until('the refusal', () => outcome.closed);
    }
    expect(test.ingress.stats().messages).toBe(1);
  });

  it('who may not connect is cut off before the handshake, and whoever never shakes hands takes no place', async () => {
    const walled = await harness({ link: { tls: tls(), allow: ['192.0.2.0/24'] } });
    const stranger = await silentClient(walled.addresses.tcp);
    await until('the refusal', () => stranger.closed);
    expect(walled.ingress.stats().errors).toMatchObject({ not_allowed: 1, tls: 0 });

    const test = await harness({ link: { tls: tls(), connectionsMax: 1 } });
    const silent = await silentClient(test.addresses.tcp);
    const client = new TcpClient(await secure(portOf(test.addresses.tcp)), 'len2', 0, 'iso87-bcd');
    expect(await client.ask(request(1))).toMatchObject({ '39': '00' });
    const second = await silentClient(test.addresses.tcp);
    await until('the refusal of the second', () => second.closed);
    expect(silent.closed).toBe(false);
    expect(test.ingress.stats().errors).toMatchObject({ too_many_connections: 1, tls: 0 });
  });

  it('sockets in their handshake are bounded', async () => {
    const test = await harness({ link: { tls: tls(), connectionsMax: 1 } });
    const port = portOf(test.addresses.tcp);
    const silent = Array.from(
      { length: LINK_SOCKETS_SPARE + 1 },
      () => new TcpClient(connectPlain({ host: '127.0.0.1', port }), 'len2', 0, 'iso87-bcd'),
    );
    await until('a refusal', () => test.ingress.stats().errors.too_many_connections === 1);
    await until('the close', () => silent.filter((one) => one.closed).length === 1);
    for (const one of silent) one.socket.destroy();
    await until('room', () => test.ingress.stats().errors.tls === LINK_SOCKETS_SPARE);
    const client = new TcpClient(await secure(port), 'len2', 0, 'iso87-bcd');
    expect(await client.ask(request(1))).toMatchObject({ '39': '00' });
  });

  it('sockets in their handshake take a quarter of those of all links at most', async () => {
    const test = await harness({ link: { tls: tls() }, ingress: { socketsMax: 40 } });
    const silent: TcpClient[] = [];
    for (let n = 0; n < 12; n++) silent.push(await silentClient(test.addresses.tcp));
    await until('refusals', () => silent.filter((one) => one.closed).length === 2);
    expect(test.ingress.stats().errors).toMatchObject({ too_many_connections: 2, tls: 0 });
    silent[0]!.socket.destroy();
    await until('room', () => test.ingress.stats().errors.tls === 1);
    const client = new TcpClient(await secure(portOf(test.addresses.tcp)), 'len2', 0, 'iso87-bcd');
    expect(await client.ask(request(1))).toMatchObject({ '39': '00' });
  });

  it('serves wss on the adapter ws', async () => {
    const ws = {
      ...linkDefaults,
      name: 'ws',
      number: 2,
      transport: 'ws',
      host: '127.0.0.1',
      port: 0,
      tls: tls(),
    } as const;
    const test = await harness({ links: [ws] });
    expect(test.addresses.wsAdapter).toBe('ws');
    const client = new WsClient(new WebSocket(`wss://127.0.0.1:${portOf(test.addresses.ws)}/iso8583`, { ca: ca() }));
    await new Promise((resolve) => client.socket.once('open', resolve));
    client.socket.send(pack('iso87-bcd', request(1)));
    await until('the reply', () => client.replies.length === 1);
    expect(unpack('iso87-bcd', client.replies[0]!)).toMatchObject({ '39': '00' });
  });

  it.each([
    ['a file that is not there', () => tls({ keyFile: file('nothing.key') }), /nothing\.key/],
    ['a key of another certificate', () => tls({ keyFile: file('client.key') }), /no certificate and its key/],
  ])('%s is a configuration error', async (_name, files, message) => {
    const error = (await harness({ link: { tls: files() } }).catch((failure: unknown) => failure)) as HoldfastError;
    expect(error.code).toBe('config_invalid');
    expect(error.message).toMatch(message);
  });
});
