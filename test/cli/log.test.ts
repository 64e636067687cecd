import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createLog, type LogFormat } from '#src/log.js';
import { maskPans } from '#src/pan-mask.js';
import { issuePan } from '#src/vault/pan.js';

const pan = '9999990000000014';
const masked = '999999******0014';

function logged(write: (log: ReturnType<typeof createLog>) => void, format: LogFormat = 'json'): string {
  let text = '';
  const sink = {
    write: (line: string) => {
      text += line;
    },
  };
  write(createLog({ level: 'trace', format, sink }));
  return text;
}

describe('log', () => {
  test('JSON lines with ISO time', () => {
    const line = JSON.parse(logged((log) => log.info({ shard: 3, waitedMs: 12 }, 'hello')));
    expect(line).toMatchObject({ level: 30, name: 'holdfast', shard: 3, waitedMs: 12, msg: 'hello' });
    expect(line.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  test('levels', () => {
    const lines: string[] = [];
    const log = createLog({ level: 'warn', format: 'json', sink: { write: (line) => lines.push(line) } });
    log.info('quiet');
    expect(lines).toEqual([]);
    log.warn('loud');
    expect(lines).toHaveLength(1);
  });

  test.each<[string, (log: ReturnType<typeof createLog>) => void]>([
    ['message', (log) => log.info(`card ${pan} seen`)],
    ['format argument', (log) => log.info('card %s seen', pan)],
    ['number', (log) => log.info({ card: Number(pan) }, 'seen')],
    ['nested', (log) => log.info({ a: [{ b: `x${pan}y` }] }, 'seen')],
    ['key', (log) => log.info({ [pan]: 1 }, 'seen')],
    ['error and stack', (log) => log.error(new Error(`bad ${pan}`))],
    ['cause', (log) => log.error(new Error('bad', { cause: new Error(pan) }))],
    ['binding', (log) => log.child({ card: pan }).info('seen')],
    ['grouped', (log) => log.info('9999 9900 0000 0014')],
    ['track 2', (log) => log.info(`;${pan}=35121010000000000000?`)],
  ])('no card number leaves in a %s, and the line stays JSON', (_where, write) => {
    for (const format of ['json', 'pretty'] as const) {
      const text = logged(write, format);
      expect(text.replaceAll(' ', '')).not.toContain(pan);
      expect(text.replaceAll(' ', '')).toContain(masked);
    }
    expect(() => JSON.parse(logged(write))).not.toThrow();
  });

  test('what is no card number stays: times, counts, long runs, wrong check digits', () => {
    const values = { atMs: 1_763_864_703_123, count: 9_999_990_000_000_018, hex: 'a'.repeat(64), run: '9'.repeat(30) };
    const line = JSON.parse(logged((log) => log.info(values, 'same')));
    expect(line).toMatchObject(values);
    for (let ms = 1_763_864_703_000; ms < 1_763_864_703_100; ms++) {
      expect(JSON.parse(logged((log) => log.info({ ms }, 'x'))).ms).toBe(ms);
    }
  });

  test('every issued number of every length is masked wherever it stands', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 13, max: 19 }),
        fc.stringMatching(/^[a-z :=/]{0,8}$/),
        fc.stringMatching(/^[a-z :=/]{0,8}$/),
        (length, before, after) => {
          const number = issuePan('999999', length);
          const text = maskPans(`${before}${number}${after}`);
          expect(text).toBe(`${before}${number.slice(0, 6)}${'*'.repeat(length - 10)}${number.slice(-4)}${after}`);
        },
      ),
    );
  });
});
