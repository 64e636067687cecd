/** The process in which the journal is sealed, exported, and folded into an anchor (control/journal/task.ts). */
import { setPriority } from 'node:os';
import type { AnchorDocument } from '../journal/anchor.js';
import { exportFolder } from '../journal/lane-export.js';
import { type LaneManifest, sealFolder } from '../journal/lane-manifest.js';
import { BATCH_NICE } from '../thread-priority.js';
import { type AnchorRequest, buildAnchor } from './anchor-build.js';
import { serveTask } from './reading-process.js';

type Request =
  | { do: 'seal'; folder: string }
  | { do: 'export'; folder: string; to: string }
  | { do: 'anchor'; request: AnchorRequest };

// Whoever answers authorizations comes first.
setPriority(BATCH_NICE);
await serveTask<LaneManifest | AnchorDocument>(([text], onProgress) => {
  const request = JSON.parse(text!) as Request;
  switch (request.do) {
    case 'seal':
      return sealFolder(request.folder, onProgress);
    case 'export':
      return exportFolder(request.folder, request.to, onProgress);
    case 'anchor':
      return buildAnchor(request.request, onProgress);
  }
});
