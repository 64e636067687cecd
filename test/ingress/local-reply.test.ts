/** The ingress and the shard refuse in the same bytes: what comes back does not tell who was asked. */
import { describe, expect, it } from 'vitest';
import { Answer, DialectCodec } from '#src/ingress/local-reply.js';
import { Decoder } from '#src/iso8583/decoder.js';
import { Dialect, dialect, dialectSpecs } from '#src/iso8583/dialects.js';
import { Encoder } from '#src/iso8583/encoder.js';
import { type Fields, pack, unpack } from '#src/iso8583/message.js';
import { writeRefusal } from '#src/shard/reply.js';
import { request } from './support.js';

/** DE39 91 as the shard has it: two characters. */
const UNAVAILABLE = 0x3931;

function refusals(of: Dialect, fields: Fields): { ingress: Uint8Array; shard: Uint8Array } {
  const bytes = pack(of.name, fields);
  const codec = new DialectCodec(of);
  codec.request.decode(bytes, 0, bytes.length);
  const ingress = codec.bytes.slice(0, codec.refuse(Answer.unavailable));
  const decoder = new Decoder(of);
  decoder.decode(bytes, 0, bytes.length);
  const target = new Uint8Array(512);
  const shard = target.slice(0, writeRefusal(new Encoder(of), decoder, UNAVAILABLE, target, 0));
  return { ingress, shard };
}

describe.each(dialectSpecs)('a refusal in $name', (spec) => {
  const full = request(1, { '6': '000000020000', '33': '65432', '51': '840', '54': '0001986D000000000001' });

  it('is the same from the ingress and from a shard', () => {
    const { ingress, shard } = refusals(dialect(spec.name), full);
    expect(ingress).toEqual(shard);
    const echoed = Object.fromEntries(spec.echoed.map((field) => [field, full[field]]));
    expect(unpack(spec.name, ingress)).toEqual({ '0': '0110', ...echoed, '39': '91' });
  });

  it('echoes what another list says', () => {
    const other = new Dialect({ ...spec, echoed: [2, 3, 22, 25, 43, 63] });
    const fields: Fields = { ...full, '43': 'CORNER SHOP'.padEnd(40) };
    const { ingress, shard } = refusals(other, fields);
    expect(ingress).toEqual(shard);
    const echoed = Object.fromEntries(other.spec.echoed.map((field) => [field, fields[field]]));
    expect(unpack(spec.name, ingress)).toEqual({ '0': '0110', ...echoed, '39': '91' });
  });
});
