/**
 * Builds an anchor up to its commit (decision 0039): folds every shard from the anchor before, or from its first record, to the cut, with
 * the checks of `verify`, and writes its state. So what is about to go was verified, and the state follows from nothing else.
 */
import { assert, HoldfastError } from '../errors.js';
import {
  ANCHOR_FORMAT,
  type Anchor,
  type AnchorDocument,
  type AnchorShard,
  type DroppedFolder,
} from '../journal/anchor.js';
import { beginAnchor, finishDraft, StateWriter } from '../journal/anchor-writer.js';
import { frameHash } from '../journal/frame.js';
import { JournalReader } from '../journal/reader.js';
import { replayShard } from '../journal/verify.js';
import { TrialBalance, writeState } from './anchor-state.js';
import { DomainFold } from './verify-fold.js';

export interface AnchorRequest {
  readonly journalDir: string;
  readonly number: number;
  /** By shard: last sequence that goes, at least that of the anchor before. */
  readonly cuts: readonly number[];
  /** Folders that go now. */
  readonly folders: readonly DroppedFolder[];
  /** Wall clock, ms since 1970 UTC. */
  readonly nowMs: number;
}

/**
 * Leaves the anchor as a flushed draft, and answers its document.
 * @throws HoldfastError as `verifyDirectory`
 */
export async function buildAnchor(
  { journalDir, number, cuts, folders, nowMs }: AnchorRequest,
  onProgress: (records: number) => void,
): Promise<AnchorDocument> {
  const reader = JournalReader.open(journalDir, { readOnly: true });
  try {
    const before = reader.anchor;
    const draft = beginAnchor(journalDir, number);
    // Cards are in the vault whatever happens to the journal.
    const fold = new DomainFold(() => undefined);
    const balance = new TrialBalance();
    let records = 0;
    const shards = cuts.map((cut, shard) => {
      const done = records;
      const one = cutShard(reader, fold, balance, { shard, cut, draft, before }, (more) => {
        records = done + more;
        onProgress(records);
      });
      return one;
    });
    const dropped = [...(before?.document.dropped ?? []), ...folders];
    const document: AnchorDocument = {
      ...{ format: ANCHOR_FORMAT, number, createdMs: nowMs, shards },
      ...{ balances: balance.list(), dropped },
    };
    finishDraft(draft, document);
    return document;
  } finally {
    await reader.close();
  }
}

interface Cut {
  readonly shard: number;
  readonly cut: number;
  readonly draft: string;
  readonly before: Anchor | undefined;
}

function cutShard(
  reader: JournalReader,
  fold: DomainFold,
  balance: TrialBalance,
  { shard, cut, draft, before }: Cut,
  onProgress: (records: number) => void,
): AnchorShard {
  const floor = reader.floor(shard);
  assert(cut >= floor, `the cut of shard ${shard} does not go back`);
  fold.begin(shard);
  if (cut === 0) return emptyShard(shard);
  const last = replayShard(reader, shard, fold, ({ sequence }) => sequence <= cut, onProgress);
  if (cut > floor && last?.sequence !== cut)
    throw new HoldfastError('chain_broken', `shard ${shard} ends at ${last?.sequence ?? floor}, not at ${cut}`, '');
  const state = fold.state(shard);
  const writer = new StateWriter(draft, shard);
  writeState(state, writer, before);
  const file = writer.finish();
  state.ledger.forEach((currency, account, debit, credit) => {
    balance.add(currency, account, debit, credit);
  });
  const { high, low } = state.digest;
  const digest = { high: high >>> 0, low: low >>> 0 };
  fold.finish(shard, cut);
  const end = cut > floor ? endOf(reader, shard, cut) : before!.document.shards[shard]!;
  return { ...end, shard, sequence: cut, digest, timeMs: last?.timeMs ?? before!.floorMs(shard), ...file };
}

type ShardEnd = Pick<AnchorShard, 'epoch' | 'hash' | 'wallMs' | 'windowLagS'>;

/** What the frame that ends at the sequence says. */
function endOf(reader: JournalReader, shard: number, sequence: number): ShardEnd {
  let end: ShardEnd | undefined;
  reader.frames(shard, sequence, ({ epoch, lastSequence, wallMs, windowLagS }, bytes) => {
    assert(lastSequence === sequence, `a frame of shard ${shard} ends at the cut ${sequence}`);
    end = { epoch, hash: Buffer.from(frameHash(bytes)).toString('hex'), wallMs, windowLagS };
    return false;
  });
  assert(end !== undefined, `shard ${shard} has a frame at the cut ${sequence}`);
  return end;
}

function emptyShard(shard: number): AnchorShard {
  const nothing = { epoch: 1, sequence: 0, hash: '', wallMs: 0, timeMs: 0, bytes: 0, entries: 0, sha256: '' };
  return { ...nothing, shard, digest: { high: 0, low: 0 } };
}
