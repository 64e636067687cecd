/** Chargebacks through kills of the real server: whatever was under way, each is in exactly one file, whose bytes never change. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openClearing } from '#src/clearing/reader.js';
import { fileOf, presentment } from '../support/clearing-day.js';
import { run, Server, until } from '../support/server.js';

const DISPUTES = 12;
const amountOf = (n: number): number => 1000 + n;

/** The content of every file, by its number. */
async function contents(server: Server): Promise<Map<number, Buffer>> {
  const { body } = await server.get('/v1/outgoing-files?limit=100');
  const files = new Map<number, Buffer>();
  for (const { id, number } of body.data as { id: string; number: number }[]) {
    const answer = await fetch(`http://${server.ready.admin}/v1/outgoing-files/${id}/content`, {
      headers: { authorization: `Bearer ${server.token}` },
    });
    expect(answer.status).toBe(200);
    files.set(number, Buffer.from(await answer.arrayBuffer()));
  }
  return files;
}

/** Amounts of the chargebacks in a file that breaks no rule. */
function chargedBack(bytes: Buffer): number[] {
  const reader = openClearing({ format: 'ipm', encoding: 'ascii', blocked: false, mode: 'any' });
  const amounts: number[] = [];
  reader.push(bytes);
  while (reader.next()) if (reader.record.kind.startsWith('chargeback')) amounts.push(reader.record.amount);
  expect(reader.finish()).toMatchObject({ findings: [], accepted: true });
  return amounts;
}

/** Charges the purchase of card n back. True when the server said that it did. */
async function chargeBack(server: Server, n: number): Promise<boolean> {
  const { body: account } = await server.get(`/v1/accounts/demo-${String(n).padStart(4, '0')}`);
  const { body: entries } = await server.get(`/v1/accounts/${account.id}/entries`);
  const entry = (entries.data as { id: string; amount: number }[]).find(({ amount }) => amount === amountOf(n))!.id;
  const money = { amount: amountOf(n), currency: 'BRL' };
  const key = { 'Idempotency-Key': `dispute-${n}` };
  const opened = await server.api('POST', '/v1/disputes', { entry, ...money, reference: `d${n}`, reason: 'none' }, key);
  expect(opened.status).toBe(201);
  const settlement = { network: 1, settlement_date: new Date().toISOString().slice(0, 10), cycle: 2, ...money };
  const step = { step: 'chargeback', settlement, reason_code: '4853' };
  const answer = await server.api('POST', `/v1/disputes/${opened.body.id}/steps`, step, {
    'Idempotency-Key': `step-${n}`,
  });
  return answer.status === 201;
}

test('each chargeback is in exactly one file, whose bytes stay, however often the server is killed', {
  timeout: 120_000,
}, async () => {
  let server = await Server.start({ flags: ['--shards', '4'] });
  const { dataDir } = server;
  const numbers = Array.from({ length: DISPUTES }, (_, i) => i + 1);
  const upload = await fetch(`http://${server.ready.admin}/v1/clearing-files`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/octet-stream' },
    body: fileOf(numbers.map((n) => presentment(n, n, amountOf(n)))),
  });
  const { id } = (await upload.json()) as { id: string };
  await until(
    'the end of the file',
    async () => (await server.get(`/v1/clearing-files/${id}`)).body.status === 'posted',
  );

  const known = new Map<number, Buffer>();
  const done = new Set<number>();
  const answered = new Set<number>();
  for (let round = 0; round < 6; round++) {
    // Two chargebacks and files of what there is, and the end in the middle of it; what was not answered is asked again.
    const asked = numbers.filter((n) => !done.has(n)).slice(0, 2);
    const steps = asked.map((n) => chargeBack(server, n).then((isDone) => isDone && done.add(n)));
    const files = (async () => {
      for (;;) {
        const made = await server.api('POST', '/v1/outgoing-files', { encoding: 'ascii', blocked: false });
        if (made.status === 201) answered.add(Number(made.body.number));
      }
    })();
    const work = Promise.allSettled([...steps, files]);
    await sleep(20 + 40 * round);
    await server.kill();
    await work;
    server = await Server.start({ dataDir, demo: false, flags: ['--shards', '4'] });
    const now = await contents(server);
    for (const [number, bytes] of known) expect(now.get(number), `file ${number}`).toEqual(bytes);
    for (const [number, bytes] of now) known.set(number, bytes);
    for (const number of answered) expect(known.has(number), `file ${number}`).toBe(true);
  }
  for (const n of numbers) if (!done.has(n)) expect(await chargeBack(server, n)).toBe(true);
  await server.api('POST', '/v1/outgoing-files', { encoding: 'ascii', blocked: false });
  const all = await contents(server);
  for (const [number, bytes] of known) expect(all.get(number), `file ${number}`).toEqual(bytes);
  const sent = [...all.values()].flatMap(chargedBack).toSorted((a, b) => a - b);
  expect(sent).toEqual(numbers.map(amountOf));
  expect([...all.keys()].toSorted((a, b) => a - b)).toEqual(Array.from(all.keys(), (_, i) => i + 1));
  await server.stop();
  expect((await run(['verify', '--data-dir', dataDir])).status).toBe(0);
});
