import { describe, expect, it } from 'vitest';
import { ShedLog } from '#src/ingress/shed-log.js';
import { Counters } from '#src/ingress/stats.js';
import { SHED_LOG_MS } from '#src/limits.js';

describe('log of what is shed', () => {
  it('says that it begins, then how many in each time, then that it is over', () => {
    const lines: string[] = [];
    const line = (fields: object, text: string): void => void lines.push(`${text} ${JSON.stringify(fields)}`);
    const counters = new Counters();
    const log = new ShedLog(counters, { debug: line, info: line, warn: line, error: line });
    let ms = 1;
    const look = (times: number, shed: () => void): void => {
      for (let n = 0; n < times; n++, ms += 100) {
        shed();
        log.look(ms * 1000);
      }
    };
    const ticks = SHED_LOG_MS / 100;
    look(50, () => undefined);
    expect(lines).toEqual([]);
    look(1, () => {
      counters.shed.rate += 3;
    });
    expect(lines).toEqual(['more requests come than are taken: some are answered 91 {"requests":{"rate":3}}']);
    look(ticks, () => {
      counters.shed.rate += 10;
      counters.shed.in_flight++;
      // No overload: each has a line of its own elsewhere.
      counters.shed.signed_off++;
    });
    expect(lines.slice(1)).toEqual([
      `more requests come than are taken: some are answered 91 {"requests":{"in_flight":${ticks},"rate":${ticks * 10}}}`,
    ]);
    look(3 * ticks, () => undefined);
    expect(lines.slice(2)).toEqual(['requests are not shed any more {}']);
    look(1, () => void counters.shed.ring_full++);
    expect(lines.slice(3)).toEqual([
      'more requests come than are taken: some are answered 91 {"requests":{"ring_full":1}}',
    ]);
  });
});
