/** The peers that are measured, in the order of the table. */
import type { PeerCase } from './job.js';
import { postgresCase } from './postgres.js';
import { redisCase } from './redis.js';
import { sqliteCase } from './sqlite.js';

export const peerCases: readonly PeerCase[] = [
  postgresCase('postgres', 1),
  postgresCase('postgres-batch', 100),
  redisCase('redis', 'always'),
  redisCase('redis-everysec', 'everysec'),
  sqliteCase('sqlite', 1),
  sqliteCase('sqlite-batch', 100),
];
