/** Certificates of the run, made by the openssl command and never kept in the repository. */
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';

export const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

/**
 * A self-signed certificate `<name>.pem` and its key `<name>.key` in a folder.
 * @param subject its subjectAltName
 */
export function makeCertificate(folder: string, name: string, subject = 'IP:127.0.0.1'): void {
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'].concat([
      ...['-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.pem`), '-subj', `/CN=${name}`],
      ...['-addext', `subjectAltName=${subject}`],
    ]),
    { stdio: 'ignore' },
  );
}
