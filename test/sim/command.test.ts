/** The simulator as people run it: compiled, in a process of its own. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { built } from '../support/built.js';

interface Ended {
  readonly status: number | null;
  readonly text: string;
}

function ended(...args: string[]): Ended {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return { status, text: stdout + stderr };
}

const simulate = (...args: string[]): Ended => ended(fileURLToPath(built('sim/test/sim/main.js')), ...args);

describe('npm run sim', { timeout: 180_000 }, () => {
  let help: Ended;
  // As npm does, which compiles it for what follows.
  beforeAll(() => {
    help = ended('scripts/run.mjs', 'sim', '--help');
  }, 180_000);

  test('of one seed ends with 0 and says what was done', () => {
    const { status, text } = simulate('--seed', '7', '--seconds', '20');
    expect(text).toMatch(/1 seeds, 0 failed: \d+ simulated seconds, \d+ messages/);
    expect(status).toBe(0);
  });

  test('with a planted bug ends with another code', () => {
    const { status, text } = simulate('--canary', '--seed', '7', '--seconds', '20');
    expect(text).toMatch(/^missing flush: caught at seed \d+/m);
    expect(text).not.toContain('NOT CAUGHT');
    expect(status).toBe(1);
  });

  test.each([[['7']], [['--sed', '7']], [['--seconds', 'x']], [['--canary', 'of no name']]])(
    'that is asked %j does nothing, says what is wrong and what there is, and ends with 64',
    (args) => {
      const { status, text } = simulate(...args);
      expect(text).toMatch(/^sim: .+\n\nnpm run sim -- \[flags\]:/);
      expect(status).toBe(64);
    },
  );

  test('says what it takes', () => {
    expect(help.text).toMatch(/^npm run sim -- \[flags\]:/);
    expect(help.text).toContain('--canary');
    expect(help.status).toBe(0);
  });
});
