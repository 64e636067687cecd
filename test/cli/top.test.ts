/** `holdfast top` against fixed answers of /metrics, and against servers that are none. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { Scrape, Span } from '#src/cli/scrape.js';
import { topLines, topView } from '#src/cli/top-view.js';
import { ExitStatus } from '#src/errors.js';
import { say } from './fake-terminal.js';

/** A page after `n` seconds of 1 000 approvals and 50 declines a second. */
function page(n: number, more: readonly string[] = []): string {
  const stages = ['route', 'decode', 'queue', 'decide', 'journal', 'encode', 'write'];
  const histogram = (name: string, labels: string, under: readonly number[], sum: number): string[] => [
    ...['0.000096', '0.001536', '0.003072'].map((le, at) => `${name}_bucket{${labels}le="${le}"} ${under[at]! * n}`),
    `${name}_bucket{${labels}le="+Inf"} ${under[3]! * n}`,
    `${name}_sum{${labels.slice(0, -1)}} ${sum * n}`,
    `${name}_count{${labels.slice(0, -1)}} ${under[3]! * n}`,
  ];
  return [
    '# HELP holdfast_responses_total Answers by DE39.',
    `holdfast_authorizations_total{mti="0100",result="approved"} ${1000 * n}`,
    `holdfast_authorizations_total{mti="0100",result="declined"} ${40 * n}`,
    `holdfast_authorizations_total{mti="0200",result="declined"} ${10 * n}`,
    `holdfast_responses_total{code="00"} ${1000 * n}`,
    `holdfast_responses_total{code="51"} ${50 * n}`,
    `holdfast_shed_total{cause="disk"} 0`,
    `holdfast_shed_total{cause="rate"} ${7 * n}`,
    ...histogram('holdfast_authorization_duration_seconds', '', [0, 900, 1049, 1050], 1.05),
    ...stages.flatMap((stage) =>
      histogram('holdfast_stage_duration_seconds', `stage="${stage}",shard="shard-0",`, [10, 10, 10, 10], 0.0005),
    ),
    ...histogram('holdfast_journal_commit_duration_seconds', 'shard="shard-0",', [0, 98, 100, 100], 0.1),
    `holdfast_journal_batch_records_sum ${1050 * n}`,
    `holdfast_journal_batch_records_count ${100 * n}`,
    `holdfast_journal_batch_records_bucket{le="+Inf"} ${100 * n}`,
    'holdfast_shard_queue_depth{shard="shard-0"} 2048',
    'holdfast_shards 16',
    'holdfast_shards_answering 16',
    'holdfast_shards_refusing{cause="index_full"} 0',
    'holdfast_shard_rebuilds_total 0',
    'holdfast_accounts 1000',
    'holdfast_cards 1200',
    'holdfast_holds_open 12345',
    'holdfast_connections{transport="tcp",state="signed_on"} 3',
    'holdfast_connections{transport="tcp",state="signed_off"} 1',
    'holdfast_connections{transport="ws",state="signed_on"} 0',
    `holdfast_link_errors_total{kind="idle"} ${n}`,
    'holdfast_thread_memory_bytes{thread="shard-0",kind="heap"} 20971520',
    'holdfast_thread_memory_bytes{thread="shard-0",kind="external"} 44040192',
    'holdfast_thread_memory_bytes{thread="control",kind="heap"} 31457280',
    'holdfast_thread_memory_bytes{thread="control",kind="external"} 512',
    'holdfast_background_task_up{task="segments"} 1',
    'holdfast_disk_free_bytes 1073741824',
    'holdfast_disk_reserve_bytes 268435456',
    'holdfast_search_lag_records 153',
    'holdfast_ledger_imbalance 0',
    'holdfast_clock_paused 0',
    'holdfast_build_info{version="1.2.3",node="v20"} 1',
    `process_cpu_seconds_total ${1.25 * n}`,
    'process_start_time_seconds 1000',
    'process_resident_memory_bytes 278921216',
    `nodejs_gc_duration_seconds_sum{kind="minor"} ${0.002 * n}`,
    'nodejs_eventloop_lag_p99_seconds 0.011',
    ...more,
    '',
  ].join('\n');
}

const picture = (before: string, after: string): string =>
  topLines(topView(new Scrape(before, 0), new Scrape(after, 2000), 1000 + 93_784), '127.0.0.1:8580', '12:00:00').join(
    '\n',
  );

describe('the picture', () => {
  test('of an interval of two seconds', () => {
    expect(picture(page(10), page(12))).toMatchInlineSnapshot(`
      "holdfast 1.2.3  127.0.0.1:8580  up 1 d 2 h  12:00:00
      nothing needs attention

      answers 1 050/s  approved 1 000/s  declined 50/s
      codes   00 1 000/s  51 50/s
      shed    rate 7/s

      stage            per second    mean ms     p50 ms     p99 ms   p99.9 ms
      authorization         1 050      1.000      1.536      3.072      3.072
        route                  10      0.050      0.096      0.096      0.096
        decode                 10      0.050      0.096      0.096      0.096
        queue                  10      0.050      0.096      0.096      0.096
        decide                 10      0.050      0.096      0.096      0.096
        journal                10      0.050      0.096      0.096      0.096
        encode                 10      0.050      0.096      0.096      0.096
        write                  10      0.050      0.096      0.096      0.096
      commit                  100      1.000      1.536      3.072      3.072

      shards  16 of 16 answer, 0 refuse, 0 rebuilt
      books   1 000 accounts, 1 200 cards, 12 345 open holds
      journal 11 records a commit, segments 153 behind
      disk    1.0 GiB free, reserve 256.0 MiB
      tcp     3 signed on, 1 signed off
      ws      0 signed on
      errors  idle 1/s
      process 1.25 cores, 266.0 MiB resident; control: GC 2.0 ms/s, loop p99 11.0 ms

      thread                 heap   external      queue
      shard-0            20.0 MiB   42.0 MiB    2.0 KiB
      control            30.0 MiB      512 B          -"
    `);
  });

  test('of a server that has nothing to say', () => {
    expect(picture(page(10), page(10))).toContain('answers 0/s  none\ncodes   none\nshed    none\n');
    expect(picture(page(10), page(10))).toMatch(/^authorization {13}0 {10}- {10}- {10}- {10}-$/m);
  });

  test('fits 80 columns and 40 lines, whatever the server says', () => {
    const threads = Array.from(
      { length: 200 },
      (_, n) => `holdfast_thread_memory_bytes{thread="shard-${n}",kind="heap"} 1`,
    );
    const codes = Array.from({ length: 90 }, (_, n) => `holdfast_responses_total{code="x${n}"} 1000000000000`);
    const lines = picture(page(10), page(12, [...threads, ...codes])).split('\n');
    expect(lines.length).toBeLessThanOrEqual(40);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(lines).toContain('and 193 more');
  });

  test('says what needs attention', () => {
    const trouble = page(12)
      .replace('holdfast_shards_answering 16', 'holdfast_shards_answering 14')
      .replace('holdfast_ledger_imbalance 0', 'holdfast_ledger_imbalance 5')
      .replace('task_up{task="segments"} 1', 'task_up{task="segments"} 0')
      .replace('disk_free_bytes 1073741824', 'disk_free_bytes 5');
    const said = picture(page(10), trouble)
      .split('\n')
      .filter((line) => line.startsWith('! '));
    expect(said).toEqual([
      '! the ledger does not balance',
      '! shards that do not answer: 2',
      '! the disk is below its reserve',
      '! the background task segments has ended',
    ]);
  });

  test('shows a rotation of a key while it goes on, and says that one stands still', () => {
    const rotated = (progress: number, stalled: number): string =>
      picture(
        page(10),
        page(12, [
          'holdfast_key_rotation_progress_ratio{usage="pan"} 1',
          `holdfast_key_rotation_progress_ratio{usage="fingerprint"} ${progress}`,
          `holdfast_key_rotation_stalled{usage="fingerprint"} ${stalled}`,
        ]),
      );
    expect(rotated(0.437, 0)).toContain('\nkeys    the fingerprint key is being rotated: 43 %\n');
    expect(rotated(1, 0)).not.toContain('keys ');
    expect(rotated(0.437, 1)).toContain('! the rotation of the fingerprint key stands still\n');
  });

  test('series that stand for nothing to say raise no alarm', () => {
    const empty =
      'holdfast_background_task_up{task="none"} 0\nholdfast_key_rotation_progress_ratio{usage="none"} 0\nholdfast_build_info{version="1",node="v20"} 1\n';
    const { alarms, rotations } = topView(new Scrape(empty, 0), new Scrape(empty, 1000), 0);
    expect([alarms, rotations]).toEqual([[], {}]);
  });

  test('counts from its start when the server was started in between', () => {
    const anew = page(1).replace('start_time_seconds 1000', 'start_time_seconds 2000');
    const { answers_per_second, authorization } = topView(new Scrape(page(0.5), 0), new Scrape(anew, 1000), 3000);
    expect([answers_per_second, authorization.per_second]).toEqual([1050, 1050]);
  });
});

test('a percentile is the bound of its cell: of the interval, not of all time', () => {
  const cells = (low: number, high: number): string =>
    `t_bucket{le="0.1"} ${low}\nt_bucket{le="0.2"} ${low + high}\nt_bucket{le="+Inf"} ${low + high + 1}\n`;
  const span = new Span(new Scrape(cells(1000, 0), 0), new Scrape(cells(1000, 98), 1000));
  const { quantile, count } = span.histogram('t');
  // The one beyond the last bound was there before.
  expect([count, quantile(0.01), quantile(0.5), quantile(1)]).toEqual([98, 0.2, 0.2, 0.2]);
  expect(new Span(new Scrape(cells(5, 5), 0), new Scrape(cells(5, 5), 1)).histogram('t').quantile(0.5)).toBeUndefined();
});

describe('the command', () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  async function serving(answer: (asked: number) => [status: number, text: string]): Promise<string> {
    let asked = 0;
    server = createServer((_request, response) => {
      const [status, text] = answer(++asked);
      response.writeHead(status, { 'content-type': 'application/json' }).end(text);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  test('shows one interval and ends, as text and as JSON', async () => {
    const admin = await serving((asked) => [200, page(10 + asked)]);
    const text = await say(['top', '--once', '--interval', '100ms', '--admin', admin]);
    expect([text.status, text.err]).toEqual([0, '']);
    expect(text.out).toMatch(/^holdfast 1\.2\.3 {2}127\.0\.0\.1:\d+ {2}up /);
    expect(text.out).not.toContain('\x1b');
    const json = await say(['top', '--once', '--json', '--interval', '100ms', '--admin', admin]);
    const view = JSON.parse(json.out) as { codes_per_second: Record<string, number>; stages: object };
    expect(Object.keys(view.codes_per_second).sort()).toEqual(['00', '51']);
    expect(Object.keys(view.stages)).toHaveLength(7);
  });

  test('says that no server answers, that a token is asked for, that it is something else', async () => {
    const none = await say(['top', '--once', '--admin', 'http://127.0.0.1:1']);
    expect([none.status, none.out]).toEqual([ExitStatus.unavailable, '']);
    expect(none.err).toMatch(/^holdfast: no answer from http:\/\/127\.0\.0\.1:1: ECONNREFUSED\. Next: start it/);
    const locked = await serving(() => [401, '{"title":"No token","code":"unauthorized"}']);
    const refused = await say(['top', '--once', '--admin', locked]);
    expect(refused.err).toContain('No token (401 unauthorized). Next: give --token-file');
    expect(refused.status).not.toBe(0);
    server?.close();
    const other = await say(['top', '--once', '--admin', await serving(() => [200, 'node_load1 3\n'])]);
    expect(other.err).toMatch(/has no metrics of Holdfast\. Next: give --admin/);
    expect(other.status).not.toBe(0);
  });

  test('with --once a server that goes away between the two looks is an error', async () => {
    const admin = await serving((asked) => (asked === 1 ? [200, page(1)] : [503, '{"title":"gone"}']));
    const said = await say(['top', '--once', '--interval', '100ms', '--admin', admin]);
    expect([said.status === 0, said.out, said.err.includes('gone (503)')]).toEqual([false, '', true]);
  });
});
