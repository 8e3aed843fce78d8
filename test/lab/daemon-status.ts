/** What anybody gets from the daemon's socket, without starting a program for it. */
import { request } from 'node:http';
import type { StatusReport } from '../../src/model/status.js';
import type { Host } from './host.js';

const ANSWER_MS = 5_000;

/** Rejects when no daemon answers on this host. */
export async function statusOf(host: Host, instance = 'flannel0'): Promise<StatusReport> {
  return (await ask(host, instance, 'GET', '/status')) as StatusReport;
}

/** What `apply` is told that finds a daemon: it looks at everything anew, until nothing is left to do. */
export async function applyThrough(host: Host, instance = 'flannel0'): Promise<unknown> {
  return ask(host, instance, 'POST', '/apply');
}

function ask(host: Host, instance: string, method: string, path: string): Promise<unknown> {
  // A path leads to a socket from any namespace.
  const socketPath = `/proc/${host.pid}/root/run/flannelette/${instance}.sock`;
  return new Promise((resolve, reject) => {
    const question = request({ socketPath, method, path, timeout: ANSWER_MS }, (message) => {
      let body = '';
      message.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      message.once('error', reject);
      message.once('end', () => {
        if (message.statusCode === 200) resolve(JSON.parse(body));
        else reject(new Error(`The daemon answered ${message.statusCode} to ${path}: ${body}`));
      });
    });
    question.once('timeout', () =>
      question.destroy(new Error(`The daemon gave no answer in ${ANSWER_MS} ms`)),
    );
    question.once('error', reject);
    question.end();
  });
}
