import { describe, expect, it } from 'vitest';
import type { Fields } from '#src/iso8583/message.js';
import { harness, request, tcpClient, until } from './support.js';

function network(code: string | undefined, more: Fields = {}): Fields {
  const fields: Fields = { '0': '0800', '7': '1123024500', '11': '000009', '41': 'TERM0001', ...more };
  if (code !== undefined) fields['70'] = code;
  return fields;
}

describe('network management', () => {
  const table: [name: string, mti: string, code: string | undefined, reply: string, answer: string][] = [
    ['sign-on', '0800', '001', '0810', '00'],
    ['sign-on, repeated', '0801', '001', '0810', '00'],
    ['sign-off', '0800', '002', '0810', '00'],
    ['echo test', '0800', '301', '0810', '00'],
    ['key exchange', '0800', '161', '0810', '40'],
    ['cutover to a date that cannot be', '0800', '201', '0810', '30'],
    ['an unknown code', '0800', '999', '0810', '12'],
    ['no code', '0800', undefined, '0810', '30'],
    ['an advice', '0820', '301', '0830', '12'],
  ];
  it.each(table)('%s: %s with DE70 %s gets %s with 39 = %s', async (_name, mti, code, reply, answer) => {
    const test = await harness();
    const client = await tcpClient(test);
    expect(await client.ask(network(code, { '0': mti }))).toEqual({
      '0': reply,
      '7': '1123024500',
      '11': '000009',
      '39': answer,
      '41': 'TERM0001',
      ...(code === undefined ? {} : { '70': code }),
    });
    expect(test.shards.seen).toHaveLength(0);
    expect(test.ingress.stats()).toMatchObject({ network: 1, replies: 1 });
  });

  it('echoes 7, 11, 12, 13, 32, 33, 37, 41, 63 and 70 and nothing else', async () => {
    const test = await harness();
    const client = await tcpClient(test);
    const more: Fields = {
      '2': '9999990000000017',
      '12': '024500',
      '13': '1123',
      '32': '123456',
      '33': '65432',
      '37': 'RRN000000001',
      '48': 'secret',
      '52': 'hex:0102030405060708',
      '63': 'NET1',
    };
    const reply = await client.ask(network('301', more));
    expect(Object.keys(reply).sort()).toEqual(['0', '11', '12', '13', '32', '33', '37', '39', '41', '63', '7', '70']);
    expect(reply).toMatchObject({ '12': '024500', '13': '1123', '32': '123456', '33': '65432', '37': 'RRN000000001' });
  });

  it('answers a malformed one with 30 and what could be read', async () => {
    const test = await harness({ link: { dialect: 'iso87-ascii' } });
    const client = await tcpClient(test, { dialect: 'iso87-ascii' });
    const bytes = client.framed(network('30X'.replace('X', '1')));
    const at = bytes.lastIndexOf('301');
    bytes[at + 2] = 0x58;
    client.socket.write(bytes);
    await until('a reply', () => client.replies.length === 1);
    expect(client.fields(0)).toMatchObject({ '0': '0810', '11': '000009', '39': '30', '41': 'TERM0001' });
  });

  it.each<[string, string | undefined, Fields]>([
    ['DE7', '301', { '7': '0230120000' }],
    ['DE12', '001', { '12': '006000' }],
    ['DE13', '002', { '13': '0000' }],
    ['DE15', '201', { '15': '1301' }],
    ['DE70', undefined, {}],
  ])('answers 30 and names %s in the log when it is missing or cannot be', async (field, code, more) => {
    const test = await harness();
    const client = await tcpClient(test);
    const fields = network(code, more);
    expect(await client.ask(fields)).toMatchObject({ '0': '0810', '39': '30' });
    expect(test.log.filter((line) => line.includes('answered 30') && line.includes(`'${field}'`))).toHaveLength(1);
    expect(await client.ask({ ...fields, '0': '0820' })).toMatchObject({ '0': '0830', '39': '12' });
  });
});

describe('sign-on state', () => {
  it('a link that requires sign-on refuses financial traffic until then, per connection, and again after sign-off', async () => {
    const test = await harness({ link: { signOnRequired: true } });
    const [a, b] = [await tcpClient(test), await tcpClient(test)];
    expect(await a.ask(request(1))).toMatchObject({ '0': '0110', '11': '000001', '39': '91' });
    expect(await a.ask(network('301'))).toMatchObject({ '39': '00' });
    expect(await a.ask(request(2))).toMatchObject({ '39': '91' });
    expect(await a.ask(network('001'))).toMatchObject({ '39': '00' });
    expect(await a.ask(request(3))).toMatchObject({ '39': '00' });
    expect(await b.ask(request(4))).toMatchObject({ '39': '91' });
    expect(test.ingress.stats().connections.tcp).toEqual({ signed_on: 1, signed_off: 1 });
    expect(await a.ask(network('002'))).toMatchObject({ '39': '00' });
    expect(await a.ask(request(5, { '0': '0400' }))).toMatchObject({ '0': '0410', '39': '91' });
    expect(test.ingress.stats().shed.signed_off).toBe(4);
    expect(test.shards.wire).toHaveLength(1);
  });

  it('a function that is not supported leaves the state as it is', async () => {
    const test = await harness({ link: { signOnRequired: true } });
    const client = await tcpClient(test);
    expect(await client.ask(network('161'))).toMatchObject({ '39': '40' });
    expect(await client.ask(request(1))).toMatchObject({ '39': '91' });
    await client.ask(network('001'));
    expect(await client.ask(network('161'))).toMatchObject({ '39': '40' });
    expect(await client.ask(request(2))).toMatchObject({ '39': '00' });
  });

  it('a link that does not require it serves at once, until a sign-off', async () => {
    const test = await harness();
    const client = await tcpClient(test);
    expect(await client.ask(request(1))).toMatchObject({ '39': '00' });
    await client.ask(network('002'));
    expect(await client.ask(request(2))).toMatchObject({ '39': '91' });
    await client.ask(network('001'));
    expect(await client.ask(request(3))).toMatchObject({ '39': '00' });
  });
});
