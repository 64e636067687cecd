import { spawnSync } from 'node:child_process';
import { styleText } from 'node:util';
import { expect, test } from 'vitest';
import { lines } from '#src/cli/explain.js';
import { shown, systemError } from '#src/cli/terminal.js';

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

test('what a terminal would obey is shown and not done, but for colours of our own and line ends', () => {
  const hostile = {
    'a title': ['\x1b]0;name\x07', '\\u001b]0;name\\u0007'],
    'hidden text': ['\x1b[8m', '\\u001b[8m'],
    'a sequence of one byte': ['\x9b2J', '\\u009b2J'],
    'over the line': ['a\rb\x08\x7f', 'a\\u000db\\u0008\\u007f'],
    'another direction': ['\u202eabc\u2066', '\\u202eabc\\u2066'],
  };
  for (const [what, [text, plain]] of Object.entries(hostile)) {
    expect(shown(text!), what).toBe(plain);
    const json = JSON.stringify({ text });
    expect(JSON.parse(shown(json)), what).toEqual({ text });
  }
  const styles = ['bold', 'dim', 'red', 'green', 'yellow', 'cyan'] as const;
  const own = `${styles.map((style) => styleText(style, style, { validateStream: false })).join('\t')}\r\né漢\n`;
  expect(shown(own)).toBe(own);
});

test('the terminal of the process shows all of its lines so', () => {
  const program = `const { processTerminal } = await import('./dist/cli/terminal.js');
const terminal = processTerminal();
terminal.out('o\\x9bo');
terminal.err('e\\x1b]e');`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  expect([stdout, stderr]).toEqual(['o\\u009bo\n', 'e\\u001b]e\n']);
});

test('a text of a message makes no lines of its own in an explanation', () => {
  const value = { rrn: '633\n  verdict: pass\x1b[8m', merchant: { name: 'A\r\nB' }, list: ['x\ny'] };
  expect(lines('linked', value, 1)).toEqual([
    '  linked:',
    '    rrn: 633   verdict: pass\\u001b[8m',
    '    merchant: name=A  B',
    '    list:',
    '      x y',
  ]);
});
