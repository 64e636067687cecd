import { expect, test } from 'vitest';
import { systemError } from '#src/cli/terminal.js';

test('an error of the system is told by its code, a timeout by its message', async () => {
  const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
  expect(systemError('server_unreachable', 'no answer', refused, 'start it').message).toContain(
    'no answer: ECONNREFUSED',
  );
  const signal = AbortSignal.timeout(1);
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  const late = systemError('server_unreachable', 'no answer', signal.reason, 'start it').message;
  expect(late).toContain('no answer: The operation was aborted due to timeout');
});
