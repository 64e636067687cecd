/** What the tests of whole runs share: a folder, a token, little issuers that are closed again, and the command in-process. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach } from 'vitest';
import { runLoadtest } from '../../loadtest/main.js';
import type { LoadtestResult } from '../../loadtest/result.js';
import { FakeIssuer, type FakeOptions } from './fake-issuer.js';

/** A folder of this test file. */
export const folder = mkdtempSync(join(tmpdir(), 'holdfast-loadtest-'));
/** A file with an admin token. */
export const tokenFile = join(folder, 'admin.token');
writeFileSync(tokenFile, 'secret\n', { mode: 0o600 });

const open: FakeIssuer[] = [];

afterAll(() => rmSync(folder, { recursive: true }));
afterEach(async () => {
  for (const fake of open.splice(0)) await fake.close();
});

/** An issuer that is closed after the test, without a listener. */
export function newIssuer(options: FakeOptions = {}): FakeIssuer {
  const fake = new FakeIssuer(options);
  open.push(fake);
  return fake;
}

/** An issuer that listens on TCP. */
export async function fakeIssuer(options: FakeOptions = {}): Promise<{ fake: FakeIssuer; target: string }> {
  const fake = newIssuer(options);
  return { fake, target: await fake.listen() };
}

export interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
  /** stdout as JSON when --json was given and something was printed. */
  readonly json: LoadtestResult;
}

/** Runs the command with its generators in this thread. */
export async function loadtest(...argv: string[]): Promise<Ran> {
  let out = '';
  let err = '';
  const status = await runLoadtest(argv, {
    inline: true,
    stdout: (text) => {
      out += text;
    },
    stderr: (text) => {
      err += text;
    },
  });
  const json = argv.includes('--json') && out !== '' ? (JSON.parse(out) as LoadtestResult) : ({} as LoadtestResult);
  return { status, out, err, json };
}
