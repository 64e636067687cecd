/** The keys of the vault: what there is, and their rotations (control/keys). No key is ever handed out. */
import type { z } from 'zod';
import type { RotatedUsage } from '../../vault/keys.js';
import { type KeyRotationState, rotationProgress } from '../../vault/pan-vault.js';
import type { FingerprintRotation } from '../keys/fingerprint-rotation.js';
import type { KeyRotation } from '../keys/rotation.js';
import { ApiError } from '../problem.js';
import { type Route, route } from '../route.js';
import * as schemas from '../schemas-keys.js';
import { time } from '../views.js';

export interface KeyRotations {
  readonly pan: KeyRotation;
  readonly fingerprint: FingerprintRotation;
}

export function keyRoutes(rotations: KeyRotations | undefined): Route[] {
  const required = (): KeyRotations => {
    if (rotations === undefined) throw new ApiError('not_supported', 'This server has no key file.');
    return rotations;
  };
  return [
    route({
      id: 'getKeys',
      method: 'GET',
      path: '/v1/keys',
      tag: 'operations',
      summary: 'The keys of the vault by their check values, and the newest rotations',
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
      summary:
        'Make a new PAN key and encrypt every card number anew, or a new fingerprint key and give every card another fingerprint',
      description:
        '`usage` says which; `pan` when it is absent. Goes on in the background, one at a time, and at the next start when the process ends. Cards can be read and used at any moment. The key before stays in the key file, retired: files and backups of the time before need it.',
      access: 'admin',
      idempotency: 'answer',
      approval: 'keys',
      body: schemas.keyRotationCreate,
      errors: ['not_supported', 'rotation_running', 'rotation_refused'],
      answers: { 202: { description: 'The rotation, which goes on now', schema: schemas.keyRotation } },
      handle({ body: { usage = 'pan' } }) {
        const { pan, fingerprint } = required();
        if (pan.running || fingerprint.running)
          throw new ApiError('rotation_running', 'One rotation is made at a time.');
        const rotation = usage === 'pan' ? pan.start() : fingerprint.start();
        return { status: 202, body: rotationObject(usage, rotation, '') };
      },
    }),
  ];
}

function keysObject({ pan, fingerprint }: KeyRotations): z.input<typeof schemas.keys> {
  const { fileId, kek, keys } = pan.facts();
  return {
    object: 'keys',
    key_file: fileId,
    kek: kek ?? null,
    keys: keys.map(({ id, usage, state, kcv, created }) => ({ id, usage, state, kcv, created_at: created })),
    rotation: newestOf('pan', pan),
    fingerprint_rotation: newestOf('fingerprint', fingerprint),
  };
}

function newestOf(
  usage: RotatedUsage,
  { newest, failure }: Pick<KeyRotation, 'newest' | 'failure'>,
): z.input<typeof schemas.keyRotation> | null {
  return newest === undefined ? null : rotationObject(usage, newest, failure);
}

function rotationObject(
  usage: RotatedUsage,
  rotation: KeyRotationState,
  failure: string,
): z.input<typeof schemas.keyRotation> {
  const { key, startedMs, finishedMs, rows } = rotation;
  const done = finishedMs !== 0;
  return {
    object: 'key_rotation',
    usage,
    key,
    status: done ? 'done' : failure === '' ? 'running' : 'failed',
    progress: rotationProgress(rotation),
    rows,
    failure: failure === '' ? null : failure,
    started_at: time(startedMs),
    finished_at: done ? time(finishedMs) : null,
  };
}
