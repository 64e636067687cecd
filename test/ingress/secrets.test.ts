import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type LinkProfile, linkDefaults } from '#src/ingress/links.js';
import { pack } from '#src/iso8583/message.js';
import { echoReply, harness, request, tcpClient, tcpLink, until, wsClient } from './support.js';

/** Values that must never show up outside the ring. */
const MARKERS = {
  pan: '9999991122334456',
  track: '9999991122334456=29121015558887',
  pin: '7766554433221100',
  cvv: '9203847',
};

function marked(stan: number) {
  return request(stan, {
    '2': MARKERS.pan,
    '35': MARKERS.track,
    '45': `B${MARKERS.pan}^DOE/JOHN^2912101`,
    '48': MARKERS.cvv,
    '52': `hex:${MARKERS.pin}`,
    '55': 'hex:5a089999991122334456',
  });
}

describe('secrets', () => {
  it('no card number, track, CVV or PIN block reaches a log line, a metric or an error, on any path', async () => {
    const ws: LinkProfile = { ...linkDefaults, name: 'ws', number: 2, transport: 'ws', host: '127.0.0.1', port: 0 };
    const ascii = { dialect: 'iso87-ascii', framing: 'ascii4' } as const;
    const test = await harness({
      links: [tcpLink({ ...ascii, deadlineMs: 60, frameMs: 150 }), { ...ws, dialect: 'iso87-ascii' }],
    });
    const bytes = Buffer.from(pack('iso87-ascii', marked(1)));

    const client = await tcpClient(test, ascii);
    await client.ask(marked(1));
    test.control.refuse = true;
    await client.ask(marked(2));
    test.control.refuse = false;
    test.shards.script = () => undefined;
    client.send(marked(3));
    await until('held', () => test.shards.wire.length === 2);
    await sleep(100);
    test.shards.reply(test.shards.wire[1]!, { fields: echoReply(marked(3), '00', { '38': 'A00003' }), flag: 1 });
    await until('rolled back', () => test.ingress.stats().rolledBack === 1);
    test.shards.script = () => ({ fields: { '0': '0110', '39': '30' } });

    // Every place where a message can be cut or damaged, over both transports.
    for (let at = 1; at < bytes.length; at += 7) {
      const damaged = Buffer.from(bytes);
      damaged[at] = 0xff;
      for (const body of [bytes.subarray(0, at), damaged]) {
        const peer = await tcpClient(test, ascii);
        peer.socket.end(peer.frame(body));
      }
    }
    const raw = await tcpClient(test, ascii);
    raw.socket.write(bytes); // no frame at all: the MTI is read as a length
    const half = await tcpClient(test, ascii);
    half.socket.write(half.framed(marked(4)).subarray(0, 60)); // never completed
    const text = await wsClient(test);
    text.socket.send(bytes.toString('latin1'));
    const junk = await wsClient(test);
    junk.socket.send(bytes.subarray(4));
    await until('closed', () => half.closed && raw.closed && text.closeCode !== 0 && junk.closeCode !== 0);

    expect(test.log.length).toBeGreaterThan(4);
    const everything = [...test.log, JSON.stringify(test.ingress.stats())].join('\n');
    for (const secret of [
      MARKERS.pan,
      MARKERS.track,
      MARKERS.pin,
      MARKERS.cvv,
      MARKERS.pan.slice(0, 12),
      MARKERS.pan.slice(6),
    ]) {
      expect(everything).not.toContain(secret);
    }
    expect(everything).not.toMatch(/\d{13,}/);
    expect(test.ingress.stats().errors.internal).toBe(0);
  });
});
