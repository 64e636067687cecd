/** The keys of the vault: what there is, and the rotation of the PAN key (keys/rotation.ts). No key is ever handed out. */
import type { z } from 'zod';
import type { PanRotation } from '../../vault/pan-vault.js';
import type { KeyRotation } from '../keys/rotation.js';
import { ApiError } from '../problem.js';
import { type Route, route } from '../route.js';
import * as schemas from '../schemas-keys.js';
import { time } from '../views.js';

export function keyRoutes(rotation: KeyRotation | undefined): Route[] {
  const required = (): KeyRotation => {
    if (rotation === undefined) throw new ApiError('not_supported', 'This server has no key file.');
    return rotation;
  };
  return [
    route({
      id: 'getKeys',
      method: 'GET',
      path: '/v1/keys',
      tag: 'operations',
      summary: 'The keys of the vault by their check values, and the newest rotation',
      access: 'admin',
      idempotency: 'none',
      errors: ['not_supported'],
      answers: { 200: { description: 'The keys', schema: schemas.keys } },
      handle: () => ({ status: 200, body: keysObject(required()) }),
    }),
    route({
      id: 'rotateKeys',
      method: 'POST',
      path: '/v1/keys/rotations',
      tag: 'operations',
      summary: 'Make a new PAN key, and encrypt every card number anew',
      description:
        'Goes on in the background, one at a time, and at the next start when the process ends. Cards can be read and used at any moment. The key before stays in the key file, retired: files and backups of the time before need it.',
      access: 'admin',
      idempotency: 'answer',
      approval: 'keys',
      body: schemas.keyRotationCreate,
      errors: ['not_supported', 'rotation_running', 'rotation_refused'],
      answers: { 202: { description: 'The rotation, which goes on now', schema: schemas.keyRotation } },
      handle: () => ({ status: 202, body: rotationObject(required().start(), '') }),
    }),
  ];
}

function keysObject(rotation: KeyRotation): z.input<typeof schemas.keys> {
  const { fileId, kek, keys } = rotation.facts();
  const { newest, failure } = rotation;
  return {
    object: 'keys',
    key_file: fileId,
    kek: kek ?? null,
    keys: keys.map(({ id, usage, state, kcv, created }) => ({ id, usage, state, kcv, created_at: created })),
    rotation: newest === undefined ? null : rotationObject(newest, failure),
  };
}

function rotationObject(
  { key, startedMs, finishedMs, rows, at }: PanRotation,
  failure: string,
): z.input<typeof schemas.keyRotation> {
  const done = finishedMs !== 0;
  return {
    object: 'key_rotation',
    key,
    status: done ? 'done' : failure === '' ? 'running' : 'failed',
    progress: done ? 1 : reached(at),
    rows,
    failure: failure === '' ? null : failure,
    started_at: time(startedMs),
    finished_at: done ? time(finishedMs) : null,
  };
}

/** Fingerprints are spread evenly: the place of one among all is the share of rows before it. */
function reached(at: string): number {
  return at === '' ? 0 : Math.floor((Number.parseInt(at.slice(0, 8), 16) / 2 ** 32) * 1000) / 1000;
}
