/** The life of an authorization over a real socket: increment, single message, financial advice, file update; and a kill. */
import { expect, test } from 'vitest';
import { demoAccount } from '#src/cli/demo-program.js';
import type { Fields } from '#src/iso8583/message.js';
import { privateData } from '#src/iso8583/private-data.js';
import { purchase, repeat, reversal } from '../support/iso-client.js';
import { run, Server } from '../support/server.js';

/** posted and held of a demo card's account. */
async function balances(server: Server, card: number): Promise<number[]> {
  const { posted, held } = (await server.get(`/v1/accounts/${demoAccount(card)}`)).body.balances;
  return [posted, held];
}

test('increments, single messages, advices and listings are answered, durable, and repeated as they were', async () => {
  let server = await Server.start();
  const { dataDir } = server;
  let client = await server.connect();

  const opening = purchase({ card: 1, amount: 30_000, fields: { 18: '7011', 63: 'STAY1' } });
  const increment = purchase({
    card: 1,
    amount: 20_000,
    fields: {
      18: '7011',
      48: privateData([
        [20, 'I'],
        [63, 'STAY1'],
      ]),
    },
  });
  const final = purchase({
    card: 1,
    amount: 48_000,
    fields: { 0: '0220', 18: '7011', 38: '007007', 48: privateData([[63, 'STAY1']]) },
  });
  const single = purchase({ card: 2, amount: 7000, fields: { 0: '0200' } });
  const stood = purchase({ card: 3, amount: 900, fields: { 0: '0220', 38: '123456', 48: privateData([[84, 'S']]) } });
  const { 3: _type, 4: _amount, 49: _currency, ...naming } = purchase({ card: 4 });
  const listing: Fields = { ...naming, 0: '0302', 91: '1', 127: '41' };

  expect(await client.request(opening)).toMatchObject({ 0: '0110', 39: '00' });
  expect(await client.request(increment)).toMatchObject({ 0: '0110', 4: '000000020000', 39: '00' });
  expect(await balances(server, 1)).toEqual([0, 50_000]);
  const completed = await client.request(final);
  expect(completed).toMatchObject({ 0: '0230', 38: '007007', 39: '00' });
  expect(await balances(server, 1)).toEqual([48_000, 0]);

  const posted = await client.request(single);
  expect(posted).toMatchObject({ 0: '0210', 39: '00', 38: expect.stringMatching(/^\d{6}$/) });
  expect(await client.request(reversal(single, 4000))).toMatchObject({ 0: '0410', 39: '00' });
  expect(await balances(server, 2)).toEqual([4000, 0]);

  expect(await client.request(stood)).toMatchObject({ 0: '0230', 38: '123456', 39: '00' });
  expect(await balances(server, 3)).toEqual([900, 0]);

  const listed = await client.request(listing);
  expect(listed).toMatchObject({ 0: '0312', 11: listing[11], 39: '00' });
  expect(await client.request(purchase({ card: 4 }))).toMatchObject({ 0: '0110', 39: '41' });

  await server.kill();
  server = await Server.start({ dataDir, demo: false });
  client = await server.connect();
  expect(await client.request(repeat(final))).toEqual(completed);
  expect(await client.request(repeat(single))).toEqual(posted);
  expect(await client.request({ ...listing, 0: '0303' })).toEqual(listed);
  expect(await client.request(purchase({ card: 4 }))).toMatchObject({ 39: '41' });
  expect([await balances(server, 1), await balances(server, 2), await balances(server, 3)]).toEqual([
    [48_000, 0],
    [4000, 0],
    [900, 0],
  ]);
  const [currency] = (await server.get('/v1/ledger/trial-balance')).body.currencies;
  expect([currency.currency, currency.difference]).toEqual(['BRL', 0]);
  expect(await server.stop()).toEqual({ status: 0, signal: null });
  const verified = await run(['verify', '--data-dir', dataDir]);
  expect([verified.err, verified.status, verified.out.slice(0, 9)]).toEqual(['', 0, 'verify ok']);
});
