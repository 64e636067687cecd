/** Clearing files of tests, sent to a control plane in one process. */
import { expect, vi } from 'vitest';
import type { AnswerBody, Harness } from './harness.js';

/** For what comes by itself: a busy machine takes its time. */
export const WITHIN = { timeout: 60_000 } as const;

/** Sends a file and waits until it is posted or quarantined. @returns the file as it is then */
export async function posted(h: Harness, file: Buffer): Promise<AnswerBody> {
  const type = { 'content-type': 'application/octet-stream' };
  const { body: sent } = await h.call('POST', '/v1/clearing-files', file, type);
  let body = sent;
  await vi.waitFor(async () => {
    ({ body } = await h.call('GET', `/v1/clearing-files/${sent.id}`));
    expect(body.status).not.toBe('processing');
  }, WITHIN);
  return body;
}
