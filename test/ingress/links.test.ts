import { describe, expect, it } from 'vitest';
import { HoldfastError } from '#src/errors.js';
import { allowList, checkLinks, defaultLinks, type LinkProfile, plainAddress } from '#src/ingress/links.js';
import { tcpLink } from './support.js';

describe('link profiles', () => {
  it('without a links file there are one TCP and one WebSocket link', () => {
    const flags = {
      host: '127.0.0.1',
      tcpPort: 8583,
      wsPort: 8582,
      framing: 'ascii4',
      headerBytes: 5,
      dialect: 'iso87-ascii',
    } as const;
    const links = defaultLinks(flags);
    expect(links).toMatchObject([
      {
        name: 'tcp',
        number: 1,
        transport: 'tcp',
        port: 8583,
        framing: 'ascii4',
        headerBytes: 5,
        portSetting: '--tcp-port',
      },
      { name: 'ws', number: 2, transport: 'ws', port: 8582, dialect: 'iso87-ascii', portSetting: '--ws-port' },
    ]);
    expect(() => checkLinks(links)).not.toThrow();
  });

  const wrong: [string, Partial<LinkProfile>, RegExp][] = [
    ['a port beyond 65535', { port: 70_000 }, /port 70000/],
    ['an unknown dialect', { dialect: 'iso93' as 'iso87-bcd' }, /dialect iso93/],
    ['an unknown framing', { framing: 'len3' as 'len2' }, /framing/],
    ['a header that is too long', { headerBytes: 999 }, /header/],
    ['a limit of none', { inFlightMax: 0 }, /in-flight limit 0/],
    ['a deadline of none', { deadlineMs: 0 }, /deadline 0/],
    ['no connections', { connectionsMax: 0 }, /connections/],
    ['a time that no timer can hold', { frameMs: 2 ** 31 }, /idle or frame time/],
    ['a host name in the allow-list', { allow: ['example.com'] }, /example\.com/],
    ['a prefix that is too long', { allow: ['10.0.0.0/33'] }, /10\.0\.0\.0\/33/],
    ['a number that does not fit', { number: 65_536 }, /number 65536/],
  ];
  it.each(wrong)('%s is refused with the link’s name', (_name, more, message) => {
    let error: unknown;
    try {
      checkLinks([tcpLink({ name: 'visa', ...more })]);
    } catch (failure) {
      error = failure;
    }
    expect(error).toBeInstanceOf(HoldfastError);
    expect(error).toMatchObject({ code: 'config_invalid', exitStatus: 64 });
    expect((error as HoldfastError).message).toMatch(/^link visa: /);
    expect((error as HoldfastError).message).toMatch(message);
  });

  it('names and numbers are unique', () => {
    expect(() => checkLinks([tcpLink(), tcpLink({ number: 2 })])).toThrow(/two links have this name/);
    expect(() => checkLinks([tcpLink(), tcpLink({ name: 'b' })])).toThrow(/number 1/);
  });

  it.each([
    [[], '192.0.2.7', true],
    [['10.0.0.0/8'], '10.255.0.1', true],
    [['10.0.0.0/8'], '11.0.0.1', false],
    [['10.0.0.0/8'], '::ffff:10.1.2.3', true],
    [['192.0.2.7'], '192.0.2.7', true],
    [['192.0.2.7'], '192.0.2.8', false],
    [['2001:db8::/32'], '2001:db8::1', true],
    [['2001:db8::/32'], '2001:db9::1', false],
    [['10.0.0.0/8'], '', false],
  ] as const)('allow %j and peer %s: %s', (allow, address, allowed) => {
    expect(allowList(tcpLink({ allow }))(address)).toBe(allowed);
  });

  it('an IPv4 address in IPv6 clothes is IPv4', () => {
    expect(plainAddress('::ffff:192.0.2.7')).toBe('192.0.2.7');
    expect(plainAddress('0000:0000:0000:0000:0000:ffff:c000:0207')).toBe('192.0.2.7');
    expect(plainAddress('2001:db8::1')).toBe('2001:db8::1');
  });
});
