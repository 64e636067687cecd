/**
 * TLS of the real server on its three kinds of port, as a scanner would see it: old versions, bad certificates and renegotiation are
 * refused on each, and new certificates are taken while it runs. What the scanner itself can do is shown against a server that
 * allows it.
 */
import { constants } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { type AddressInfo, connect as connectPlain } from 'node:net';
import { join } from 'node:path';
import { type ConnectionOptions, connect, createServer, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasOpenssl, makeCertificate, signCertificate } from '../support/certificates.js';
import { run, Server, temporaryFolder, until } from '../support/server.js';

const folder = temporaryFolder('tls');
const file = (name: string): string => join(folder, name);
const pem = (name: string): Buffer => readFileSync(file(`${name}.pem`));
const pairOf = (name: string): { cert: Buffer; key: Buffer } => ({
  cert: pem(name),
  key: readFileSync(file(`${name}.key`)),
});
const identity: (name: string) => ConnectionOptions = pairOf;
const ports = ['TCP link', 'WebSocket link', 'HTTP API'] as const;
type Port = (typeof ports)[number];

let server: Server;

function portOf(port: Port): number {
  const { tcp, ws, admin } = server.ready;
  return Number({ 'TCP link': tcp!, 'WebSocket link': ws!, 'HTTP API': admin! }[port].split(':')[1]);
}

/**
 * Shakes hands and waits for a word of the server or the end: with TLS 1.3 a client learns only then whether its certificate was taken.
 * The request is one for each kind of port.
 */
async function talk(port: number, options: ConnectionOptions): Promise<'served' | string> {
  const socket = connect({ host: '127.0.0.1', port, ca: pem('server'), ...options });
  try {
    return await new Promise<string>((resolve) => {
      socket.once('secureConnect', () => {
        // An echo test in a frame, which HTTP servers answer 400: either is an answer.
        const echo = Buffer.from('08008220000000000000040000000000000011230245000000010301', 'hex');
        socket.write(Buffer.concat([Buffer.from([0, echo.length]), echo]));
      });
      socket.once('data', () => resolve('served'));
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      socket.once('close', () => resolve('closed'));
    });
  } finally {
    socket.destroy();
  }
}

/** A client hello of that version as bytes: a library may refuse to write the old ones. */
function clientHello(version: number): Buffer {
  const vector = (bytes: Buffer, lengthBytes: number): Buffer => {
    const length = Buffer.alloc(lengthBytes);
    length.writeUIntBE(bytes.length, 0, lengthBytes);
    return Buffer.concat([length, bytes]);
  };
  const short = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
  const extension = (type: number, body: Buffer): Buffer => Buffer.concat([short(type), vector(body, 2)]);
  const ciphers = [0xc02b, 0xc02f, 0xc009, 0xc00a, 0xc013, 0xc014, 0x002f, 0x0035, 0x000a];
  const extensions = Buffer.concat([
    extension(10, vector(Buffer.concat([0x17, 0x18, 0x1d].map(short)), 2)),
    extension(11, vector(Buffer.from([0]), 1)),
    extension(13, vector(Buffer.concat([0x0403, 0x0401, 0x0203, 0x0201].map(short)), 2)),
  ]);
  const body = Buffer.concat([
    ...[short(version), Buffer.alloc(32, 7), vector(Buffer.alloc(0), 1)],
    ...[vector(Buffer.concat(ciphers.map(short)), 2), vector(Buffer.from([0]), 1), vector(extensions, 2)],
  ]);
  const handshake = Buffer.concat([Buffer.from([1]), vector(body, 3)]);
  return Buffer.concat([Buffer.from([22]), short(Math.min(version, 0x0301)), vector(handshake, 2)]);
}

/** Type of the first record that comes back: 22 is a server hello, 21 an alert; undefined: closed without a word. */
async function firstRecord(port: number, hello: Buffer): Promise<number | undefined> {
  const socket = connectPlain({ host: '127.0.0.1', port });
  try {
    return await new Promise((resolve) => {
      socket.once('connect', () => socket.write(hello));
      socket.once('data', (bytes: Buffer) => resolve(bytes[0]));
      socket.once('error', () => resolve(undefined));
      socket.once('close', () => resolve(undefined));
    });
  } finally {
    socket.destroy();
  }
}

/** Asks for a second handshake on an open TLS 1.2 connection. */
async function renegotiate(port: number, options: ConnectionOptions): Promise<'renegotiated' | 'refused'> {
  const socket = await new Promise<TLSSocket>((resolve, reject) => {
    const opened = connect({ host: '127.0.0.1', port, ca: pem('server'), maxVersion: 'TLSv1.2', ...options }, () =>
      resolve(opened),
    );
    opened.once('error', reject);
  });
  try {
    return await new Promise((resolve) => {
      socket.once('error', () => resolve('refused'));
      socket.once('close', () => resolve('refused'));
      socket.renegotiate({}, (error) => resolve(error === null ? 'renegotiated' : 'refused'));
    });
  } finally {
    socket.destroy();
  }
}

/** What the admin port shows of itself to somebody with the right certificate. */
async function adminCall(path: string, trusted: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: portOf('HTTP API'), path, ca: pem(trusted), ...identity('client') };
    const call = request(
      { ...options, agent: false, headers: { authorization: `Bearer ${server.token}` } },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        answer.once('end', () => resolve(text));
      },
    );
    call.once('error', reject);
    call.end();
  });
}

describe.skipIf(!hasOpenssl)('TLS of the server (needs the openssl command)', () => {
  beforeAll(async () => {
    for (const name of ['server', 'renewed', 'authority', 'stranger', 'other']) makeCertificate(folder, name);
    signCertificate(folder, 'client', 'authority');
    signCertificate(folder, 'expired', 'authority', -1);
    signCertificate(folder, 'foreign', 'other');
    for (const kind of ['pem', 'key']) copyFileSync(file(`server.${kind}`), file(`used.${kind}`));
    copyFileSync(file('authority.pem'), file('clients.pem'));
    const tls = { 'cert-file': file('used.pem'), 'key-file': file('used.key'), 'client-ca-file': file('clients.pem') };
    const links = ['tcp', 'ws'].map((name) => ({ name, transport: name, port: 0, tls }));
    writeFileSync(file('links.json'), JSON.stringify({ links }));
    const admin = ['cert-file', 'key-file', 'client-ca-file'].flatMap((key) => [
      `--admin-tls-${key}`,
      tls[key as keyof typeof tls],
    ]);
    server = await Server.start({ demo: false, flags: ['--links', file('links.json'), ...admin] });
  });

  afterAll(async () => {
    await server.stop();
  });

  test.each(ports)('%s: a client certificate of the authority, and TLS 1.2 and 1.3', async (port) => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const versions = { minVersion: version, maxVersion: version };
      expect(await talk(portOf(port), { ...identity('client'), ...versions })).toBe('served');
    }
  });

  test.each(ports)(
    '%s: no certificate, an expired one, one of another authority, a self-signed one are refused',
    async (port) => {
      for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
        for (const wrong of [{}, identity('expired'), identity('foreign'), identity('stranger')])
          expect(await talk(portOf(port), { ...wrong, minVersion: version, maxVersion: version })).not.toBe('served');
    },
  );

  test.each(ports)(
    '%s: SSL 3, TLS 1.0 and 1.1 are answered by an alert or the end, TLS 1.2 by a server hello',
    async (port) => {
      expect(await firstRecord(portOf(port), clientHello(0x0303))).toBe(22);
      for (const version of [0x0300, 0x0301, 0x0302])
        expect(await firstRecord(portOf(port), clientHello(version))).not.toBe(22);
      expect(await firstRecord(portOf(port), Buffer.from('GET / HTTP/1.1\r\n\r\n'))).not.toBe(22);
    },
  );

  test('the scanner can speak TLS 1.0 and renegotiate where a server lets it', async () => {
    const lax = createServer({ ...pairOf('server'), minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' }, (socket) =>
      socket.on('error', () => socket.destroy()),
    );
    await new Promise<void>((resolve) => lax.listen(0, '127.0.0.1', resolve));
    const { port } = lax.address() as AddressInfo;
    expect(await firstRecord(port, clientHello(0x0301))).toBe(22);
    expect(await renegotiate(port, {})).toBe('renegotiated');
    lax.close();
  });

  test.each(ports)('%s: no renegotiation', async (port) => {
    expect(await renegotiate(portOf(port), identity('client'))).toBe('refused');
    // No downgrade to a renegotiation without its binding either.
    const unsafe = { secureOptions: constants.SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION };
    expect(await renegotiate(portOf(port), { ...identity('client'), ...unsafe })).toBe('refused');
  });

  test('commands present a certificate that the environment names', async () => {
    const at = ['--admin', `https://${server.ready.admin!}`, '--token-file', join(server.dataDir, 'admin.token')];
    const trust = { HOLDFAST_ADMIN_CA: file('server.pem') };
    const own = { ...trust, HOLDFAST_ADMIN_CERT: file('client.pem'), HOLDFAST_ADMIN_KEY: file('client.key') };
    const { status, out } = await run(['token', 'list', ...at], own);
    expect([status, out]).toEqual([0, expect.stringContaining('tok_')]);
    for (const environment of [{}, trust])
      expect(await run(['token', 'list', ...at], environment)).toMatchObject({ status: 69 });
  });

  test('new certificates are taken while it runs, bad ones are not, and open connections live on', async () => {
    const shown = async (port: Port): Promise<string> => {
      const options = { host: '127.0.0.1', port: portOf(port), rejectUnauthorized: false, ...identity('client') };
      return await new Promise((resolve, reject) => {
        const socket = connect(options, () => {
          resolve(socket.getPeerCertificate().subject.CN as string);
          socket.destroy();
        });
        socket.once('error', reject);
      });
    };
    const told = (text: string): unknown[] => server.logged(text).map(({ listener }) => listener);
    const refusal = 'new TLS files are refused; those before stay';
    const all = ['admin', 'tcp', 'ws'];
    const open = connect({ host: '127.0.0.1', port: portOf('TCP link'), ca: pem('server'), ...identity('client') });
    await new Promise((resolve) => open.once('secureConnect', resolve));

    copyFileSync(file('renewed.pem'), file('used.pem'));
    server.child.kill('SIGHUP');
    await until('the refusal of a certificate without its key', () => told(refusal).length === 3);
    expect(told(refusal).sort()).toEqual(all);
    expect(await Promise.all(ports.map(shown))).toEqual(['server', 'server', 'server']);

    copyFileSync(file('renewed.key'), file('used.key'));
    server.child.kill('SIGHUP');
    await until('the new certificate', () => told('a new certificate is in use').length === 3);
    expect(await Promise.all(ports.map(shown))).toEqual(['renewed', 'renewed', 'renewed']);
    const answer = new Promise((resolve) => open.once('data', resolve));
    const echo = Buffer.from('08008220000000000000040000000000000011230245000000010301', 'hex');
    open.write(Buffer.concat([Buffer.from([0, echo.length]), echo]));
    await answer;
    open.destroy();

    writeFileSync(file('clients.pem'), 'no certificate at all');
    server.child.kill('SIGHUP');
    await until('the refusal of authorities', () => told(refusal).length === 6);
    expect(await talk(portOf('TCP link'), { ...identity('client'), ca: pem('renewed') })).toBe('served');

    const metrics = await adminCall('/metrics', 'renewed');
    for (const listener of all) {
      const until = new RegExp(`^holdfast_tls_certificate_expiry_seconds\\{listener="${listener}"\\} (\\d+)$`, 'm');
      expect(Number(until.exec(metrics)?.[1]) * 1000).toBeGreaterThan(Date.now());
      expect(metrics).toContain(`holdfast_tls_reloads_total{listener="${listener}",result="taken"} 1`);
      expect(metrics).toContain(`holdfast_tls_reloads_total{listener="${listener}",result="refused"} 2`);
    }

    copyFileSync(file('other.pem'), file('clients.pem'));
    server.child.kill('SIGHUP');
    await until('the new authority', () => told('a new certificate is in use').length === 6);
    for (const port of ports) {
      const at = portOf(port);
      expect(await talk(at, { ...identity('client'), ca: pem('renewed') })).not.toBe('served');
      expect(await talk(at, { ...identity('foreign'), ca: pem('renewed') })).toBe('served');
    }
  });

  test('a certificate that has ended does not replace one that has not', async () => {
    const text = 'new TLS files are refused; those before stay';
    const before = server.logged(text).length;
    for (const kind of ['pem', 'key']) copyFileSync(file(`expired.${kind}`), file(`used.${kind}`));
    server.child.kill('SIGHUP');
    await until('the refusal', () => server.logged(text).length === before + 3);
    expect(String(server.logged(text).at(-1)?.error)).toContain('has ended');
  });

  test('half of a certificate is a configuration error', async () => {
    const { status, err } = await run(['config', 'check', '--admin-tls-cert-file', file('server.pem')]);
    expect([status, err]).toEqual([64, expect.stringContaining('a certificate needs its key')]);
  });
});
