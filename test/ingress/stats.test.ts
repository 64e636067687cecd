import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { errorKinds, shedCauses } from '#src/ingress/stats.js';

const page = readFileSync(new URL('../../docs/reference/metrics.md', import.meta.url), 'utf8');

/** First cells of the table whose head begins with this cell. */
function documented(head: string): string[] {
  const table = new RegExp(`^\\| ${head} \\|.*\\n\\|[-|]+\\|\\n((?:\\|.*\\n)+)`, 'm').exec(page)![1]!;
  return [...table.matchAll(/^\| (\w+) \|/gm)].map((match) => match[1]!);
}

describe('the metrics page', () => {
  it('names every cause of a refusal and every kind of error, in their order', () => {
    // The shards refuse for causes of their own, which stand behind those of the listeners.
    expect(documented('cause')).toEqual([
      ...shedCauses,
      'queue_deadline',
      'index_full',
      'index_rebuilding',
      'unknown_advice',
      'parking_full',
    ]);
    expect(documented('kind')).toEqual([...errorKinds]);
  });
});
