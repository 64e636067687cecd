/**
 * More traffic than there is room for, against the real server over TCP and WebSocket at once. Nothing here is about speed: every
 * message is answered exactly once, what was answered 91 has no effect, what was approved has its hold, nothing is approved
 * too late, memory stays bounded, the journal verifies, and when the load is over nobody is refused any more. HOLDFAST_LONG makes it
 * longer.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { demoAccount, demoPan } from '#src/cli/demo-program.js';
import { purchase, repeat, reversal } from '../support/iso-client.js';
import { LoadClient, type Sent, type Transport } from '../support/load-client.js';
import { long } from '../support/long.js';
import { run, Server, until } from '../support/server.js';

const MIB = 2 ** 20;
const CARDS = 100;
const TRANSPORTS: readonly Transport[] = ['tcp', 'ws', 'tcp', 'ws'];

const codeOf = (sent: Sent): string => sent.answers[0]?.[39] ?? 'none';
const isNew = ({ fields }: Sent): boolean => fields[0] === '0100';

/** Four connections, each with a terminal and an acquirer of its own. */
async function connectAll(server: Server): Promise<LoadClient[]> {
  return await Promise.all(TRANSPORTS.map((transport) => LoadClient.open(server, transport)));
}

/** A message of the mix: purchases, and reversals, advices and repeats of what was answered before. */
function message(client: LoadClient, n: number, random: () => number): void {
  const fields = purchase({ card: 1 + (n % CARDS), amount: 1 + (n % 50) });
  const kind = random();
  const known = client.sent[Math.floor(random() * client.sent.length)];
  if (kind < 0.07 && known !== undefined && isNew(known) && codeOf(known) === '00') client.send(reversal(known.fields));
  else if (kind < 0.1) client.send({ ...fields, 0: '0120', 39: '00', 38: 'S12345' });
  else if (kind < 0.13 && known !== undefined && isNew(known) && codeOf(known) === '00')
    client.send(repeat(known.fields));
  else client.send(fields);
}

/** Offers so many messages per second to all clients together; resolves with the seconds it took. */
async function offer(clients: readonly LoadClient[], perSecond: number, seconds: number): Promise<number> {
  const began = performance.now();
  let seed = 7;
  const random = (): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
  for (let n = 0; n < perSecond * seconds; ) {
    const due = Math.min(perSecond * seconds, ((performance.now() - began) * perSecond) / 1000);
    for (; n < due; n++) message(clients[n % clients.length]!, n, random);
    await sleep(2);
  }
  return (performance.now() - began) / 1000;
}

async function allAnswered(clients: readonly LoadClient[]): Promise<Sent[]> {
  const sent = clients.flatMap((client) => client.sent);
  await until('every message is answered', () => sent.every(({ answers }) => answers.length > 0), 60_000);
  // A second answer would come by now.
  await sleep(300);
  for (const client of clients) expect(client.strange).toEqual([]);
  expect(sent.filter(({ answers }) => answers.length !== 1)).toEqual([]);
  return sent;
}

/** What is held must be what the answers say: approved, or told by an advice, and not reversed. */
async function checkBooks(server: Server, sent: readonly Sent[]): Promise<number> {
  const accepted = sent.filter((one) => codeOf(one) === '00');
  const reversed = new Set(accepted.filter(({ fields }) => fields[0] === '0400').map(({ fields }) => fields[37]));
  const expected = new Map<string, number>();
  for (const { fields } of accepted) {
    if ((fields[0] !== '0100' && fields[0] !== '0120') || reversed.has(fields[37])) continue;
    expected.set(fields[2]!, (expected.get(fields[2]!) ?? 0) + Number(fields[4]));
  }
  for (let card = 1; card <= CARDS; card++) {
    const { body } = await server.get(`/v1/accounts/${demoAccount(card)}`);
    expect([card, body.balances.held]).toEqual([card, expected.get(demoPan(card)) ?? 0]);
  }
  return [...expected.values()].reduce((sum, amount) => sum + amount, 0);
}

/** Sum of the counter over its labels; `label="value"` picks one. */
async function metric(server: Server, name: string, label = ''): Promise<number> {
  const { text } = await server.get('/metrics');
  let sum = 0;
  for (const line of text.split('\n')) {
    if (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) {
      if (line.includes(label)) sum += Number(line.slice(line.lastIndexOf(' ') + 1));
    }
  }
  return sum;
}

/** Stops it, and lets another process check journal, state and books. */
async function stopAndVerify(server: Server): Promise<void> {
  expect(await server.stop()).toEqual({ status: 0, signal: null });
  const { status, out } = await run(['verify', '--data-dir', server.dataDir]);
  expect([status, out]).toEqual([0, expect.stringContaining('verify ok')]);
}

async function servedAgain(server: Server): Promise<void> {
  const clients = await connectAll(server);
  await until('nobody is refused any more', async () => {
    const sent = clients.map((client) => client.send(purchase({ card: 900, amount: 1 })));
    await until('answers', () => sent.every(({ answers }) => answers.length > 0));
    return sent.every((one) => codeOf(one) === '00');
  });
  for (const client of clients) client.close();
}

describe('more than the cap', () => {
  const CAP = 400 * long;

  test('three times of it: the rest is refused, new requests first, and money is right', async () => {
    const server = await Server.start({ flags: ['--admission-rate-max', String(CAP)] });
    const before = server.residentBytes();
    const clients = await connectAll(server);
    const began = performance.now();
    await offer(clients, CAP * 3, 3 * long);
    const sent = await allAnswered(clients);
    const elapsedS = (performance.now() - began) / 1000;

    const refused = sent.filter((one) => codeOf(one) === '91');
    expect(refused.length).toBe(await metric(server, 'holdfast_shed_total'));
    expect(await metric(server, 'holdfast_shed_total', 'cause="rate"')).toBeGreaterThan(0);
    // Never more than the cap and what it saves up, whatever the machine was busy with meanwhile.
    expect(sent.length - refused.length).toBeLessThanOrEqual(CAP * (elapsedS + 0.1) + 1);
    const share = (some: readonly Sent[]): number => some.filter((one) => codeOf(one) === '91').length / some.length;
    const urgent = sent.filter((one) => !isNew(one));
    expect(urgent.length).toBeGreaterThan(sent.length / 20);
    expect(share(urgent)).toBeLessThan(share(sent.filter(isNew)));
    expect(await checkBooks(server, sent)).toBeGreaterThan(0);
    expect(server.residentBytes() - before).toBeLessThan(250 * MIB);

    const lines = server.logged('more requests come than are taken: some are answered 91');
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.length).toBeLessThanOrEqual(elapsedS / 10 + 2);
    await servedAgain(server);
    for (const client of clients) client.close();
    await stopAndVerify(server);
  });
});

describe('more than the engine can decide', () => {
  test('what it can decide only after the deadline is refused and rolled back, never approved', async () => {
    const server = await Server.start({
      flags: ['--deadline-ms', '200', '--link-in-flight-max', '300'],
      environment: { HOLDFAST_FAULT_LANE_DELAY_MS: '450' },
    });
    const clients = await connectAll(server);
    await offer(clients, 1000, 2 * long);
    const sent = await allAnswered(clients);
    const requests = sent.filter(isNew);
    expect(requests.length).toBeGreaterThan(sent.length / 2);
    // Advices are accepted however late; of requests none is, and what was decided is undone.
    expect(new Set(requests.map(codeOf))).toEqual(new Set(['91']));
    expect(await metric(server, 'holdfast_shed_total', 'cause="deadline"')).toBeGreaterThan(0);
    expect(await metric(server, 'holdfast_shed_total', 'cause="in_flight"')).toBeGreaterThan(0);
    expect(await metric(server, 'holdfast_authorizations_total', 'result="approved"')).toBeGreaterThan(0);
    await checkBooks(server, sent);
    for (const client of clients) client.close();
    await stopAndVerify(server);
  });

  test('as much as the sockets take: each answered once, none too late, memory bounded, then as before', async () => {
    const server = await Server.start({ flags: ['--deadline-ms', '800', '--link-in-flight-max', '500'] });
    const before = server.residentBytes();
    const clients = await connectAll(server);
    let peak = 0;
    for (let n = 0; n < 12_000 * long; n++) {
      const client = clients[n % clients.length]!;
      client.send(purchase({ card: 1 + (n % CARDS), amount: 1 }));
      if (n % 500 !== 0) continue;
      peak = Math.max(peak, server.residentBytes());
      await until('the sockets take more', () => clients.every(({ unsentBytes }) => unsentBytes < MIB), 60_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const sent = await allAnswered(clients);
    expect(new Set(sent.map(codeOf))).toEqual(new Set(['00', '91']));
    expect(Math.max(peak, server.residentBytes()) - before).toBeLessThan(250 * MIB);
    expect(await metric(server, 'holdfast_shed_total', 'cause="in_flight"')).toBeGreaterThan(0);
    // From the last byte read to the socket: a decision is handed over before its deadline, and within the next bound of the cells.
    const handedOver = await metric(server, 'holdfast_authorization_duration_seconds_count');
    expect(handedOver).toBeGreaterThan(0);
    expect(await metric(server, 'holdfast_authorization_duration_seconds_bucket', 'le="1.572864"')).toBe(handedOver);
    await checkBooks(server, sent);
    await servedAgain(server);
    for (const client of clients) client.close();
    await stopAndVerify(server);
  });
});
