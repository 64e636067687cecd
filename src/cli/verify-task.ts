/** The process in which `holdfast verify` reads the data (reading-process.ts). */
import { serveTask } from './reading-process.js';
import { verifyData } from './verify-data.js';

await serveTask(([dataDir], onProgress, suspect) => verifyData(dataDir!, onProgress, suspect));
