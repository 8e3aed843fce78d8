/** The packages that an etcd client is made of: loaded by itself, when one is first needed. */
export { InterceptingCall } from '@grpc/grpc-js';
export { noop } from 'cockatiel';
export { Etcd3 } from 'etcd3';
