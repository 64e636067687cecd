/**
 * `holdfast backup <dir>` and `holdfast restore <dir>`: a copy of the data at one moment, beside a running server, and the way
 * back into an empty directory that is verified before any server can start on it. Keys are in neither.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { BackupManifest } from '../backup/manifest.js';
import { Restore } from '../backup/restore.js';
import { ExitStatus, HoldfastError } from '../errors.js';
import { BACKUP_BYTES_PER_SECOND } from '../limits.js';
import { keyFileFacts } from '../vault/keys.js';
import { workerFile } from '../worker-file.js';
import { newCommand, programName, type Run, setAction } from './command.js';
import { runTask } from './reading-process.js';
import { parseBytes } from './settings.js';
import type { VerifyReport } from './verify-data.js';

const RATE_MIN = 2 ** 16;

export function addBackup(program: Command, run: Run): void {
  const command = newCommand(
    program,
    'backup <dir>',
    'copy the data of a running or a stopped server, as of one moment',
    ['backup /backup/2026-11-27 --data-dir /var/lib/holdfast', 'backup /backup/2026-11-27 --rate 16MiB --json'],
  )
    .option('--data-dir <path>', 'data directory, of a stopped or a running server', './data')
    .option('--rate <bytes>', 'bytes per second, or a size such as 16MiB (64MiB)', rate, BACKUP_BYTES_PER_SECOND)
    .option('--json', 'the manifest as one JSON object, without the list of files');
  setAction(command, run, async (options, [target]) => {
    const task = fileURLToPath(workerFile(import.meta.url, './backup-task.js'));
    const args = [String(options.dataDir), target!, String(options.rate)];
    const manifest = await runTask<BackupManifest>('backup', task, args, run.terminal, 'bytes');
    run.terminal.out(options.json === true ? JSON.stringify(backupFacts(manifest)) : backupLine(manifest, target!));
    run.terminal.err(`keep apart from it: ${keysText(manifest)}, and a token with the scope admin`);
    return ExitStatus.ok;
  });
}

function rate(text: string): number {
  const bytes = parseBytes(text);
  if (bytes === undefined || bytes < RATE_MIN)
    throw new InvalidArgumentError('Allowed: bytes from 65536, or a size such as 16MiB.');
  return bytes;
}

function keysText({ keyFile, directory }: BackupManifest): string {
  return `the key file${keyFile === '' ? '' : ` ${keyFile}`} of directory ${directory.id}`;
}

/** The manifest as it is told: files by their number and length. */
export function backupFacts({ files, ...rest }: BackupManifest): object {
  return { ok: true, ...rest, files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) };
}

function backupLine(manifest: BackupManifest, target: string): string {
  const { records, head, files, created } = manifest;
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return `backup ok dir=${target} records=${records} head=${head} bytes=${bytes} created=${created}`;
}

export function addRestore(program: Command, run: Run): void {
  const command = newCommand(program, 'restore <dir>', 'put a backup into an empty directory and verify it', [
    'restore /backup/2026-11-27 --data-dir /var/lib/holdfast',
  ])
    .option('--data-dir <path>', 'directory to restore into: empty, or not there', './data')
    .option('--key-file <path>', 'keys of the data, compared with the backup (<data-dir>.keys)')
    .option('--json', 'what was verified as one JSON object');
  setAction(command, run, async (options, [backup]) => {
    const dataDir = String(options.dataDir);
    const keyFile = (options.keyFile as string | undefined) ?? `${dataDir.replace(/(?<=.)\/+$/, '')}.keys`;
    const restore = await Restore.begin(backup!, dataDir);
    try {
      const { manifest } = restore;
      const found = keysAreThere(keyFile, options.keyFile !== undefined, manifest);
      const report = await restored(restore, run);
      run.terminal.out(
        options.json === true ? JSON.stringify({ ok: true, data: dataDir, ...report }) : restoreLine(report, dataDir),
      );
      if (!found) run.terminal.err(`before the start: put ${keysText(manifest)} at ${keyFile}`);
      run.terminal.err(`next: ${programName()} serve --data-dir ${dataDir}`);
    } finally {
      await restore.close();
    }
    return ExitStatus.ok;
  });
}

async function restored(restore: Restore, run: Run): Promise<VerifyReport> {
  try {
    await restore.copy((bytes) => run.terminal.progress(`restore: ${bytes} bytes`));
    const task = fileURLToPath(workerFile(import.meta.url, './verify-task.js'));
    const report = await runTask<VerifyReport>('restore: verify', task, [restore.folder], run.terminal);
    assertSame(restore.manifest, report);
    restore.place();
    return report;
  } catch (error) {
    restore.abandon();
    throw error;
  }
}

/** What was verified is what the backup says of itself. */
function assertSame({ head, records, system }: BackupManifest, report: VerifyReport): void {
  if (report.head === head && report.records === records && report.system.hash === system.hash) return;
  throw new HoldfastError(
    'backup_damaged',
    `the data ends at records=${report.records} head=${report.head}, its manifest says records=${records} head=${head}`,
    'restore another backup; nothing was put into place',
  );
}

/** True when the key file is there, and the right one. @throws HoldfastError `key_file_mismatch`, `key_file_unreadable` */
function keysAreThere(path: string, named: boolean, manifest: BackupManifest): boolean {
  if (!named && !existsSync(path)) return false;
  const { fileId } = keyFileFacts(path, manifest.directory.id);
  if (manifest.keyFile === '' || manifest.keyFile === fileId) return true;
  throw new HoldfastError(
    'key_file_mismatch',
    `key file ${path} is ${fileId}, the data needs ${manifest.keyFile}`,
    'name the right one with --key-file; nothing was put into place',
  );
}

function restoreLine({ records, head, debits, credits }: VerifyReport, dataDir: string): string {
  return `restore ok data=${dataDir} records=${records} head=${head} debits=${debits} credits=${credits}`;
}
