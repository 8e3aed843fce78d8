/**
 * A process that tries one write where it cannot succeed, in a mount namespace of its own, and prints what
 * came of it as JSON.
 *
 *   node failing-writes.js full|read-only|forbidden DIRECTORY
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SystemError } from '../../src/ports.js';
import { systemFiles } from '../../src/sys/files.js';

const [how, directory = ''] = process.argv.slice(2);
const path = join(directory, 'subnet.env');
const NOBODY = 65534;

execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=0755', 'tmpfs', directory]);
writeFileSync(path, 'old');
if (how === 'read-only') execFileSync('mount', ['-o', 'remount,ro', directory]);
if (how === 'forbidden') process.setuid?.(NOBODY);

const error = await systemFiles.write(path, 'x'.repeat(100 * 1024), 0o644).catch((reason: unknown) => reason);
const failed = error instanceof SystemError ? { code: error.code, message: error.message } : String(error);
const left = { names: readdirSync(directory), content: readFileSync(path, 'utf8') };
// Space is back: the next write succeeds without further ado.
if (how === 'full') await systemFiles.write(path, 'new', 0o644);
process.stdout.write(JSON.stringify({ failed, ...left, later: readFileSync(path, 'utf8') }));
