/** Scenario files: what they say, what goes before them, and how their mistakes are named. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Options, parseOptions } from '../../loadtest/arguments.js';
import { scenarioMembers } from '../../loadtest/scenario.js';
import { fakeIssuer, folder, loadtest } from './harness.js';

const TARGET = 'iso8583+tcp://127.0.0.1:8583';
let files = 0;

function fileOf(scenario: unknown): string {
  const file = join(folder, `scenario-${files++}.json`);
  writeFileSync(file, typeof scenario === 'string' ? scenario : JSON.stringify(scenario));
  return file;
}

const parse = (scenario: unknown, ...flags: string[]) =>
  parseOptions([TARGET, '--scenario', fileOf(scenario), ...flags]) as Options;

const stages = [
  { duration: '10s', rate: '10k' },
  { duration: '500ms', rate: 80_000, mix: { reversal: 1 } },
];

describe('a scenario', () => {
  it('says what flags say', () => {
    const options = parse({
      description: 'all of it',
      stages,
      mix: { auth: 3, inquiry: 1 },
      arrival: 'poisson',
      connections: 8,
      workers: '2',
      in_flight: 64,
      warmup: '2s',
      timeout: '1s',
      pace: 'spin',
      accounts: '2k',
      distribution: 'zipfian',
      amount: '5-10',
      seed: 7,
      cards: 'own',
      thresholds: ['errors:count==0'],
      verify: true,
    });
    expect(options).toMatchObject({
      mode: 'open',
      stages: [
        { durationUs: 10_000_000, rate: 10_000 },
        { durationUs: 500_000, rate: 80_000, mix: [0, 0, 1, 0, 0, 0] },
      ],
      durationUs: 10_500_000,
      mix: [3, 0, 0, 0, 0, 1],
      arrival: 'poisson',
      ...{ connections: 8, workers: 2, inFlight: 64, warmupUs: 2_000_000, timeoutMs: 1000, pace: 'spin' },
      ...{ accounts: 2000, distribution: 'zipfian', amount: { low: 5, high: 10 }, seed: 7, cards: 'own', verify: true },
    });
    expect(options.thresholds.map(({ text }) => text)).toEqual(['errors:count==0']);
  });

  it('has the defaults of the flags for what it does not say', () => {
    expect(parse({})).toEqual(parseOptions([TARGET]));
    expect(parse({ closed: true, in_flight: 32, duration: '3s' })).toMatchObject({
      ...{ mode: 'closed', inFlight: 32, durationUs: 3_000_000 },
    });
  });

  it('comes behind the flags of the command line', () => {
    expect(parse({ stages, seed: 7, mix: { inquiry: 1 } }, '--seed', '8', '--mix', 'auth:1')).toMatchObject({
      ...{ seed: 8, mix: [1, 0, 0, 0, 0, 0] },
    });
    expect(parse({ stages }, '-R', '5').stages).toEqual([{ durationUs: 10_000_000, rate: 5 }]);
    expect(parse({ rate: 5 }, '--stages', '1s:7').stages).toEqual([{ durationUs: 1_000_000, rate: 7 }]);
    expect(parse({ stages }, '--closed').mode).toBe('closed');
    expect(parse({ thresholds: ['errors:count==0'] }, '--threshold', 'late:count==0').thresholds).toHaveLength(1);
  });

  it.each([
    ['[]', '#: must be an object'],
    ['{', 'is not JSON'],
    [{ stagse: [] }, '#/stagse: unknown; members are description, stages'],
    [{ 'a/b': 1 }, '#/a~1b: unknown'],
    [{ description: 1 }, '#/description: must be a text'],
    [{ stages: {} }, '#/stages: must be a list'],
    [{ stages: [] }, '#/stages: must be a list'],
    [{ stages: [1] }, '#/stages/0: must be an object'],
    [{ stages: [stages[0], { duration: '1s', rate: 'fast' }] }, "#/stages/1/rate: 'fast' is not a number"],
    [{ stages: [{ duration: '1s', rate: 0 }] }, '#/stages/0/rate: must be above 0'],
    [{ stages: [{ duration: '1s', rate: null }] }, '#/stages/0/rate: must be a number'],
    [{ stages: [{ duration: 'long', rate: 1 }] }, "#/stages/0/duration: 'long' is not a duration"],
    [{ stages: [{ duration: '0s', rate: 1 }] }, '#/stages/0/duration: must be above 0'],
    [{ stages: [{ rate: 1 }] }, '#/stages/0/duration: must be a text'],
    [{ stages: [{ duration: '1s', rate: 1, ramp: 2 }] }, '#/stages/0/ramp: unknown'],
    [{ stages: [{ duration: '1s', rate: 1, mix: { reversal: 1 } }] }, '#/stages/0/mix: has reversals'],
    [{ stages: [...stages, { ...stages[0], mix: { auth: 0 } }] }, '#/stages/2/mix: has no weight above 0'],
    [{ mix: { purchase: 1 } }, '#/mix/purchase: unknown; kinds are auth'],
    [{ mix: { auth: '5' } }, '#/mix/auth: must be a weight'],
    [{ mix: [] }, '#/mix: must be an object'],
    [{ seed: -1 }, '#/seed: must be a number'],
    [{ connections: 5000 }, "#/connections: '5000' must be a whole number from 1 to 1000"],
    [{ arrival: 'bursty' }, "#/arrival: 'bursty' is not one of"],
    [{ amount: '9-1' }, '#/amount'],
    [{ warmup: 5 }, '#/warmup: must be a text'],
    [{ verify: 'yes' }, '#/verify: must be true or false'],
    [{ thresholds: 'errors:count==0' }, '#/thresholds: must be a list'],
    [{ thresholds: ['errors:count==0', 'speed:max<1'] }, "#/thresholds/1: 'speed:max<1'"],
    [{ stages, rate: 5 }, 'give --rate or --stages'],
    [{ stages, closed: true }, '--closed has no --rate or --stages'],
  ] as [unknown, string][])('refuses %j', (scenario, message) => expect(() => parse(scenario)).toThrow(message));

  it('names a file that is not there or too long', () => {
    expect(() => parseOptions([TARGET, '--scenario', join(folder, 'none.json')])).toThrow('--scenario: ENOENT');
    expect(() => parse(' '.repeat(70_000))).toThrow('longer than 64 KiB');
  });

  it('sends each stage with its own mix and ends with 104 when it is wrong', async () => {
    const { fake, target } = await fakeIssuer();
    const scenario = {
      connections: 1,
      cards: 'demo',
      mix: { auth: 1 },
      stages: [
        { duration: '300ms', rate: 200 },
        { duration: '200ms', rate: 200, mix: { advice: 1 } },
        { duration: '100ms', rate: 200 },
      ],
    };
    const { json, status } = await loadtest(target, '--scenario', fileOf(scenario), '--json', '--quiet');
    expect(status).toBe(0);
    expect(json.by_kind.auth!.sent).toBe(80);
    expect(json.by_kind.advice!.sent).toBe(40);
    const types = fake.heard.map(({ fields }) => fields[0]);
    expect(types.slice(0, 60).every((mti) => mti === '0100')).toBe(true);
    expect(types.slice(60, 100).every((mti) => mti === '0120')).toBe(true);
    expect((await loadtest(target, '--scenario', fileOf({ mix: 1 }))).status).toBe(104);
  });
});

describe('the guide', () => {
  const guide = readFileSync(new URL('../../docs/guides/load-test.md', import.meta.url), 'utf8');

  it('shows a scenario that can be run', () => {
    const [, example] = /```json\n([\s\S]*?)```/.exec(guide)!;
    const options = parse(example);
    expect(options.stages).toHaveLength(4);
    expect(options.stages[2]!.mix).toEqual([50, 0, 50, 0, 0, 0]);
  });

  it('lists every member', () => {
    const section = guide.slice(guide.indexOf('## Scenario files'), guide.indexOf('## The traffic'));
    expect(scenarioMembers.filter((member) => !section.includes(`\`${member}\``))).toEqual([]);
  });
});
