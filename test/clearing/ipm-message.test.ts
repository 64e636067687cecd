import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type EncodingName, encoding } from '#src/clearing/encoding.js';
import { IpmMessage } from '#src/clearing/ipm/message.js';
import { ipmProfile } from '#src/clearing/ipm/profile.js';
import { RdwReader } from '#src/clearing/rdw-reader.js';
import { sharedPath } from '../support/shared.js';

type Row = Record<string, string | number>;

/** Every element and subelement of a message as the oracles write it. */
function row(message: IpmMessage): Row {
  const out: Row = { MTI: String(message.mti) };
  message.each((field) => {
    if (ipmProfile.carriers.includes(field)) return;
    const text = message.text(field);
    const name = `DE${field}`;
    if ([4, 5, 6, 26, 71].includes(field)) out[name] = message.number(field);
    else if (field === 55) out[name] = Buffer.from(text, 'latin1').toString('hex');
    else if (field === 12) {
      const [year, month, day, hour, minute, second] = text.match(/../g)!;
      out[name] = `20${year}-${month}-${day}T${hour}:${minute}:${second}`;
    } else out[name] = text;
  });
  for (let i = 0; i < message.pdsCount; i++) {
    const tag = message.pdsTag(i);
    out[`PDS${String(tag).padStart(4, '0')}`] = message.pdsText(tag);
  }
  return out;
}

const samples = [
  { file: 'issuer_1000_1_ascii_vbs.ipm', name: 'ascii', blocked: false },
  { file: 'issuer_1000_1_ebcdic_1014.ipm', name: 'cp500', blocked: true },
] as const;
const folder = sharedPath('samples', 'ipm');

describe.skipIf(folder === undefined)('sample files (skipped when ../shared is absent)', () => {
  it.each(samples)('$file: no difference to its oracle', ({ file, name, blocked }) => {
    const oracle = readFileSync(sharedPath('samples', 'ipm', 'issuer_1000_1.oracle.jsonl')!, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Row);
    const reader = new RdwReader(blocked);
    const message = new IpmMessage(ipmProfile, encoding(name));
    reader.push(readFileSync(sharedPath('samples', 'ipm', file)!));
    const rows: Row[] = [];
    while (reader.next()) {
      expect(message.decode(reader.bytes, reader.start, reader.end)).toBe(true);
      rows.push(row(message));
    }
    reader.finish();
    expect(reader).toMatchObject({ fault: undefined, endSeen: true });
    expect(rows).toEqual(oracle.map(({ _note, ...rest }) => rest));
  });
});

interface Vector {
  id: string;
  algorithm: string;
  inputs: { encoding: 'latin_1' | 'cp500'; hex: string; hexBitmap?: boolean };
  expected: Row;
}
const vectorPath = sharedPath('vectors', 'clearing.json');
const vectors =
  vectorPath === undefined
    ? []
    : (JSON.parse(readFileSync(vectorPath, 'utf8')) as { vectors: Vector[] }).vectors.filter(
        ({ algorithm, inputs }) => algorithm.startsWith('IPM message (') && inputs.hex !== undefined,
      );

describe.skipIf(vectorPath === undefined)('reference vectors (skipped when ../shared is absent)', () => {
  it.each(vectors)('$id $algorithm', ({ inputs, expected }) => {
    const name: EncodingName = inputs.encoding === 'cp500' ? 'cp500' : 'ascii';
    const message = new IpmMessage(ipmProfile, encoding(name));
    const bytes = Buffer.from(inputs.hex, 'hex');
    message.decode(bytes, 0, bytes.length);
    expect(message.error).toBeUndefined();
    expect(row(message)).toEqual(expected);
  });
});
