/** The first five minutes of a newcomer, as the README shows them: the commands, against a real server. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { luhnCheckDigit } from '#src/vault/pan.js';
import { type Ran, run, Server, temporaryFolder, until } from '../support/server.js';

let server: Server;
const folder = temporaryFolder('quickstart');

beforeAll(async () => {
  server = await Server.start();
});

afterAll(async () => {
  expect(await server.stop()).toEqual({ status: 0, signal: null });
});

/** A command that talks to the API of the server. */
function withApi(...args: string[]): Promise<Ran> {
  const admin = `http://${server.ready.admin}`;
  return run([...args, '--admin', admin, '--token-file', join(server.dataDir, 'admin.token')]);
}

function send(...args: string[]): Promise<Ran> {
  return run(['iso', 'send', '--to', server.tcp, ...args]);
}

describe('quick start', () => {
  test('the server says what to type next, and it works as it is', async () => {
    await until('the hint', () => /^next: .*\n/m.test(server.stderr));
    const next = /^next: (.*)$/m.exec(server.stderr)?.[1];
    expect(next).toMatch(/ iso send --demo-card 1 --amount 1234 --to 127\.0\.0\.1:\d+$/);
    const ran = await run(next!.slice(next!.indexOf('iso send')).split(' '));
    expect([ran.status, ran.err]).toEqual([0, '']);
    expect(ran.out.split('\n')[0]).toMatch(/^0110 approved 00 code [0-9A-Z]{6} in [\d.]+ ms$/);
  });

  test('repeat and reversal', async () => {
    const { status, out } = await send('--demo-card', '2', '--amount', '500', '--repeat', '--reverse', '--quiet');
    const [first, again, undone] = out.split('\n');
    expect([status, first!.replace(/ in .*/, '')]).toEqual([0, again!.replace(/ in .*/, '')]);
    expect(undone).toMatch(/^0410 \w+ 00 /);
    const { body } = await server.get('/v1/accounts/demo-0002');
    expect(body.balances).toMatchObject({ held: 0, available: 500_000 });
  });

  test('explain shows the ordered verdicts of an approval and of a decline', async () => {
    expect((await send('--demo-card', '3', '--amount', '499999', '--rrn', 'QUICK0000001')).status).toBe(0);
    const declined = await send('--demo-card', '3', '--amount', '2', '--rrn', 'QUICK0000002');
    expect([declined.status, declined.out.split('\n')[0]]).toEqual([0, expect.stringMatching(/^0110 declined 51 /)]);
    const why = await withApi('explain', 'QUICK0000002', '--json');
    expect([why.status, why.err]).toEqual([0, '']);
    const { authorization, explanation } = JSON.parse(why.out) as {
      authorization: Record<string, unknown>;
      explanation: { verdicts: { step: string; verdict: string }[] };
    };
    expect(authorization).toMatchObject({ status: 'declined', response_code: '51' });
    const steps = explanation.verdicts.map(({ step }) => step);
    expect(steps.indexOf('funds')).toBe(steps.length - 1);
    expect(explanation.verdicts.at(-1)!.verdict).not.toBe(explanation.verdicts[0]!.verdict);
    const text = await withApi('explain', 'QUICK0000001');
    expect([text.status, text.out]).toEqual([0, expect.stringMatching(/response_code=00[\s\S]*verdicts:[\s\S]*funds/)]);
    const nothing = await withApi('explain', 'QUICK0000009');
    expect([nothing.status, nothing.err]).toEqual([65, expect.stringMatching(/^holdfast: no authorization.*Next: /)]);
  });

  test('import of an NDJSON file, and a purchase with an imported card', async () => {
    const file = join(folder, 'cards.ndjson');
    const pan = (n: number): string => {
      const digits = `99999912345${String(n).padStart(4, '0')}`;
      return `${digits}${luhnCheckDigit(digits)}`;
    };
    const rows = Array.from({ length: 500 }, (_, n) =>
      JSON.stringify({
        account: { id: `imported-${n}`, currency: 'BRL', credit_limit: 1000, type: 'credit' },
        card: { pan: pan(n), expiry: '3012', status: 'active' },
      }),
    );
    writeFileSync(file, `${rows.join('\n')}\n`);
    const ran = await withApi('import', file, '--json');
    expect(ran.status).toBe(0);
    expect(JSON.parse(ran.out)).toMatchObject({ accounts: 500, cards: 500 });
    const bought = await send('--pan', pan(42), '--expiry', '3012', '--amount', '700', '--quiet');
    expect(bought.out).toMatch(/^0110 approved 00 /);
    expect((await server.get('/v1/accounts/imported-42')).body.balances.held).toBe(700);
    // Once more: nothing is created twice, and it is said.
    const again = await withApi('import', file, '--json');
    expect([again.status, (await server.get('/v1/accounts/imported-42')).body.balances.held]).toEqual([65, 700]);
  });

  test('metrics', async () => {
    const ran = await withApi('metrics', '--filter', 'holdfast_authorizations_total');
    expect(ran.status).toBe(0);
    expect(ran.out).toMatch(/^holdfast_authorizations_total\{[^}]*mti="0100"[^}]*result="approved"[^}]*\} [1-9]/m);
    expect(ran.out).not.toMatch(/99999/);
  });

  test('doctor', async () => {
    const ran = await run(['doctor', '--json', '--data-dir', join(server.dataDir, '..')]);
    const { ok, findings } = JSON.parse(ran.out) as { ok: boolean; findings: { check: string; verdict: string }[] };
    expect([ran.status, ok]).toEqual(findings.some(({ verdict }) => verdict === 'fail') ? [69, false] : [0, true]);
    expect(findings.length).toBeGreaterThan(4);
  });

  test('verify, beside the running server', async () => {
    const ran = await run(['verify', '--data-dir', server.dataDir]);
    expect([ran.status, ran.err]).toEqual([0, '']);
    expect(ran.out).toMatch(/^verify ok records=\d+ head=[0-9a-f]+ debits=(\d+) credits=\1$/m);
  });

  test('the admin port is no ISO 8583 port: 69, and which port is', async () => {
    const admin = server.ready.admin!;
    for (const to of [admin, `ws://${admin}/iso8583`]) {
      for (const framing of ['len2', 'ascii4']) {
        const ran = await run(['iso', 'send', '--demo-card', '1', '--to', to, '--framing', framing]);
        expect([ran.status, ran.out]).toEqual([69, '']);
        expect(ran.err).toMatch(
          /^holdfast: cannot talk to .*HTTP.* Next: give the port of an ISO 8583 listener: `tcp=`/,
        );
      }
    }
    const crossed = await run(['iso', 'send', '--demo-card', '1', '--to', server.tcp, '--framing', 'ascii4']);
    expect([crossed.status, crossed.out]).toEqual([69, '']);
    expect(crossed.err).toMatch(/closed the connection\. Next: check port, TLS, framing and dialect of the listener/);
  });

  test('a server that is not there: 69, and what to do', async () => {
    const ran = await run(['iso', 'send', '--demo-card', '1', '--to', '127.0.0.1:1']);
    expect([ran.status, ran.out]).toEqual([69, '']);
    expect(ran.err).toMatch(/^holdfast: cannot talk to 127\.0\.0\.1:1: ECONNREFUSED\. Next: start one with /);
  });
});
