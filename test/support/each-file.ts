/** Runs before each test file (vitest.config.ts), also where files share a process. */
import { afterAll, afterEach } from 'vitest';
import { cleanUpFile, cleanUpTest } from './clean-up.js';

afterEach(cleanUpTest);
afterAll(cleanUpFile);
