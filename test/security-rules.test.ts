/** The static rules of eslint.config.mjs find what they are for, in the room that it is asked of, and leave the rest alone. */
import { fileURLToPath } from 'node:url';
import { ESLint, Linter } from 'eslint';
import { expect, test } from 'vitest';

const eslint = new ESLint({ cwd: fileURLToPath(new URL('..', import.meta.url)) });

/** Names of the rules that find something in the text, were it in this file. Those that need types are left out. */
async function found(file: string, text: string): Promise<string[]> {
  const { rules } = (await eslint.calculateConfigForFile(file)) as { rules: Linter.RulesRecord };
  const plain = Object.fromEntries(Object.entries(rules).filter(([name]) => !name.includes('/')));
  const messages = new Linter().verify(text, { rules: plain });
  return messages.map(({ ruleId, message }) => ruleId ?? message);
}

test.each<[file: string, text: string, rule: string]>([
  ['src/cli/a.ts', 'eval(x)', 'no-eval'],
  ['src/cli/a.ts', 'new Function(x)', 'no-new-func'],
  ...[
    'execSync(x)',
    "setTimeout('f()', 1)",
    'spawn(x, [], { shell: true })',
    'connect({ rejectUnauthorized: false })',
    'connect({ checkServerIdentity: () => undefined })',
    "createServer({ minVersion: 'TLSv1.1' })",
    "createServer({ ciphers: 'ALL' })",
    "process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'",
    'const token = Math.random()',
    "import vm from 'node:vm'",
    "createHash('md5')",
    'createHash(name)',
    "createCipheriv('des-ede3', key, null)",
  ].map((text): [string, string, string] => ['src/control/a.ts', text, 'no-restricted-syntax']),
  ['src/vault/a.ts', "createHash('sha256').update(pan)", 'no-restricted-syntax'],
  ['src/ingress/a.ts', "createHash('sha256').update(pan)", 'no-restricted-syntax'],
  ['src/shard/a.ts', "createCipheriv('aes-256-gcm', key, iv)", 'no-restricted-syntax'],
  ['src/vault/card/a.ts', 'spawn(x, [], { shell: true })', 'no-restricted-syntax'],
])('%s: %s', async (file, text, rule) => {
  expect(new Set(await found(file, text))).toEqual(new Set([rule]));
});

test.each([
  ['src/backup/a.ts', "createHash('sha256').update(file)"],
  ['src/vault/a.ts', "createHmac('sha256', key).update(pan); createCipheriv('aes-256-gcm', key, iv)"],
  ['src/server-tls.ts', "createServer({ minVersion: 'TLSv1.2', rejectUnauthorized: true })"],
  ['src/cli/a.ts', 'spawn(x, [y]); pattern.exec(x)'],
])('%s may say: %s', async (file, text) => {
  expect(await found(file, text)).toEqual([]);
});
