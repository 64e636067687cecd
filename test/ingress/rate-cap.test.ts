import { describe, expect, it } from 'vitest';
import { RateCap, type RateShare } from '#src/ingress/rate-cap.js';
import { ShardState } from '#src/ring/control-block.js';
import { harness, request, tcpClient, tcpLink, until } from './support.js';

/** Messages per second of one sender. */
interface Sender {
  readonly urgent?: number;
  readonly fresh?: number;
}

/** Offers messages evenly over `seconds`, in reads of 1 ms, and counts what gets in, per sender and second. */
function offer(cap: RateCap, senders: readonly Sender[], seconds: number): { urgent: number; fresh: number }[] {
  const shares: RateShare[] = senders.map(() => cap.share(senders.length));
  const admitted = senders.map(() => ({ urgent: 0, fresh: 0 }));
  const due = senders.map(() => ({ urgent: 0, fresh: 0 }));
  for (let ms = 1; ms <= seconds * 1000; ms++) {
    // Each goes first once: whoever is last in a round must not be the one who is starved.
    for (let n = 0; n < senders.length; n++) {
      const i = (n + ms) % senders.length;
      for (const kind of ['fresh', 'urgent'] as const) {
        due[i]![kind] += (senders[i]![kind] ?? 0) / 1000;
        for (; due[i]![kind] >= 1; due[i]![kind]--) {
          if (cap.take(ms * 1000, kind === 'urgent', shares[i])) admitted[i]![kind]++;
        }
      }
    }
  }
  return admitted.map(({ urgent, fresh }) => ({ urgent: urgent / seconds, fresh: fresh / seconds }));
}

const total = (admitted: readonly { urgent: number; fresh: number }[]): number =>
  admitted.reduce((sum, { urgent, fresh }) => sum + urgent + fresh, 0);

describe('cap on the rate of admission', () => {
  it.each([100, 1000, 15_000])('lets %i per second in, and no more, whatever comes', (rate) => {
    for (const times of [1.5, 3, 30]) {
      const admitted = total(offer(new RateCap(rate), [{ fresh: rate * times }], 4));
      expect(admitted).toBeGreaterThan(rate * 0.98);
      // What was saved up at the beginning comes on top: a tenth of a second, or four.
      expect(admitted).toBeLessThanOrEqual(rate + Math.max(4, rate / 10) / 4 + 1);
    }
  });

  it('sheds nothing below it', () => {
    const [one] = offer(new RateCap(1000), [{ fresh: 800, urgent: 150 }], 4);
    expect(one).toEqual({ fresh: 800, urgent: 150 });
  });

  it('sheds new requests first: reversals, advices and repeats get in up to half of it', () => {
    const [one] = offer(new RateCap(15_000), [{ fresh: 45_000 * 0.85, urgent: 45_000 * 0.15 }], 4);
    expect(one!.urgent).toBe(45_000 * 0.15);
    expect(one!.fresh + one!.urgent).toBeGreaterThan(15_000 * 0.98);
  });

  it('a flood of reversals leaves half to new requests', () => {
    const [one] = offer(new RateCap(1000), [{ fresh: 400, urgent: 50_000 }], 4);
    expect(one!.fresh).toBeGreaterThanOrEqual(399);
    expect(one!.urgent).toBeGreaterThan(550);
  });

  it('a link that floods leaves each of the others its even share', () => {
    const admitted = offer(new RateCap(12_000), [{ fresh: 90_000 }, { fresh: 1900 }, { fresh: 1900, urgent: 200 }], 4);
    expect(admitted[1]!.fresh).toBeGreaterThanOrEqual(1899);
    expect(admitted[2]!.fresh).toBeGreaterThanOrEqual(1899);
    expect(admitted[2]!.urgent).toBeGreaterThanOrEqual(199);
    expect(total(admitted)).toBeGreaterThan(12_000 * 0.98);
    expect(total(admitted)).toBeLessThan(12_000 * 1.03);
  });

  it('reversals of one link are not starved by those of another', () => {
    const admitted = offer(new RateCap(12_000), [{ urgent: 90_000 }, { fresh: 1900, urgent: 1400 }], 4);
    expect(admitted[1]!.urgent).toBeGreaterThanOrEqual(1399);
    expect(admitted[1]!.fresh).toBeGreaterThanOrEqual(1899);
  });

  it('one per second is a cap as well', () => {
    const [one] = offer(new RateCap(1), [{ fresh: 20, urgent: 20 }], 60);
    expect(one!.fresh + one!.urgent).toBeGreaterThan(0.95);
    expect(one!.fresh + one!.urgent).toBeLessThan(1.1);
    expect(one!.urgent).toBeGreaterThan(0.3);
  });

  it('none lets everything in', () => {
    const cap = new RateCap(0);
    for (let n = 0; n < 10_000; n++) expect(cap.take(1, false)).toBe(true);
  });

  it('a clock that stands still or goes back gives nothing', () => {
    const cap = new RateCap(10);
    const admitted = [5e6, 5e6, 5e6, 5e6, 5e6, 1e6, 5e6].map((us) => cap.take(us, true));
    expect(admitted.filter(Boolean)).toHaveLength(3);
    expect(cap.take(6e6, true)).toBe(true);
  });

  it('what was taken in vain is given back', () => {
    const cap = new RateCap(1);
    for (let n = 0; n < 50; n++) {
      expect(cap.take(1, false)).toBe(true);
      cap.giveBack();
    }
  });
});

describe('caps at the listeners', () => {
  it('more than the cap of all links: new requests get 91, reversals an answer, echo tests always', async () => {
    const test = await harness({ ingress: { rateMax: 40 } });
    const client = await tcpClient(test);
    const requests = Array.from({ length: 40 }, (_, i) => client.framed(request(i)));
    client.socket.write(Buffer.concat([...requests, client.framed(request(99, { '0': '0400' }))]));
    await until('all answered', () => client.replies.length === 41);
    const { shed } = test.ingress.stats();
    expect(shed.rate).toBeGreaterThan(30);
    const replies = client.replies.map((_, i) => client.fields(i));
    expect(replies.filter((reply) => reply['39'] === '91')).toHaveLength(shed.rate);
    expect(replies.find((reply) => reply['0'] === '0410')).toMatchObject({ '39': '00' });
    expect(await client.ask({ ...request(100), '0': '0800', '70': '301' })).toMatchObject({ '0': '0810', '39': '00' });
    await until('a line about it', () => test.log.length > 0);
    expect(test.log[0]).toMatch(
      /^more requests come than are taken: some are answered 91 \{ requests: \{ rate: \d+ \} \}$/,
    );
  });

  it('the cap of one link is its own', async () => {
    const links = [tcpLink({ rateMax: 10 }), tcpLink({ name: 'other', number: 2 })];
    const test = await harness({ links });
    const [capped, other] = [await tcpClient(test), await tcpClient(test, { link: 'other' })];
    for (const client of [capped, other]) {
      client.socket.write(Buffer.concat(Array.from({ length: 50 }, (_, i) => client.framed(request(i)))));
    }
    await until('all answered', () => capped.replies.length === 50 && other.replies.length === 50);
    const refused = (client: typeof capped): number =>
      client.replies.filter((_, i) => client.fields(i)['39'] === '91').length;
    expect(refused(other)).toBe(0);
    expect(refused(capped)).toBeGreaterThan(40);
    expect(test.ingress.stats().shed).toMatchObject({ link_rate: refused(capped), rate: 0 });
  });

  it('within the cap of one link a flood of reversals leaves some to new requests', async () => {
    const test = await harness({ link: { rateMax: 80 } });
    const client = await tcpClient(test);
    const reversals = Array.from({ length: 200 }, (_, i) => client.framed(request(i, { '0': '0400' })));
    const purchases = Array.from({ length: 2 }, (_, i) => client.framed(request(900 + i)));
    client.socket.write(Buffer.concat([...reversals, ...purchases]));
    await until('all answered', () => client.replies.length === 202);
    const served = client.replies.map((_, i) => client.fields(i)).filter((reply) => reply['39'] === '00');
    expect(served.filter((reply) => reply['0'] === '0110')).toHaveLength(2);
    expect(served.length).toBeLessThan(20);
  });

  it('a request that no shard can take does not count', async () => {
    const test = await harness({ link: { rateMax: 1 }, ingress: { rateMax: 1 } });
    const client = await tcpClient(test);
    for (let shard = 0; shard < 4; shard++) test.control.setShardState(shard, ShardState.down);
    for (let stan = 1; stan <= 20; stan++) expect(await client.ask(request(stan))).toMatchObject({ '39': '91' });
    expect(test.ingress.stats().shed).toMatchObject({ shard_down: 20, rate: 0, link_rate: 0 });
  });
});
