/**
 * The user's token on every call of a client. etcd3 would log in by itself, but over a channel that it never closes: one
 * connection more for every client that is made anew.
 */
import type { InterceptingCall, Interceptor } from '@grpc/grpc-js';
import type { Etcd3 } from 'etcd3';

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export class Login {
  #token: string | undefined;

  /** Calls made before are nobody's. */
  async begin({ username: name, password }: Credentials, client: Pick<Etcd3, 'auth'>): Promise<void> {
    const { token } = await client.auth.authenticate({ name, password });
    this.#token = token;
  }

  interceptor(Call: typeof InterceptingCall): Interceptor {
    return (options, next) =>
      new Call(next(options), {
        start: (metadata, _listener, go) => {
          if (this.#token !== undefined) metadata.set('token', this.#token);
          go(metadata, {
            onReceiveStatus: (status, pass) =>
              pass({ ...status, details: status.details.replace(REFUSED_TOKEN, 'invalid auth token') }),
          });
        },
      });
  }
}

/** By these words etcd3 would know it, and repeat the call for ever. */
const REFUSED_TOKEN = 'etcdserver: invalid auth token';
