/** The process in which `holdfast replay` reads the data (reading-process.ts). */
import { serveTask } from './reading-process.js';
import { type ReplayRequest, replayData } from './replay-data.js';

await serveTask(([dataDir, request], onProgress) =>
  replayData(dataDir!, JSON.parse(request!) as ReplayRequest, onProgress),
);
