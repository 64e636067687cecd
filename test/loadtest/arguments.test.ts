import { describe, expect, it } from 'vitest';
import { type Options, parseMix, parseOptions, parseTarget } from '../../loadtest/arguments.js';
import { parseCount, parseDuration, parseScaled } from '../../loadtest/units.js';

const TARGET = 'iso8583+tcp://127.0.0.1:8583';
const parse = (...flags: string[]) => parseOptions([TARGET, ...flags]) as Options;

describe('units', () => {
  it.each([
    ['500us', 0.5],
    ['250ms', 250],
    ['30s', 30_000],
    ['1.5s', 1500],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['10', 10_000],
  ])('%s is %d ms', (text, ms) => expect(parseDuration('-d', text)).toBe(ms));

  it.each([
    ['500', 500],
    ['50k', 50_000],
    ['2.5K', 2500],
    ['1m', 1_000_000],
  ])('%s is %d', (text, value) => expect(parseScaled('-R', text)).toBe(value));

  it.each(['', '-1', 'ten', '5 k', '1e3', '5kb'])('refuses the number %j', (text) =>
    expect(() => parseScaled('-R', text)).toThrow(/-R: .*is not a number/),
  );

  it('keeps counts within their bounds', () => {
    expect(() => parseCount('-c', '0', 1, 10)).toThrow('from 1 to 10');
    expect(() => parseCount('-c', '2.5', 1, 10)).toThrow('whole number');
  });
});

describe('targets', () => {
  it.each([
    ['iso8583+tcp://127.0.0.1:8583', 'tcp', '127.0.0.1', 8583, '/iso8583'],
    ['iso8583+tls://issuer.example:9000', 'tls', 'issuer.example', 9000, '/iso8583'],
    ['iso8583+tcp://[::1]:8583', 'tcp', '::1', 8583, '/iso8583'],
    ['ws://127.0.0.1:8582/iso8583', 'ws', '127.0.0.1', 8582, '/iso8583'],
    ['ws://127.0.0.1:8582/other?dialect=iso87-ascii', 'ws', '127.0.0.1', 8582, '/other?dialect=iso87-ascii'],
  ])('%s', (text, transport, host, port, path) =>
    expect(parseTarget(text)).toEqual({ text, transport, host, port, path }),
  );

  it.each([
    '127.0.0.1:8583',
    'tcp://127.0.0.1:8583',
    'iso8583+tcp://127.0.0.1',
    'iso8583+tcp://h:0',
    'iso8583+tcp://h:70000',
    'iso8583+tcp://h:1/x',
    'http://h:1',
  ])('refuses %s', (text) => expect(() => parseTarget(text)).toThrow('iso8583+tcp://host:port'));
});

describe('options', () => {
  it('has an open loop of 1 000 per second for 10 s by default', () => {
    const options = parse();
    expect(options.mode).toBe('open');
    expect(options.stages).toEqual([{ durationUs: 10_000_000, rate: 1000 }]);
    expect(options.requests).toBe(Number.POSITIVE_INFINITY);
    expect(options.admin).toBe('http://127.0.0.1:8580');
    expect(options.tokenFile).toBe('./data/admin.token');
  });

  it('lets -n alone end the run', () => {
    const options = parse('-n', '5k', '-R', '2k');
    expect(options.requests).toBe(5000);
    expect(options.stages).toEqual([{ durationUs: Number.POSITIVE_INFINITY, rate: 2000 }]);
  });

  it('reads stages', () => {
    expect(parse('--stages', '10s:10k,500ms:80k').stages).toEqual([
      { durationUs: 10_000_000, rate: 10_000 },
      { durationUs: 500_000, rate: 80_000 },
    ]);
  });

  it('has one in flight per connection in a closed loop', () => {
    expect(parse('--closed').inFlight).toBe(1);
    expect(parse('--closed', '-p', '32').inFlight).toBe(32);
  });

  it('reads mixes by kind number', () => {
    expect(parseMix('auth:85,increment:3,reversal:7,advice:3,repeat:2')).toEqual([85, 3, 7, 3, 2, 0]);
    expect(parseMix('inquiry:1')).toEqual([0, 0, 0, 0, 0, 1]);
  });

  it.each([
    [[], 'no target'],
    [[TARGET, TARGET], 'one target, not 2'],
    [[TARGET, '--rat', '5'], 'did you mean --rate?'],
    [[TARGET, '--frobnicate'], 'unknown flag --frobnicate'],
    [[TARGET, '-R', 'fast'], "--rate: 'fast' is not a number"],
    [[TARGET, '-R', '0'], '--rate: must be above 0'],
    [[TARGET, '-d', '0s'], '--duration: must be above 0'],
    [[TARGET, '--closed', '-R', '5k'], '--closed has no --rate'],
    [[TARGET, '--stages', '10s'], "--stages: '10s'"],
    [[TARGET, '--stages', '1s:1k', '-R', '5'], '--rate or --stages'],
    [[TARGET, '--stages', '1s:1k', '-d', '5'], 'leave --duration out'],
    [[TARGET, '--find-max', '--closed'], '--find-max'],
    [[TARGET, '--mix', 'auth:x'], 'kind:weight'],
    [[TARGET, '--mix', 'purchase:5'], 'kinds are'],
    [[TARGET, '--mix', 'reversal:5'], 'no auth they could refer to'],
    [[TARGET, '--mix', 'auth:0'], 'no weight above 0'],
    [[TARGET, '--dialect', 'iso93'], '--dialect'],
    [[TARGET, '--framing', 'len3'], '--framing'],
    [[TARGET, '--arrival', 'bursty'], '--arrival'],
    [[TARGET, '--amount', '9-1'], '--amount'],
    [[TARGET, '-c', '2', '-w', '3'], '--workers 3'],
    [[TARGET, '--admin', 'localhost:8580'], '--admin'],
    [[TARGET, '--threshold', 'speed:p(99)<1ms'], "unknown metric 'speed'"],
    [[TARGET, '--threshold', 'errors:p(99)<1ms'], "'p' does not fit errors"],
    [[TARGET, '--threshold', 'auth_latency:p(0)<1ms'], 'percentile from 0 to 100'],
    [[TARGET, '--threshold', 'auth_latency'], 'is not metric:measure<value'],
  ] as [string[], string][])('refuses %j', (argv, message) => expect(() => parseOptions(argv)).toThrow(message));
});
