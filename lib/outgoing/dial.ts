import type { ClientRequestArgs } from "node:http";
// @ts-types="@types/ws"
import { type ClientOptions, type RawData, WebSocket } from "ws";
import type {
  DialRequest,
  NetworkFailure,
  PeerSocket,
  PeerSocketListener,
  PinnedHost,
} from "../world/mod.ts";
import type { Deadline } from "./deadline.ts";
import { failure, failureOf } from "./failure.ts";
import { ADDRESS_ATTEMPT_MS, pinnedLookup } from "./pinned_lookup.ts";

/** How all connections of one network are made. */
export interface ConnectionOptions {
  readonly userAgent: string;
  /** Certificate authorities (PEM) trusted beside those of the system; undefined adds none. */
  readonly certificateAuthorities: readonly string[] | undefined;
}

/** How long a peer may take to answer a close before the connection is cut. */
const CLOSE_ANSWER_MS = 3_000;
/** Unsent bytes above which pings are not answered: a peer that does not read gets no queue. */
const MAX_PONG_QUEUE = 65_536;
const MAX_FRAGMENTS = 4_096;
const MAX_REASON = 120;

/** Opens a WebSocket to one of the checked addresses; the deadline covers everything up to the upgrade. */
export function openSocket(
  pinned: PinnedHost,
  request: DialRequest,
  deadline: Deadline,
  options: ConnectionOptions,
): Promise<{ readonly ok: true; readonly socket: PeerSocket } | NetworkFailure> {
  return new Promise((resolve) => {
    let socket: WebSocket;
    try {
      socket = new WebSocket(request.url, clientOptions(pinned, request, options));
    } catch (error) {
      return resolve(failureOf(error));
    }
    const onDeadline = () => socket.terminate();
    deadline.signal.addEventListener("abort", onDeadline, { once: true });
    const onError = (error: Error) => {
      deadline.signal.removeEventListener("abort", onDeadline);
      resolve(deadline.signal.aborted ? deadline.failure() : failureOf(error));
    };
    socket.once("error", onError);
    socket.once("open", () => {
      deadline.signal.removeEventListener("abort", onDeadline);
      socket.off("error", onError);
      resolve({ ok: true, socket: new WsPeerSocket(socket, request.listener, request.signal) });
    });
    if (deadline.signal.aborted) onDeadline();
  });
}

/** Options of the socket and of `ws` that their type declarations lack. */
interface UntypedOptions {
  readonly closeTimeout: number;
  readonly autoSelectFamilyAttemptTimeout: number;
}

function clientOptions(pinned: PinnedHost, request: DialRequest, options: ConnectionOptions) {
  const client: ClientOptions & ClientRequestArgs & UntypedOptions = {
    lookup: pinnedLookup(pinned),
    autoSelectFamilyAttemptTimeout: ADDRESS_ATTEMPT_MS,
    maxPayload: request.maxMessageBytes,
    maxFragments: MAX_FRAGMENTS,
    perMessageDeflate: false,
    followRedirects: false,
    autoPong: false,
    closeTimeout: CLOSE_ANSWER_MS,
    headers: { "User-Agent": options.userAgent },
    ...(options.certificateAuthorities && { ca: [...options.certificateAuthorities] }),
  };
  return client;
}

/** A WebSocket of the `ws` package as the rest of the server knows it. */
class WsPeerSocket implements PeerSocket {
  readonly #socket: WebSocket;
  readonly #listener: PeerSocketListener;
  readonly #signal: AbortSignal;
  readonly #onAbort = () => this.#socket.terminate();
  /** From our own close on only the end is told. */
  #isClosing = false;
  #isClosed = false;
  #error: string | undefined;

  constructor(socket: WebSocket, listener: PeerSocketListener, signal: AbortSignal) {
    this.#socket = socket;
    this.#listener = listener;
    this.#signal = signal;
    socket.on("message", (data, isBinary) => this.#onMessage(data, isBinary));
    socket.on("ping", (data) => this.#onPing(data));
    socket.on("error", (error) => this.#error ??= failureOf(error).text);
    socket.on("close", (code, reason) => this.#onClose(code, reason));
    signal.addEventListener("abort", this.#onAbort, { once: true });
    if (signal.aborted) this.#onAbort();
  }

  get queuedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  send(text: string): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    // A failed write ends the connection, which is reported there.
    this.#socket.send(text, () => {});
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#isClosing = true;
    // A paused socket would not read the answer.
    this.#socket.resume();
    this.#socket.close(1000);
  }

  /** Relays speak text; a binary message means nothing and costs nothing further. */
  #onMessage(data: RawData, isBinary: boolean): void {
    if (isBinary || this.#isClosing || this.#isClosed) return;
    this.#listener.message(data.toString());
  }

  #onPing(data: Uint8Array): void {
    if (this.#socket.readyState !== WebSocket.OPEN || this.queuedBytes > MAX_PONG_QUEUE) return;
    this.#socket.pong(data, true, () => {});
  }

  #onClose(code: number, reason: Uint8Array): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#signal.removeEventListener("abort", this.#onAbort);
    const said = new TextDecoder().decode(reason);
    const text = this.#error ?? `closed with code ${code}${said === "" ? "" : `: ${said}`}`;
    this.#listener.closed(failure("network", text).text.slice(0, MAX_REASON));
  }
}
