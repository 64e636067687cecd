import type { Books } from './books.js';
import type { EntryAudit } from './entries.js';
import type { ClearingPosted } from './records.js';
import type { ShardAudit } from './shard-audit.js';

export class ClearingAudit {
  readonly #shard: ShardAudit;
  constructor(shard: ShardAudit, _books: Books, _entries: EntryAudit) {
    this.#shard = shard;
  }
  posted(r: ClearingPosted): void {
    this.#shard.model.past.add({ atMs: r.atMs });
  }
}
