/** The simulator's messages to the listener: the way of a peer, without a socket. */
import { describe, expect, it } from 'vitest';
import type { DialectName } from '#src/iso8583/dialects.js';
import { type Fields, pack, unpack } from '#src/iso8583/message.js';
import type { CutoverRequest } from '#src/link-requests.js';
import { harness, request, tcpClient, tcpLink } from './support.js';

describe('a message that comes by no socket', () => {
  const network = (stan: number, code: string): Fields => ({
    ...{ 0: '0800', 7: '1126235959', 11: String(stan).padStart(6, '0'), 70: code },
  });

  it.each<DialectName>(['iso87-bcd', 'iso87-ascii', 'iso87-ascii-bin'])(
    'is answered as a peer is, and is a connection of its own (%s)',
    async (dialect) => {
      const test = await harness({ links: [tcpLink({ dialect })] });
      const peer = await tcpClient(test, { dialect });
      for (const [stan, [code, answer]] of [
        ['001', '00'],
        ['301', '00'],
        ['002', '00'],
        ['161', '40'],
        ['999', '12'],
      ].entries()) {
        const reply = unpack(dialect, await test.ingress.exchange(dialect, pack(dialect, network(stan, code!))));
        expect(reply).toEqual({ ...network(stan, code!), 0: '0810', 39: answer });
      }
      // Its sign-off signed nobody else off.
      await peer.ask(request(9));
      expect(test.shards.wire).toHaveLength(1);
      const { network: answered, messages, connections } = test.ingress.stats();
      expect([answered, messages, connections.tcp]).toEqual([5, 6, { signed_on: 1, signed_off: 0 }]);
    },
  );

  it('moves the business date of its own link only', async () => {
    const asked: CutoverRequest[] = [];
    const keepCutover = async (one: CutoverRequest): Promise<number> => asked.push(one) && 20_784;
    const test = await harness({ links: [tcpLink({})], ingress: { keepCutover } });
    const peer = await tcpClient(test);
    const reply = await test.ingress.exchange('iso87-bcd', pack('iso87-bcd', network(1, '201')));
    expect(unpack('iso87-bcd', reply)[39]).toBe('00');
    expect(asked.map(({ link, name }) => [link, name])).toEqual([[0, 'simulator']]);
    await peer.ask(request(2));
    expect(test.shards.wire[0]!.businessDay).toBe(0);
  });

  it('is refused when it is no message', async () => {
    const test = await harness({ links: [tcpLink({})] });
    await expect(test.ingress.exchange('iso87-bcd', Uint8Array.of(1, 2, 3))).rejects.toThrow('not_iso8583');
  });
});
