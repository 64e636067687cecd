import { expect, test } from 'vitest';
import { randomName } from '#src/control/random-name.js';
import { maskDigits, maskPans } from '#src/pan-mask.js';

test('a random name is never taken for a card number', () => {
  // One of some hundreds of unlucky digits would be.
  for (let i = 0; i < 100_000; i++) {
    const name = randomName();
    expect(name).toMatch(/^[0-9a-f]{20}$/);
    if (maskDigits(name) !== name || maskPans(name) !== name) expect.fail(name);
  }
});
