/** Certificates of the run, made by the openssl command and never kept in the repository. */
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
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

/**
 * A certificate `<name>.pem` that the self-signed `<authority>.pem` has signed, and its key.
 * @param days its validity from now; -1: it ended yesterday
 */
export function signCertificate(folder: string, name: string, authority: string, days = 2): void {
  const at = (file: string): string => join(folder, file);
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' });
  openssl(
    ...['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-keyout', at(`${name}.key`), '-out', at(`${name}.csr`), '-subj', `/CN=${name}`],
  );
  writeFileSync(at(`${name}.ext`), 'subjectAltName=IP:127.0.0.1\n');
  openssl(
    ...['x509', '-req', '-in', at(`${name}.csr`), '-CA', at(`${authority}.pem`), '-CAkey', at(`${authority}.key`)],
    ...['-CAcreateserial', '-days', String(days), '-extfile', at(`${name}.ext`), '-out', at(`${name}.pem`)],
  );
}
