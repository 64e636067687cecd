import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSpool, SpoolError, SpoolWriter } from '#src/vault/spool.js';

const CHUNK = 65_536;
const key = { id: '0123456789abcdef', bytes: randomBytes(32) };
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-spool-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function written(name: string, parts: readonly Uint8Array[]): Promise<string> {
  const path = join(folder, name);
  const writer = await SpoolWriter.create(path, key);
  for (const part of parts) await writer.write(part);
  await writer.finish();
  await writer.close();
  return path;
}

async function read(path: string, keys = [key]): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of readSpool(path, keys)) parts.push(part);
  return Buffer.concat(parts);
}

describe('a spooled file', () => {
  it.each([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 200_001])(
    'of %i bytes comes back as it was',
    async (length) => {
      const content = randomBytes(length);
      const path = await written(`whole-${length}`, [content.subarray(0, 7), content.subarray(7)]);
      expect((await read(path)).equals(content)).toBe(true);
      expect(statSync(path).mode & 0o777).toBe(0o600);
    },
  );

  it('shows nothing of its content, and the same content differs', async () => {
    const content = Buffer.from('9999990000000014'.repeat(5000));
    const first = readFileSync(await written('a', [content]));
    const second = readFileSync(await written('b', [content]));
    expect(first.includes('99999900')).toBe(false);
    expect(first.subarray(40, 200).equals(second.subarray(40, 200))).toBe(false);
  });

  it('is refused when it is cut off at any chunk, changed, put together anew, or of another key', async () => {
    const content = randomBytes(3 * CHUNK + 5);
    const path = await written('damage', [content]);
    const whole = readFileSync(path);
    const sealed = CHUNK + 16;
    const header = whole.length - 3 * sealed - 5 - 16;
    const flipped = Buffer.from(whole);
    flipped[header + 9]! ^= 1;
    const swapped = Buffer.concat([
      whole.subarray(0, header),
      whole.subarray(header + sealed, header + 2 * sealed),
      whole.subarray(header, header + sealed),
      whole.subarray(header + 2 * sealed),
    ]);
    const bad: [string, Buffer][] = [
      ['nothing', Buffer.alloc(0)],
      ['no chunk', whole.subarray(0, header)],
      ['one chunk', whole.subarray(0, header + sealed)],
      ['three chunks', whole.subarray(0, header + 3 * sealed)],
      ['half a chunk', whole.subarray(0, header + sealed + 100)],
      ['one byte less', whole.subarray(0, -1)],
      ['one byte more', Buffer.concat([whole, Buffer.alloc(1)])],
      ['a flipped bit', flipped],
      ['swapped chunks', swapped],
      ['another magic', Buffer.concat([Buffer.from('X'), whole.subarray(1)])],
    ];
    for (const [name, bytes] of bad) {
      const copy = join(folder, 'bad');
      writeFileSync(copy, bytes);
      await expect(read(copy), name).rejects.toThrow(SpoolError);
    }
    await expect(read(path, [{ ...key, id: 'ffffffffffffffff' }])).rejects.toThrow('needs the key 0123456789abcdef');
    await expect(read(path, [{ ...key, bytes: randomBytes(32) }])).rejects.toThrow(SpoolError);
    // The key that was retired meanwhile is still among them.
    expect((await read(path, [{ id: 'ffffffffffffffff', bytes: randomBytes(32) }, key])).equals(content)).toBe(true);
  });

  it('is never made over another one', async () => {
    await written('once', []);
    await expect(SpoolWriter.create(join(folder, 'once'), key)).rejects.toThrow('EEXIST');
  });
});
