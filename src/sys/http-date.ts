/** What time it is for a server, by the Date of any of its answers (RFC 9110, 6.6.1). */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';

/**
 * Milliseconds since the epoch, in whole seconds; undefined when the server says none, or not in time. A certificate is
 * not asked for its dates: with a wrong clock it would not fit.
 */
export function httpDate(url: string, deadlineMs: number): Promise<number | undefined> {
  const request = url.startsWith('https:') ? httpsRequest : httpRequest;
  return new Promise((resolve) => {
    const asked = request(
      new URL('/version', url),
      { rejectUnauthorized: false, timeout: deadlineMs, agent: false },
      (response) => {
        response.resume();
        const date = Date.parse(response.headers.date ?? '');
        resolve(Number.isNaN(date) ? undefined : date);
      },
    );
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(undefined));
    asked.end();
  });
}
