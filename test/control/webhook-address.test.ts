import type { lookup } from 'node:dns';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AddressKind, AddressRule, addressKind } from '#src/control/webhooks/address.js';
import { Sender } from '#src/control/webhooks/sender.js';

/** A name server that answers every question with these addresses. */
function resolvingTo(...addresses: string[]): typeof lookup {
  return ((_name: string, _options: object, done: (error: null, found: object[]) => void) =>
    done(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    )) as unknown as typeof lookup;
}

function resolve(look: LookupFunction, all: boolean): Promise<unknown> {
  return new Promise((done, fail) => {
    look('name.example', { all }, (error, address) => (error === null ? done(address) : fail(error)));
  });
}

describe('the kind of an address', () => {
  it.each<[AddressKind, string[]]>([
    [
      'public',
      ['1.1.1.1', '8.8.8.8', '172.15.255.255', '172.32.0.0', '223.255.255.255', '2606:4700::1111', '64:ff9b::808:808'],
    ],
    ['loopback', ['127.0.0.1', '127.9.8.7', '::1', '::ffff:127.0.0.1', '0:0:0:0:0:0:0:1']],
    [
      'private',
      [
        ...['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1', 'fc00::1', 'fd12:3456::1'],
        ...['::ffff:10.0.0.1', '::ffff:a00:1', '64:ff9b::a00:1'],
      ],
    ],
    [
      'forbidden',
      [
        ...['0.0.0.0', '0.1.2.3', '169.254.169.254', '169.254.0.1', '192.0.2.1', '198.18.0.1', '203.0.113.9'],
        ...['224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255', '::', 'fe80::1', 'fe80::1%eth0', 'ff02::1'],
        ...['fd00:ec2::254', '::ffff:169.254.169.254', '2002:7f00:1::', '2001:db8::1', '2001::1', '::127.0.0.1'],
        ...['64:ff9b::a9fe:a9fe', 'localhost', '', '100.100.100.200', '168.63.129.16', '::ffff:168.63.129.16'],
        ...['fd20:ce::254', '64:ff9b:1::a00:1', 'fec0::1', '::ffff:0:7f00:1'],
      ],
    ],
  ])('%s', (kind, addresses) => {
    expect(addresses.map((address) => [address, addressKind(address)])).toEqual(
      addresses.map((address) => [address, kind]),
    );
  });
});

describe('a URL', () => {
  const refused = (text: string, allowPrivate: boolean): boolean => {
    try {
      new AddressRule(allowPrivate).assertUrl(new URL(text));
      return false;
    } catch {
      return true;
    }
  };

  it('is refused by what it says', () => {
    const rows: [url: string, strict: boolean, lenient: boolean][] = [
      ['https://hooks.example/a', false, false],
      ['https://8.8.8.8/', false, false],
      ['http://hooks.example/a', true, false],
      ['http://8.8.8.8/', true, true],
      ['https://127.0.0.1/', true, false],
      ['http://127.0.0.1:8080/', true, false],
      ['http://[::1]:8080/', true, false],
      ['https://10.0.0.1/', true, false],
      ['http://10.0.0.1/', true, true],
      ['https://169.254.169.254/latest/meta-data', true, true],
      ['http://169.254.169.254/latest/meta-data', true, true],
      ['https://[::ffff:10.0.0.1]/', true, false],
      // Other spellings of 127.0.0.1 and of 169.254.169.254.
      ['https://2130706433/', true, false],
      ['https://0x7f.1/', true, false],
      ['https://0251.0376.0251.0376/', true, true],
      ['https://user:word@hooks.example/', true, true],
      ['ftp://hooks.example/', true, true],
      ['file:///etc/passwd', true, true],
    ];
    expect(rows.map(([url]) => [url, refused(url, false), refused(url, true)])).toEqual(rows);
  });
});

describe('a name', () => {
  it('is refused when any of its addresses is', async () => {
    for (const bad of ['127.0.0.1', '::1', '::ffff:10.0.0.1', '169.254.169.254', '192.168.0.1', 'fd00::1', '0.0.0.0']) {
      for (const addresses of [[bad], ['8.8.8.8', bad]]) {
        const look = new AddressRule(false, resolvingTo(...addresses)).lookupFor('https:');
        for (const all of [true, false])
          await expect(resolve(look, all)).rejects.toThrow(/is (never )?called( only with)?/);
      }
    }
    const inside = new AddressRule(true, resolvingTo('10.0.0.1'));
    expect(await resolve(inside.lookupFor('https:'), false)).toBe('10.0.0.1');
    await expect(resolve(inside.lookupFor('http:'), false)).rejects.toThrow(/without TLS \(https\) only this machine/);
    const metadata = new AddressRule(true, resolvingTo('169.254.169.254'));
    await expect(resolve(metadata.lookupFor('https:'), false)).rejects.toThrow(/metadata service: it is never called/);
  });

  it('hands over the very addresses that were judged', async () => {
    const look = new AddressRule(false, resolvingTo('8.8.8.8', '2606:4700::1')).lookupFor('https:');
    expect(await resolve(look, true)).toEqual([
      { address: '8.8.8.8', family: 4 },
      { address: '2606:4700::1', family: 6 },
    ]);
    await expect(resolve(new AddressRule(false, resolvingTo()).lookupFor('https:'), true)).rejects.toThrow(
      /no address/,
    );
  });
});

describe('a sender', () => {
  let server: Server;
  let port: number;
  let asked: string[];

  beforeAll(async () => {
    asked = [];
    server = createServer((incoming, answer) => {
      asked.push(incoming.url!);
      if (incoming.url === '/redirect') answer.writeHead(307, { location: `http://127.0.0.1:${port}/inside` });
      if (incoming.url === '/found') answer.writeHead(302, { location: 'http://169.254.169.254/' });
      answer.end();
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => server.close());

  async function post(path: string, rule: AddressRule, host = '127.0.0.1') {
    const sender = new Sender(`http://${host}:${port}${path}`, rule, 2000);
    const attempt = await sender.post({}, '{}');
    sender.close();
    return attempt;
  }

  it('does not connect where it may not, also by a name', async () => {
    expect(await post('/direct', new AddressRule(false))).toMatchObject({
      status: 0,
      error: 'The scheme is http: it must be https.',
    });
    const rebound = new AddressRule(true, resolvingTo('10.1.2.3'));
    expect(await post('/name', rebound, 'hooks.example')).toMatchObject({ status: 0 });
    expect(asked).toEqual([]);
    const here = new AddressRule(true, resolvingTo('127.0.0.1'));
    expect(await post('/name', here, 'hooks.example')).toMatchObject({ status: 200, error: '' });
    expect(asked).toEqual(['/name']);
  });

  it('follows no redirect', async () => {
    asked.length = 0;
    expect((await post('/redirect', new AddressRule(true))).status).toBe(307);
    expect((await post('/found', new AddressRule(true))).status).toBe(302);
    expect(asked).toEqual(['/redirect', '/found']);
  });
});
