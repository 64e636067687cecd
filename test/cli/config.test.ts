import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadConfig } from '#src/cli/config.js';
import { environmentName, fileSchema, type SettingName, settingNames, settingOf } from '#src/cli/settings.js';
import { HoldfastError } from '#src/errors.js';
import { say } from './fake-terminal.js';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-config-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function load(flags: Record<string, string | boolean>, environment: Record<string, string> = {}) {
  return loadConfig({ flags, environment, terminal: false });
}

/** A valid value other than the default, as text. */
const otherValues: Record<SettingName, string> = {
  'data-dir': './elsewhere',
  'key-file': './elsewhere.keys',
  'kek-file': './kek',
  hsm: '',
  'hsm-keys': './hsm.json',
  'hsm-ca-file': '',
  'hsm-cert-file': '',
  'hsm-key-file': '',
  'allow-software-pin': 'true',
  threads: '7',
  shards: '64',
  'cards-max': '2000000',
  host: '127.0.0.2',
  'tcp-port': '9583',
  'ws-port': '9582',
  'admin-port': '9580',
  'admin-tls-cert-file': '',
  'admin-tls-key-file': '',
  'admin-tls-client-ca-file': '',
  framing: 'bcd2',
  'header-bytes': '5',
  dialect: 'iso87-ascii',
  links: '',
  programs: '',
  'oidc-issuer': '',
  'oidc-audience': 'cards',
  'oidc-role-claim': 'groups',
  approvals: 'payments,keys',
  'approvals-from': '50000',
  'ws-adapter': 'ws',
  'deadline-ms': '900',
  'link-in-flight-max': '100',
  'admission-rate-max': '15000',
  'duplicate-window-hours': '48',
  'disk-reserve-bytes': '536870912',
  'journal-folder-bytes': '1048576',
  'stop-limit-ms': '5000',
  'webhooks-allow-private': 'true',
  'clearing-file-bytes-max': '1073741824',
  'clearing-mode': 'T',
  'backup-dir': '/b',
  demo: 'true',
  'log-level': 'warn',
  'log-format': 'pretty',
};

function typed(name: SettingName, text: string): string | number | boolean {
  const { kind } = settingOf(name);
  return kind === 'integer' || kind === 'bytes' ? Number(text) : kind === 'boolean' ? text === 'true' : text;
}

function entry(loaded: ReturnType<typeof load>, name: SettingName) {
  return loaded.entries.find((one) => one.name === name)!;
}

describe('every setting', () => {
  // Those that name nothing unless they are given have no default to be written.
  const names = settingNames.filter(
    (name) =>
      !['links', 'programs', 'backup-dir', 'kek-file', 'oidc-issuer'].includes(name) &&
      !/^hsm(-|$)/.test(name) &&
      !name.startsWith('admin-tls-'),
  );
  test.each(names)('%s: flag > environment > file > default', (name) => {
    const other = otherValues[name];
    const value = typed(name, other);
    const yaml = file(`${name}.yaml`, `${name}: ${JSON.stringify(value)}\n`);
    const standard = entry(load({}), name);
    expect(standard.source).toBe('default');
    expect(standard.value).not.toEqual(value);

    const fromFile = entry(load({ config: yaml }), name);
    expect(fromFile).toEqual({ name, value, source: 'file', where: `${yaml}:1` });

    const broken = file('other.yaml', `${name}: ${JSON.stringify(standard.value)}\n`);
    const fromEnvironment = entry(load({ config: broken }, { [environmentName(name)]: other }), name);
    expect(fromEnvironment).toEqual({ name, value, source: 'environment', where: environmentName(name) });

    const flag = typeof value === 'boolean' ? value : other;
    const fromFlag = entry(
      load({ config: broken, [name]: flag }, { [environmentName(name)]: String(standard.value) }),
      name,
    );
    expect(fromFlag).toEqual({ name, value, source: 'flag', where: `--${name}` });
  });

  test('the keys of a file may be written with hyphens, underscores or capitals', () => {
    const path = file('keys.yaml', 'tcp_port: 1\nwsPort: 2\nadmin-port: 3\n');
    const { config } = load({ config: path });
    expect(config.links.map(({ port }) => port)).toEqual([1, 2]);
    expect(config.adminPort).toBe(3);
  });

  test('a JSON file is read as well', () => {
    const path = file('config.json', '{"threads": 3, "disk-reserve-bytes": "1GiB"}');
    const { config } = load({ config: path });
    expect(config.threads).toBe(3);
    expect(config.diskReserveBytes).toBe(2 ** 30);
  });
});

describe('defaults', () => {
  test('are those of the contract', () => {
    const { config } = load({});
    expect(config).toMatchObject({
      dataDir: './data',
      keyFile: './data.keys',
      threads: Math.max(1, availableParallelism() - 1),
      shards: 16,
      shardsGiven: false,
      host: '127.0.0.1',
      adminPort: 8580,
      demo: false,
      logLevel: 'info',
      logFormat: 'json',
      deadlineMs: 1500,
      duplicateWindowMs: 86_400_000,
    });
    expect(
      config.links.map(({ name, transport, host, port, framing, headerBytes, dialect }) => [
        name,
        transport,
        host,
        port,
        framing,
        headerBytes,
        dialect,
      ]),
    ).toEqual([
      ['tcp', 'tcp', '127.0.0.1', 8583, 'len2', 0, 'iso87-bcd'],
      ['ws', 'ws', '127.0.0.1', 8582, 'len2', 0, 'iso87-bcd'],
    ]);
  });

  test('the key file stands beside the data directory wherever that is', () => {
    expect(load({ 'data-dir': '/srv/x/' }).config.keyFile).toBe('/srv/x.keys');
  });

  test('a terminal gets the pretty log', () => {
    expect(loadConfig({ flags: {}, environment: {}, terminal: true }).config.logFormat).toBe('pretty');
  });

  test('--shards of the user is told apart from the default', () => {
    expect(load({ shards: '16' }).config.shardsGiven).toBe(true);
  });
});

function problemsOf(flags: Record<string, string | boolean>, environment: Record<string, string> = {}): string[] {
  try {
    load(flags, environment);
  } catch (error) {
    expect(error).toBeInstanceOf(HoldfastError);
    expect((error as HoldfastError).code).toBe('config_invalid');
    return (error as HoldfastError).message.split('\n');
  }
  return [];
}

describe('problems: what, where, what is allowed', () => {
  test.each([
    ['shards', '3', 'shards: got 3 [--shards]; allowed: a power of two from 1 to 256'],
    ['shards', '512', 'shards: got 512 [--shards]; allowed: a power of two from 1 to 256'],
    ['threads', '0', 'threads: got 0 [--threads]; allowed: an integer from 1 to 256'],
    ['threads', '1.5', 'threads: got "1.5" [--threads]; allowed: an integer from 1 to 256'],
    ['tcp-port', '65536', 'tcp-port: got 65536 [--tcp-port]; allowed: an integer from 0 to 65535 (0: any free port)'],
    ['tcp-port', '-1', 'tcp-port: got "-1" [--tcp-port]; allowed: an integer from 0 to 65535 (0: any free port)'],
    ['framing', 'len3', 'framing: got "len3" [--framing]; allowed: one of len2, len4, ascii4, hex4, bcd2'],
    ['dialect', 'iso93', 'dialect: got "iso93" [--dialect]; allowed: one of iso87-bcd, iso87-ascii, iso87-ascii-bin'],
    [
      'log-level',
      'loud',
      'log-level: got "loud" [--log-level]; allowed: one of trace, debug, info, warn, error, fatal, silent',
    ],
    [
      'duplicate-window-hours',
      '23',
      'duplicate-window-hours: got 23 [--duplicate-window-hours]; allowed: an integer from 24 to 168',
    ],
    [
      'disk-reserve-bytes',
      '1 potato',
      'disk-reserve-bytes: got "1 potato" [--disk-reserve-bytes]; allowed: bytes from 16777216 to 70368744177664, or a size such as 256MiB',
    ],
    [
      'disk-reserve-bytes',
      '1B',
      'disk-reserve-bytes: got 1 [--disk-reserve-bytes]; allowed: bytes from 16777216 to 70368744177664, or a size such as 256MiB',
    ],
    ['host', 'a b', 'host: got "a b" [--host]; allowed: a host name or an IP address'],
    [
      'key-file',
      './data/keys',
      'key-file: inside the data directory, so a copy of the directory would carry its keys [--key-file]; allowed: a path outside data-dir',
    ],
  ])('--%s %s', (name, value, line) => {
    expect(problemsOf({ [name]: value })).toEqual([line]);
  });

  test('all problems of all sources are told at once', () => {
    const path = file('bad.yaml', '# comment\nthread: 2\nframing: len9\ntcp-port: "80"\n');
    expect(problemsOf({ config: path, shards: '5' }, { HOLDFAST_DEMO: 'perhaps', HOLDFAST_TCP_PROT: '1' })).toEqual([
      `unknown key "thread" (did you mean threads?) [${path}:2]`,
      `framing: got "len9" [${path}:3]; allowed: one of len2, len4, ascii4, hex4, bcd2`,
      `tcp-port: got "80" [${path}:4]; allowed: an integer from 0 to 65535 (0: any free port)`,
      'demo: got "perhaps" [HOLDFAST_DEMO]; allowed: true or false',
      'unknown environment variable (did you mean HOLDFAST_TCP_PORT?) [HOLDFAST_TCP_PROT]',
      'shards: got 5 [--shards]; allowed: a power of two from 1 to 256',
    ]);
  });

  test('settings, every link and every program with all that is wrong with them, are told at once', () => {
    const links = file(
      'all.yaml',
      [
        '- { name: a, port: 8583, framing: len9 }',
        '- { name: a, port: 9001, tls: { cert-file: none.pem, key-file: none.key } }',
        '- { name: b, port: 9002, tls: { cert-file: none.pem, key-file: none.key } }',
        '- { name: c, port: 9003, tls: { cert-file: none.pem, key-file: none.key } }',
        '- { name: d, port: 9002, constructor: 1 }',
      ].join('\n'),
    );
    const programs = file(
      'all-programs.yaml',
      [
        '- { id: gold, currency: BRL, bins: ["999999"], tables: { pin: { tries: 99 } }, controls: { per_transaction: 0.5 } }',
        '- { id: gold, currency: XXQ, bins: ["999999"], tables: { fuel: { amount: -1 } } }',
        '- { id: silver, currency: BRL, bins: [] , controls: { mcc: { deny: [petrol] } } }',
        '- { id: silver, currency: BRL, bins: ["999998"] }',
        '- { id: first, currency: BRL, bins: ["999997"] }',
        '- { id: second, currency: BRL, bins: ["999996", "99999700"] }',
      ].join('\n'),
    );
    expect(
      problemsOf({ shards: '5', links, programs }).map((line) => line.replace(/;.*/, '').replace(/: ENOENT.*/, '')),
    ).toEqual([
      'shards: got 5 [--shards]',
      `link framing: got "len9" [${links}:1]`,
      `link "a": name used twice [${links}:2]`,
      expect.stringMatching(/^link: unknown key "constructor".* \[.*:5\]$/),
      expect.stringContaining('TLS of b: cannot read none.pem'),
      expect.stringContaining('TLS of c: cannot read none.pem'),
      expect.stringContaining(`program /0/tables/pin/tries: must be an integer from 1 to 15 [${programs}:1]`),
      expect.stringContaining(`program /0/controls/per_transaction: must be an integer`),
      expect.stringContaining(`program "gold": id used twice [${programs}:2]`),
      expect.stringContaining('program /1/currency: '),
      expect.stringContaining(`program /1/tables/fuel/amount: must be an integer`),
      expect.stringContaining('program /2/bins: '),
      expect.stringContaining('program /2/controls/mcc/deny/0: there is no category group of this name'),
      expect.stringContaining(`program "silver": id used twice [${programs}:4]`),
      `program /5/bins/1: shares card numbers with program first, which is live as well [${programs}:6]`,
    ]);
  });

  test('what an orchestrator puts into the environment of a service named holdfast is no problem', () => {
    const environment = {
      HOLDFAST_PORT: 'tcp://10.0.0.1:8583',
      HOLDFAST_SERVICE_HOST: '10.0.0.1',
      HOLDFAST_SERVICE_PORT_ISO8583: '8583',
      HOLDFAST_PORT_8583_TCP_ADDR: '10.0.0.1',
    };
    expect(problemsOf({}, environment)).toEqual([]);
    expect(problemsOf({}, { HOLDFAST_WEB_PORT: '1' })).toEqual([
      'unknown environment variable (did you mean HOLDFAST_WS_PORT?) [HOLDFAST_WEB_PORT]',
    ]);
  });

  test('planted faults are known by name, a misspelt one is not', () => {
    expect(problemsOf({}, { HOLDFAST_FAULT_KILL: 'append-release:3', HOLDFAST_FAULT_NO_SYNC: '1' })).toEqual([]);
    expect(problemsOf({}, { HOLDFAST_FAULT_KIL: 'append-release:3' })).toEqual([
      'unknown environment variable (did you mean HOLDFAST_FAULT_KILL?) [HOLDFAST_FAULT_KIL]',
    ]);
  });

  test('files that cannot be read, parsed or understood', () => {
    expect(problemsOf({ config: join(folder, 'none.yaml') })).toEqual([
      `file cannot be read: ENOENT [${join(folder, 'none.yaml')}]; allowed: a readable file`,
    ]);
    const broken = file('broken.yaml', 'a: [1\n');
    expect(problemsOf({ config: broken })[0]).toMatch(/^not YAML or JSON: .*broken\.yaml:/);
    const list = file('list.yaml', '- 1\n');
    expect(problemsOf({ config: list })).toEqual([
      `not a mapping of settings [${list}]; allowed: lines of \`key: value\``,
    ]);
    const twice = file('twice.yaml', 'tcp_port: 1\ntcp-port: 2\n');
    expect(problemsOf({ config: twice })).toEqual([`tcp-port: written twice [${twice}:2]; allowed: one spelling`]);
  });

  test('aliases without an anchor, or too many, and keys that are no texts', () => {
    expect(problemsOf({ config: file('alias.yaml', 'host: *nowhere\n') })[0]).toMatch(/^not YAML or JSON: .*alias/i);
    const bomb = [
      'a: &a [x]',
      ...[...'bcdefgh'].map((name, i) => `${name}: &${name} [${`*${'abcdefg'[i]},`.repeat(9)}]`),
    ];
    expect(problemsOf({ config: file('bomb.yaml', `${bomb.join('\n')}\n`) })[0]).toMatch(/^not YAML or JSON: .*alias/i);
    expect(problemsOf({ config: file('key.yaml', '[1]: 5\n') })[0]).toMatch(/^not YAML or JSON: .*key\.yaml:1/);
  });

  test('a number as long as a card number is not repeated', () => {
    const path = file('number.yaml', 'host: [9999991234567893]\nx9999991234567893: 1\n');
    const text = problemsOf({ config: path }).join('\n');
    expect(text).toContain('999999******7893');
    expect(text).not.toContain('9999991234567893');
  });

  test('ports that clash', () => {
    expect(problemsOf({ 'ws-port': '8583' })).toEqual([
      'link ws: port 8583 is that of tcp [--ws-port]; allowed: a port of its own',
    ]);
    expect(problemsOf({ 'tcp-port': '8580' })).toEqual([
      'link tcp: port 8580 is that of admin-port [--tcp-port]; allowed: a port of its own',
    ]);
    expect(problemsOf({ 'tcp-port': '0', 'ws-port': '0', 'admin-port': '0' })).toEqual([]);
  });
});

describe('link file', () => {
  const links = (text: string, flags: Record<string, string> = {}) =>
    load({ links: file('links.yaml', text), ...flags });

  test('adds listeners that inherit from the flags, after the standard ones', () => {
    const text = `
links:
  - name: acquirer-a
    port: 9001
    framing: ascii4
    dialect: iso87-ascii
    sign-on-required: true
    sign_off: never
    in-flight-max: 64
    rate-max: 500
    connections_max: 4
    allow: [192.0.2.0/24, "2001:db8::1"]
    idle_ms: 60000
  - { name: partner, transport: ws, port: 0 }
`;
    const { config } = links(text, { 'header-bytes': '5', host: '127.0.0.9' });
    expect(config.links.map(({ name }) => name)).toEqual(['tcp', 'ws', 'acquirer-a', 'partner']);
    expect(config.links[2]).toEqual({
      name: 'acquirer-a',
      transport: 'tcp',
      host: '127.0.0.9',
      port: 9001,
      framing: 'ascii4',
      headerBytes: 5,
      dialect: 'iso87-ascii',
      signOnRequired: true,
      signOff: 'never',
      inFlightMax: 64,
      rateMax: 500,
      connectionsMax: 4,
      allow: ['192.0.2.0/24', '2001:db8::1'],
      deadlineMs: 1500,
      idleMs: 60000,
      frameMs: 10000,
      number: 3,
      portSetting: 'the port of link acquirer-a in the link file',
    });
    expect(config.links[3]).toMatchObject({ signOnRequired: false, signOff: 'auto' });
  });

  test('the files of TLS are opened before anything listens', () => {
    const text = `- { name: a, port: 1, tls: { cert-file: ${folder}/none.pem, keyFile: b.key, client_ca_file: c.pem } }`;
    expect(() => links(text)).toThrow(/TLS of a: cannot read .*none\.pem: ENOENT .*allowed: name readable PEM files/);
  });

  test('a link named tcp takes the place of the standard listener', () => {
    const { config } = links('- { name: tcp, port: 9999, framing: hex4 }\n');
    expect(config.links.map(({ name, port }) => [name, port])).toEqual([
      ['tcp', 9999],
      ['ws', 8582],
    ]);
  });

  test.each([
    ['- { name: a }', 'link: port is missing', 'an integer from 0 to 65535'],
    ['- { name: A!, port: 1 }', 'link name: got "A!"', '1 to 32 of a-z 0-9 _ -'],
    ['- { name: a, port: 1, farming: len2 }', 'link: unknown key "farming" (did you mean framing?)', ''],
    [
      '- { name: a, port: 1, allow: [300.1.1.1] }',
      'link allow: got ["300.1.1.1"]',
      'a list of IP addresses and CIDR blocks',
    ],
    [
      '- { name: a, port: 1, allow: [10.0.0.0/33] }',
      'link allow: got ["10.0.0.0/33"]',
      'a list of IP addresses and CIDR blocks',
    ],
    [
      '- { name: a, port: 1, tls: { cert-file: x } }',
      'link tls: got {"cert-file":"x"}',
      'cert-file, key-file and optionally client-ca-file (PEM)',
    ],
    ['- { name: a, port: 1, sign-off: on }', 'link sign-off: got "on"', 'one of auto, always, never'],
    ['- { name: a, port: 1 }\n- { name: a, port: 2 }', 'link "a": name used twice', 'unique names'],
    ['- { name: a, port: 8583 }', 'link a: port 8583 is that of tcp', 'a port of its own'],
    ['- 7', 'link: not a mapping', 'keys name, transport'],
    ['link: []', 'links: not a list', 'a list of at most 64 links'],
    ['links: []\nmore: 1', 'unknown key "more"', ''],
  ])('%s', (text, what, allowed) => {
    const problems = (() => {
      try {
        links(text);
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    })();
    expect(problems).toContain(what);
    expect(problems).toMatch(/links\.yaml/);
    if (allowed !== '') expect(problems).toContain(`allowed: ${allowed}`);
  });
});

describe('config command', () => {
  test('print shows values and sources', async () => {
    const { status, out } = await say(['config', 'print', '--tcp-port', '0', '--json'], { HOLDFAST_THREADS: '3' });
    expect(status).toBe(0);
    const { settings } = JSON.parse(out);
    expect(settings['tcp-port']).toEqual({ value: 0, source: 'flag', where: '--tcp-port' });
    expect(settings.threads).toEqual({ value: 3, source: 'environment', where: 'HOLDFAST_THREADS' });
    expect(settings.shards).toEqual({ value: 16, source: 'default', where: 'default' });
    const text = (await say(['config', 'print'])).out;
    for (const name of settingNames) expect(text).toMatch(new RegExp(`^${name} `, 'm'));
  });

  test('check exits 64 with one line per problem', async () => {
    expect(await say(['config', 'check'])).toMatchObject({ status: 0, out: 'config ok links=2 programs=0\n', err: '' });
    const bad = await say(['config', 'check', '--shards', '3', '--framing', 'x']);
    expect(bad.status).toBe(64);
    expect(bad.err.trim().split('\n')).toHaveLength(2);
  });

  test('schema is a JSON Schema that names every setting with its default', async () => {
    const { out } = await say(['config', 'schema']);
    const schema = JSON.parse(out);
    expect(schema.additionalProperties).toBe(false);
    expect(Object.keys(schema.properties)).toEqual(settingNames);
    expect(schema.properties['tcp-port']).toMatchObject({
      type: 'integer',
      minimum: 0,
      maximum: 65_535,
      default: 8583,
    });
    expect(fileSchema.safeParse({ 'tcp-port': 1, demo: true }).success).toBe(true);
  });

  test('--no-demo undoes --demo', async () => {
    const { out } = await say(['config', 'print', '--demo', '--no-demo', '--json'], { HOLDFAST_DEMO: 'true' });
    expect(JSON.parse(out).settings.demo).toEqual({ value: false, source: 'flag', where: '--no-demo' });
  });
});
