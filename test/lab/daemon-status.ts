/** The status report as anybody gets it from the daemon's socket, without starting a program for it. */
import { request } from 'node:http';
import type { StatusReport } from '../../src/model/status.js';
import type { Host } from './host.js';

const ANSWER_MS = 5_000;

/** Rejects when no daemon answers on this host. */
export function statusOf(host: Host, instance = 'flannel0'): Promise<StatusReport> {
  // A path leads to a socket from any namespace.
  const socketPath = `/proc/${host.pid}/root/run/flannelette/${instance}.sock`;
  return new Promise((resolve, reject) => {
    const question = request({ socketPath, path: '/status', timeout: ANSWER_MS }, (message) => {
      let body = '';
      message.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      message.once('error', reject);
      message.once('end', () => resolve(JSON.parse(body) as StatusReport));
    });
    question.once('timeout', () =>
      question.destroy(new Error(`The daemon gave no answer in ${ANSWER_MS} ms`)),
    );
    question.once('error', reject);
    question.end();
  });
}
