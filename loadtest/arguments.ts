/** Flags of the load test (contract of the command line): parsed once, checked whole, errors end with 104. */
import { parseArgs } from 'node:util';
import { HoldfastError } from '#src/errors.js';
import { type DialectName, dialectNames } from '#src/iso8583/dialects.js';
import { type FramingName, framingNames } from '#src/iso8583/framing.js';
import { DEMO_CARDS, OWN_CARDS_MAX } from './cards.js';
import { chipKeyOf } from './chip.js';
import { type Kind, kinds, type Mix } from './kinds.js';
import { checkedMix, noScenario, placeOfFlag, readScenario, type Scenario, type ScenarioFlag } from './scenario.js';
import { type Arrival, type Stage, totalUs } from './schedule.js';
import { parseThreshold, type Threshold } from './thresholds.js';
import { FlagError, parseCount, parseDuration, parseRange, parseScaled } from './units.js';

export interface Target {
  readonly text: string;
  readonly transport: 'tcp' | 'tls' | 'ws';
  readonly host: string;
  readonly port: number;
  /** Path and query of a WebSocket target. */
  readonly path: string;
}

export interface Options {
  readonly target: Target;
  readonly mode: 'open' | 'closed';
  /** Open loop: the measured stages, without the warm-up. */
  readonly stages: readonly Stage[];
  readonly arrival: Arrival;
  /** Measured requests at most; Infinity without -n. */
  readonly requests: number;
  /** Measured time at most, us; Infinity with -n alone. */
  readonly durationUs: number;
  readonly warmupUs: number;
  readonly connections: number;
  readonly workers: number;
  /** Most requests in flight per connection. */
  readonly inFlight: number;
  readonly seed: number;
  readonly mix: Mix;
  readonly accounts: number;
  readonly cards: 'own' | 'demo';
  readonly distribution: 'uniform' | 'zipfian';
  readonly amount: { readonly low: number; readonly high: number };
  /** Of a run with chip data; the key is the first one for cryptograms of the file. */
  readonly chip: { readonly percent: number; readonly keyFile: string; readonly key: string } | undefined;
  readonly dialect: DialectName;
  readonly framing: FramingName;
  readonly headerBytes: number;
  readonly timeoutMs: number;
  readonly pace: 'auto' | 'nap' | 'spin';
  readonly thresholds: readonly Threshold[];
  readonly findMax: boolean;
  readonly verify: boolean;
  readonly echo: boolean;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly hgrm: string | undefined;
  readonly report: string | undefined;
  readonly admin: string;
  readonly tokenFile: string;
  readonly caFile: string | undefined;
  readonly insecure: boolean;
}

/** Open-loop bound of one connection: what a slot table holds (slots.ts). At 50k/s over 4 connections it is 1.3 s of silence. */
export const IN_FLIGHT_MAX = 16_384;
const CONNECTIONS_MAX = 1000;
const WORKERS_MAX = 64;

export const helpText = `holdfast loadtest: open-loop and closed-loop load on an ISO 8583 authorization engine

usage: holdfast loadtest <target> [flags]
       npm run loadtest -- <target> [flags]
       holdfast loadtest compare <before.json> <after.json> [--json]    two results of --json side by side

targets
  iso8583+tcp://host:port      TCP, framing and dialect by the flags below
  iso8583+tls://host:port      the same over TLS
  ws://host:port/iso8583       WebSocket, one binary message each

load
      --scenario FILE          JSON with stages, mixes, rates and any other flag of a run; flags of the command line go before it
  -R, --rate N                 open loop: N messages per second (50k works), whatever the server does (default 1k)
      --arrival KIND           constant (default) or poisson
      --stages LIST            steps of the open loop, e.g. 10s:10k,60s:80k
      --closed                 closed loop: each connection keeps -p messages in flight
  -p, --in-flight N            in flight per connection: closed loop's window (default 1), open loop's bound (default ${IN_FLIGHT_MAX})
  -c, --connections N          connections (default 4)
  -w, --workers N              generator threads (default 1)
  -d, --duration TIME          measured time (default 10s)
  -n, --requests N             measured messages, instead of or besides -d
      --warmup TIME            sent before the measured time, not counted (default 0s)
      --timeout TIME           an answer later than this is a timeout (default 5s)
      --find-max               step the rate up from -R until a threshold breaks, then narrow it down; -d is the length of a step
      --pace KIND              between sends: nap (gives the CPU back for up to 0.3 ms), spin, or auto (default)

workload
      --mix LIST               weights (default auth:91,reversal:7,repeat:2); kinds: ${kinds.join(', ')}
      --accounts N             accounts, one card each (default 1000)
      --distribution KIND      uniform (default) or zipfian (0.99)
      --amount RANGE           minor units, e.g. 100-10000 (default)
      --chip PERCENT           share of the auths with chip data (DE55), whose cryptograms the engine verifies and answers; needs --chip-keys,
                               iso87-bcd, and a --seed whose cards no run has used
      --chip-keys FILE         keys that the engine was started with (--hsm-keys): its first key for cryptograms (E0) is the issuer's
      --seed N                 same seed, same accounts, cards, kinds and amounts (default 1)
      --cards SOURCE           own (default: created through the admin API) or demo (the engine's demo program)

wire
      --dialect NAME           ${dialectNames.join(', ')} (default iso87-bcd)
      --framing NAME           ${framingNames.join(', ')} (default len2)
      --header-bytes N         fixed header after the length, sent as zeros (default 0)
      --cacert FILE            trusts this CA (TLS)
      --insecure               does not check the server's certificate (TLS)
      --echo                   the peer is a bare echo server: any answer with the same bytes is fine, no cards are needed

proof and output
      --threshold EXPR         repeatable: 'auth_latency:p(99)<5ms', 'errors:count==0', 'dropped:rate<0.001', 'achieved:rate>=0.99'
      --verify                 compares money and answers with the server after the run; a difference voids the result
      --json                   the result as JSON on stdout (the live line stays on stderr)
      --hgrm FILE              percentile spectrum of the response time
      --report FILE            one HTML file with the percentile curve, needs no network
      --quiet                  no live line
      --admin URL              admin API (default http://127.0.0.1:8580)
      --token-file FILE        bearer token of the admin API (default ./data/admin.token)
      --help

exit status: 0 pass, 2 errors or failed verification, 99 a threshold failed, 104 bad flags, 105 interrupted (summary still printed)

examples
  holdfast loadtest iso8583+tcp://127.0.0.1:8583 -R 10k -d 30s --warmup 5s --verify --threshold 'auth_latency:p(99)<5ms'
  holdfast loadtest ws://127.0.0.1:8582/iso8583 --closed -p 32 -c 8 -d 10s --cards demo
  holdfast loadtest iso8583+tcp://127.0.0.1:8583 --find-max -R 5k -d 10s --threshold 'auth_latency:p(99)<10ms'
`;

const flagSpecs = {
  scenario: { type: 'string' },
  rate: { type: 'string', short: 'R' },
  arrival: { type: 'string' },
  stages: { type: 'string' },
  closed: { type: 'boolean' },
  'in-flight': { type: 'string', short: 'p' },
  connections: { type: 'string', short: 'c' },
  workers: { type: 'string', short: 'w' },
  duration: { type: 'string', short: 'd' },
  requests: { type: 'string', short: 'n' },
  warmup: { type: 'string' },
  timeout: { type: 'string' },
  'find-max': { type: 'boolean' },
  pace: { type: 'string' },
  mix: { type: 'string' },
  accounts: { type: 'string' },
  distribution: { type: 'string' },
  amount: { type: 'string' },
  chip: { type: 'string' },
  'chip-keys': { type: 'string' },
  seed: { type: 'string' },
  cards: { type: 'string' },
  dialect: { type: 'string', default: 'iso87-bcd' },
  framing: { type: 'string', default: 'len2' },
  'header-bytes': { type: 'string', default: '0' },
  cacert: { type: 'string' },
  insecure: { type: 'boolean', default: false },
  echo: { type: 'boolean', default: false },
  threshold: { type: 'string', multiple: true },
  verify: { type: 'boolean' },
  json: { type: 'boolean', default: false },
  hgrm: { type: 'string' },
  report: { type: 'string' },
  quiet: { type: 'boolean', default: false },
  admin: { type: 'string', default: 'http://127.0.0.1:8580' },
  'token-file': { type: 'string', default: './data/admin.token' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** Of what neither a flag nor a scenario says. */
const defaults = {
  arrival: 'constant',
  connections: '4',
  workers: '1',
  warmup: '0s',
  timeout: '5s',
  pace: 'auto',
  mix: 'auth:91,reversal:7,repeat:2',
  accounts: '1000',
  distribution: 'uniform',
  amount: '100-10000',
  seed: '1',
  cards: 'own',
} as const;

function parseFlags(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: flagSpecs, allowPositionals: true, strict: true });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const unknown = /'(--?[^'\s]+)/.exec(text)?.[1];
    const code = (error as { code?: string }).code;
    if (code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION' || !unknown) throw new FlagError(text.split('. ')[0]!);
    const near = nearest(unknown.replace(/^-+/, ''), Object.keys(flagSpecs));
    throw new FlagError(`unknown flag ${unknown}${near ? `; did you mean --${near}?` : '; --help lists the flags'}`);
  }
}

/** The known name with the smallest edit distance, when it is at most 3. */
function nearest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = 4;
  for (const candidate of known) {
    const row = Array.from({ length: candidate.length + 1 }, (_, i) => i);
    for (let i = 1; i <= name.length; i++) {
      let diagonal = row[0]!;
      row[0] = i;
      for (let j = 1; j <= candidate.length; j++) {
        const cost = Math.min(row[j]! + 1, row[j - 1]! + 1, diagonal + (name[i - 1] === candidate[j - 1] ? 0 : 1));
        diagonal = row[j]!;
        row[j] = cost;
      }
    }
    const distance = row[candidate.length]!;
    if (distance < bestDistance && distance < candidate.length) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function oneOf<T extends string>(flag: string, text: string, allowed: readonly T[]): T {
  const found = allowed.find((name) => name === text);
  if (found === undefined) throw new FlagError(`${flag}: '${text}' is not one of ${allowed.join(', ')}`);
  return found;
}

/** `iso8583+tcp://host:port`, `iso8583+tls://host:port`, `ws://host:port/path`. */
export function parseTarget(text: string): Target {
  const bad = () =>
    new FlagError(`target '${text}': write iso8583+tcp://host:port, iso8583+tls://host:port or ws://host:port/iso8583`);
  const match = /^(iso8583\+tcp|iso8583\+tls|ws):\/\/(\[[0-9a-fA-F:.]+\]|[^/:?#]+):(\d{1,5})(\/[^#]*)?$/.exec(text);
  if (!match) throw bad();
  const port = Number(match[3]);
  if (port < 1 || port > 65_535) throw bad();
  const transport = match[1] === 'ws' ? 'ws' : match[1] === 'iso8583+tls' ? 'tls' : 'tcp';
  if (transport !== 'ws' && match[4] !== undefined && match[4] !== '/') throw bad();
  return { text, transport, host: match[2]!.replace(/^\[|\]$/g, ''), port, path: match[4] ?? '/iso8583' };
}

/** `auth:85,reversal:7` as weights by kind number. */
export function parseMix(text: string): Mix {
  const weights = kinds.map(() => 0);
  for (const part of text.split(',')) {
    const match = /^\s*([a-z]+)\s*:\s*(\d+(?:\.\d+)?)\s*$/.exec(part);
    const kind = kinds.indexOf(match?.[1] as Kind);
    if (!match || kind < 0) {
      throw new FlagError(`--mix: '${part}' is not kind:weight; kinds are ${kinds.join(', ')}`);
    }
    weights[kind] = Number(match[2]);
  }
  return checkedMix(weights, `--mix '${text}'`);
}

function parseStages(text: string): Stage[] {
  return text.split(',').map((part) => {
    const [time, rate, rest] = part.split(':');
    if (!time || !rate || rest !== undefined) {
      throw new FlagError(`--stages: '${part}' is not time:rate; write for example 10s:10k,60s:80k`);
    }
    return {
      durationUs: positive('--stages', parseDuration('--stages', time)) * 1000,
      rate: positive('--stages', parseScaled('--stages', rate)),
    };
  });
}

function positive(flag: string, value: number): number {
  if (!(value > 0)) throw new FlagError(`${flag}: must be above 0`);
  return value;
}

type Given = ReturnType<typeof parseFlags>['values'];

/** Flags that say how much is sent when: given on the command line, they replace all of them in a scenario. */
const loadFlags = ['rate', 'closed', 'find-max'] as const satisfies readonly ScenarioFlag[];

/** The flags of a run: of the command line, else of its scenario, else the defaults. */
class Sources {
  readonly given: Given;
  readonly scenario: Scenario;
  /** Stages of a list or a scenario. */
  readonly stages: readonly Stage[] | undefined;

  constructor(given: Given) {
    this.given = given;
    const read = given.scenario === undefined ? noScenario : readScenario(given.scenario);
    const own = given.stages !== undefined || loadFlags.some((flag) => given[flag] !== undefined);
    const flags = own
      ? Object.fromEntries(Object.entries(read.flags).filter(([flag]) => !isLoadFlag(flag)))
      : read.flags;
    this.scenario = { ...read, flags };
    this.stages = given.stages === undefined ? (own ? undefined : read.stages) : parseStages(given.stages);
  }

  /** The value as it was typed, or stands in the scenario. */
  text(flag: Exclude<ScenarioFlag, 'closed' | 'find-max' | 'verify' | 'threshold'>): string | undefined {
    return this.given[flag] ?? (this.scenario.flags[flag] as string | undefined);
  }

  /** The same, or the default. */
  value(flag: keyof typeof defaults): string {
    if (flag === 'mix') return this.given.mix ?? defaults.mix;
    return this.text(flag) ?? defaults[flag];
  }

  is(flag: 'closed' | 'find-max' | 'verify'): boolean {
    return this.given[flag] ?? (this.scenario.flags[flag] as boolean | undefined) ?? false;
  }

  /** What a message calls the flag: as it is typed, or its place in the scenario. */
  name(flag: ScenarioFlag): string {
    const ofScenario = this.given[flag] === undefined && this.scenario.flags[flag] !== undefined;
    return ofScenario ? placeOfFlag(this.scenario, flag) : `--${flag}`;
  }

  get mix(): Mix {
    return this.given.mix === undefined && this.scenario.mix !== undefined
      ? this.scenario.mix
      : parseMix(this.value('mix'));
  }

  get thresholds(): Threshold[] {
    const texts = this.given.threshold ?? (this.scenario.flags.threshold as readonly string[] | undefined) ?? [];
    const name = this.name('threshold');
    return texts.map((text, i) => {
      try {
        return parseThreshold(text);
      } catch (error) {
        if (!(error instanceof FlagError) || name === '--threshold') throw error;
        throw new FlagError(`${name}/${i}: ${error.message.replace(/^--threshold /, '')}`);
      }
    });
  }
}

const isLoadFlag = (flag: string): boolean => (loadFlags as readonly string[]).includes(flag);

/** Parses the command line. Returns 'help' when it asks for the help text; throws FlagError otherwise. */
export function parseOptions(argv: readonly string[]): Options | 'help' {
  const { values, positionals } = parseFlags(argv);
  if (values.help) return 'help';
  const words = positionals[0] === 'run' ? positionals.slice(1) : positionals;
  if (words.length !== 1) {
    throw new FlagError(
      words.length === 0
        ? 'no target given; for example iso8583+tcp://127.0.0.1:8583'
        : `one target, not ${words.length}: ${words.join(' ')}`,
    );
  }
  const target = parseTarget(words[0]!);
  const sources = new Sources(values);
  const load = loadOf(sources);
  const count = (flag: 'connections' | 'workers' | 'seed' | 'accounts', least: number, most: number) =>
    parseCount(sources.name(flag), sources.value(flag), least, most);
  const connections = count('connections', 1, CONNECTIONS_MAX);
  const workers = count('workers', 1, WORKERS_MAX);
  if (workers > connections) throw new FlagError(`--workers ${workers} needs at least as many --connections`);
  const cards = oneOf(sources.name('cards'), sources.value('cards'), ['own', 'demo']);
  const accounts = count('accounts', 1, cards === 'demo' ? DEMO_CARDS : OWN_CARDS_MAX);
  const inFlight = sources.text('in-flight') ?? (load.mode === 'closed' ? '1' : String(IN_FLIGHT_MAX));
  return {
    target,
    ...load,
    arrival: oneOf(sources.name('arrival'), sources.value('arrival'), ['constant', 'poisson']),
    warmupUs: parseDuration(sources.name('warmup'), sources.value('warmup')) * 1000,
    connections,
    workers,
    inFlight: parseCount(sources.name('in-flight'), inFlight, 1, IN_FLIGHT_MAX),
    seed: count('seed', 0, 2 ** 48),
    mix: sources.mix,
    accounts,
    cards,
    distribution: oneOf(sources.name('distribution'), sources.value('distribution'), ['uniform', 'zipfian']),
    amount: parseRange(sources.name('amount'), sources.value('amount'), 999_999_999),
    chip: chipOf(values, sources.text('chip'), {
      connections,
      accounts,
      isOwn: cards === 'own',
      findMax: load.findMax,
    }),
    dialect: oneOf('--dialect', values.dialect, dialectNames),
    framing: oneOf('--framing', values.framing, framingNames),
    headerBytes: parseCount('--header-bytes', values['header-bytes'], 0, 64),
    timeoutMs: positive(sources.name('timeout'), parseDuration(sources.name('timeout'), sources.value('timeout'))),
    pace: oneOf(sources.name('pace'), sources.value('pace'), ['auto', 'nap', 'spin']),
    thresholds: sources.thresholds,
    verify: sources.is('verify'),
    echo: values.echo,
    json: values.json,
    quiet: values.quiet,
    hgrm: values.hgrm,
    report: values.report,
    admin: adminUrl(values.admin),
    tokenFile: values['token-file'],
    caFile: values.cacert,
    insecure: values.insecure,
  };
}

type Load = Pick<Options, 'mode' | 'stages' | 'requests' | 'durationUs' | 'findMax'>;

/** How much is sent when. */
function loadOf(sources: Sources): Load {
  const closed = sources.is('closed');
  const findMax = sources.is('find-max');
  const [rate, duration, requestsText] = [sources.text('rate'), sources.text('duration'), sources.text('requests')];
  const isStaged = sources.stages !== undefined;
  if (closed && (rate !== undefined || isStaged)) {
    throw new FlagError('--closed has no --rate or --stages: its rate is what the server answers');
  }
  if (rate !== undefined && isStaged) throw new FlagError('give --rate or --stages, not both');
  if (isStaged && duration !== undefined) {
    throw new FlagError('--stages has its own times; leave --duration out');
  }
  if (findMax && (closed || isStaged)) {
    throw new FlagError('--find-max steps an open-loop --rate; leave --closed and --stages out');
  }
  const requests =
    requestsText === undefined ? Number.POSITIVE_INFINITY : parseCount(sources.name('requests'), requestsText, 1, 1e12);
  const durationUs =
    duration !== undefined
      ? positive(sources.name('duration'), parseDuration(sources.name('duration'), duration)) * 1000
      : requestsText === undefined
        ? 10_000_000
        : Number.POSITIVE_INFINITY;
  const perSecond = () => positive(sources.name('rate'), parseScaled(sources.name('rate'), rate ?? '1k'));
  const stages = sources.stages ?? [{ durationUs, rate: perSecond() }];
  return {
    mode: closed ? 'closed' : 'open',
    stages,
    requests,
    durationUs: isStaged ? totalUs(stages) : durationUs,
    findMax,
  };
}

/** Chip data: of cards of our own, each of whose messages go over one connection. */
function chipOf(
  values: ReturnType<typeof parseFlags>['values'],
  chip: string | undefined,
  run: { connections: number; accounts: number; isOwn: boolean; findMax: boolean },
): Options['chip'] {
  const { 'chip-keys': keyFile } = values;
  if (chip === undefined && keyFile === undefined) return undefined;
  if (chip === undefined || keyFile === undefined) throw new FlagError('--chip and --chip-keys belong together');
  const percent = parseCount('--chip', chip, 1, 100);
  if (values.echo || !run.isOwn) throw new FlagError('--chip: only cards of its own have chips');
  if (run.findMax) throw new FlagError('--chip: the counters of chips begin anew with each step of --find-max');
  if (values.dialect !== 'iso87-bcd') throw new FlagError('--chip: is sent in iso87-bcd only');
  if (run.connections > run.accounts) throw new FlagError('--chip: needs as many --accounts as --connections');
  try {
    const key = chipKeyOf(keyFile);
    if (key === undefined) throw new FlagError(`--chip-keys: ${keyFile} has no key for cryptograms (usage E0)`);
    return { percent, keyFile, key };
  } catch (error) {
    if (error instanceof HoldfastError) throw new FlagError(`--chip-keys: ${error.message}`);
    throw error;
  }
}

function adminUrl(text: string): string {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) {
    throw new FlagError(`--admin: '${text}' is not an http URL; write for example http://127.0.0.1:8580`);
  }
  return text.replace(/\/+$/, '');
}
