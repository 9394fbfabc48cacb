/** What kept an outgoing connection from working; decides who is blamed and when it is tried again. */
export type NetworkFault =
  /** The address guard refused it: scheme, port, name or address. */
  | "blocked"
  | "dns"
  | "tls"
  /** The other side answered something else than the protocol asks for. */
  | "protocol"
  | "timeout"
  /** Refused, reset, unreachable. */
  | "network"
  /** More bytes than allowed. */
  | "too_large"
  /** We gave up ourselves. */
  | "aborted";

/** An outgoing connection that failed. `text` is for our log: one line, never relayed to clients. */
export interface NetworkFailure {
  readonly ok: false;
  readonly fault: NetworkFault;
  readonly text: string;
}

/** One WebSocket to a peer whose handshake is done. */
export interface PeerSocket {
  /** Queues one text message; nothing happens once closed. */
  send(text: string): void;
  /** Bytes queued that the system has not taken yet. */
  readonly queuedBytes: number;
  /** Stops reading: the peer feels back-pressure. Messages already read may still be delivered. */
  pause(): void;
  resume(): void;
  /** Closes (code 1000); the listener's `closed` follows, within seconds even if the peer is silent. */
  close(): void;
}

/** Told what a socket does. */
export interface PeerSocketListener {
  /** One text message; never after `closed`. */
  message(text: string): void;
  /** Exactly once, for whatever reason. */
  closed(reason: string): void;
}

/** How to dial a relay. */
export interface DialRequest {
  /** Normalised `ws:` or `wss:` URL. */
  readonly url: string;
  /** Named by the operator: exempt from the address guard, not from anything else. */
  readonly trusted: boolean;
  /** For name resolution, TCP, TLS and the upgrade together. */
  readonly timeoutMs: number;
  /** A longer message ends the connection. */
  readonly maxMessageBytes: number;
  readonly signal: AbortSignal;
  readonly listener: PeerSocketListener;
}

/** How to fetch a small document. */
export interface GetRequest {
  /** `http:` or `https:` URL. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly trusted: boolean;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** Each target is checked like a new URL; `https:` is never left for `http:`. */
  readonly maxRedirects: number;
  readonly signal: AbortSignal;
}

/** An answer to a {@link GetRequest}, whatever its status. */
export interface GetAnswer {
  readonly ok: true;
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
  /** Where it came from after redirects. */
  readonly url: string;
}

/** A URL whose host was resolved and checked; the connection has to use one of these addresses. */
export interface PinnedHost {
  readonly ok: true;
  readonly host: string;
  readonly port: number;
  /** At least one, in the order to try. */
  readonly addresses: readonly string[];
}

/**
 * All outgoing traffic. Every connection, redirects included, passes the address guard and goes to an
 * address that was checked, so that a second DNS answer does not matter.
 */
export interface Network {
  /** One attempt to open a WebSocket. Never rejects. */
  dial(request: DialRequest): Promise<{ readonly ok: true; readonly socket: PeerSocket } | NetworkFailure>;
  /** One HTTP GET. Never rejects. */
  get(request: GetRequest): Promise<GetAnswer | NetworkFailure>;
  /** Checks the host of a URL for a child process that connects by itself. Never rejects. */
  pin(url: string, options: { readonly signal: AbortSignal; readonly timeoutMs: number }): Promise<
    PinnedHost | NetworkFailure
  >;
}
