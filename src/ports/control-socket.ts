/** The daemon's socket: what is asked there, and what is answered. */

export interface ControlRequest {
  readonly method: 'GET' | 'POST';
  /** `/status`, `/apply?timeoutMs=30000`. */
  readonly path: string;
}

export interface ControlReply {
  /** HTTP status. */
  readonly status: number;
  readonly body: string;
  /** Media type of the body; text for people when absent. */
  readonly contentType?: string;
}

/** `gone` aborts when whoever has asked does not wait for the reply any more. */
export type ControlAnswer = (request: ControlRequest, gone: AbortSignal) => Promise<ControlReply>;

/** HTTP over a unix socket: `curl --unix-socket /run/flannelette/flannel0.sock http://localhost/status`. */
export interface ControlSocket {
  /** Answers at `path` (0660, directory 0755) until `signal` aborts, also after it was removed; a left-over socket is replaced. Rejects with SystemError. */
  serve(path: string, answer: ControlAnswer, signal: AbortSignal): Promise<void>;
  /** Undefined when nobody listens at `path`. Rejects with PrivilegeError when it is closed to us, with SystemError when the answer breaks off, and on abort. */
  ask(path: string, request: ControlRequest, signal: AbortSignal): Promise<ControlReply | undefined>;
}
