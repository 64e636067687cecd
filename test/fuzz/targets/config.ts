/**
 * Files that a start reads: settings, links, programs. Held against every input: a configuration, or `config_invalid` with a line for each
 * problem that says where it is; the place is a line of the file; no line repeats a number as long as a card number.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { loadConfig } from '#src/cli/config.js';
import { HoldfastError } from '#src/errors.js';
import type { Random } from '../../crash/random.js';
import { mutateJson } from '../json-mutator.js';
import { type FuzzTarget, must, type OpenTarget, utf8, type Verdict } from '../target.js';
import { repeats } from './issuer-json.js';

class FileTarget implements OpenTarget {
  readonly #folder = mkdtempSync(join(tmpdir(), 'holdfast-fuzz-config-'));
  readonly #flag: string;

  constructor(flag: string) {
    this.#flag = flag;
  }

  run(input: Uint8Array): Verdict {
    const path = join(this.#folder, 'file.yaml');
    writeFileSync(path, input);
    try {
      loadConfig({ flags: { [this.#flag]: path }, environment: {}, terminal: false });
      return 'accepted';
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      must(error.code === 'config_invalid', () => `${error.code}: ${error.message}`);
      const lines = Buffer.from(input)
        .toString('utf8')
        .split(/\r\n|\n|\r/).length;
      must(/\[.*\]/.test(error.message), () => `no place: ${error.message}`);
      const places = [...error.message.matchAll(/file\.yaml:(\d+)/g)].map(([, line]) => Number(line));
      must(
        places.every((line) => line >= 1 && line <= lines),
        () => `lines ${places} of ${lines}: ${error.message}`,
      );
      must(
        !repeats(error.message, Buffer.from(input).toString('utf8')),
        () => `a problem repeats its value: ${error.message}`,
      );
      return 'refused';
    }
  }

  async close(): Promise<void> {
    rmSync(this.#folder, { recursive: true });
  }
}

const settings = {
  'tcp-port': 9001,
  'ws-port': 9002,
  'admin-port': 0,
  host: '127.0.0.1',
  framing: 'ascii4',
  'header-bytes': 5,
  dialect: 'iso87-ascii',
  threads: 2,
  shards: 8,
  'data-dir': './data',
  'key-file': './keys',
  'deadline-ms': 900,
  'link-in-flight-max': 10,
  'disk-reserve-bytes': '1GiB',
  'duplicate-window-hours': 48,
  'log-level': 'warn',
  'log-format': 'json',
  demo: true,
};
const links = {
  links: [
    {
      ...{ name: 'acquirer-a', port: 9001, framing: 'ascii4', dialect: 'iso87-ascii', 'sign-on-required': true },
      ...{ allow: ['192.0.2.0/24', '2001:db8::/32'], 'idle-ms': 5000, 'connections-max': 3 },
    },
    { name: 'partner', transport: 'ws', port: 9002, 'sign-off': 'always' },
  ],
};
const programs = {
  programs: [
    {
      id: 'gold',
      currency: 'BRL',
      bins: ['99999801'],
      tables: { forbidden: ['11'] },
      controls: { per_transaction: 200_000 },
    },
    { id: 'travel', currency: 'USD', product: 'prepaid', bins: ['99999802'] },
  ],
};

/** Changes the values, or the text of the file with what means something in YAML. */
function mutate(random: Random, input: Uint8Array, other: Uint8Array, words: readonly string[]): Uint8Array {
  const text = Buffer.from(input).toString('utf8');
  const asJson = text.startsWith('{') || text.startsWith('[');
  if (!asJson || random.chance(0.2)) {
    const at = random.int(0, text.length);
    const put = random.pick([
      ': ',
      '- ',
      '\n',
      '\n  ',
      '&a ',
      '*a',
      '!!binary ',
      '#',
      '---\n',
      '? ',
      '| \n',
      "'",
      '"',
      '{',
      '[',
      '<<: *a',
      '\t',
      '%',
      '@',
    ]);
    return utf8(text.slice(0, at) + put + text.slice(at));
  }
  const changed = mutateJson(random, input, other, words);
  if (random.chance(0.7)) return changed;
  return utf8(stringify(JSON.parse(Buffer.from(changed).toString('utf8'))));
}

function target(name: string, flag: string, reads: string, focus: readonly string[], seed: object): FuzzTarget {
  const words = [
    '9001',
    'tcp',
    'ws',
    'iso87-bcd',
    'len2',
    '1GiB',
    '99999801',
    'name',
    'port',
    'tls',
    'cert-file',
    'allow',
    'id',
    'bins',
  ];
  return {
    ...{ name, reads, focus },
    inputsInCi: 800,
    bytesMax: 4000,
    work: { base: 60_000, perByte: 1000 },
    seeds: () => [utf8(JSON.stringify(seed)), utf8(stringify(seed)), utf8('{}')],
    words: () => words.map(utf8),
    mutate: (random, input, other) => mutate(random, input, other, words),
    open: () => new FileTarget(flag),
  };
}

export const targets: readonly FuzzTarget[] = [
  target('config-settings', 'config', 'the configuration file', ['cli/config', 'cli/settings'], settings),
  target('config-links', 'links', 'the link file', ['cli/config-file', 'cli/links', 'ingress/links'], links),
  target(
    'config-programs',
    'programs',
    'the file of programs',
    ['cli/config-file', 'cli/programs', 'control/program-file'],
    programs,
  ),
];
