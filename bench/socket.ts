/** A WebSocket whose frames are handed on unread; no history, no parsing, so that the client stays cheap. */
export class BareSocket {
  readonly #socket: WebSocket;
  /** Called for every text frame. */
  onFrame: (frame: string) => void = () => {};
  /** Called once when the connection ends. */
  onEnd: (reason: string) => void = () => {};

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.onFrame(data as string);
    socket.onclose = ({ code, reason }) => this.onEnd(`connection closed: ${code} ${reason}`);
  }

  /** Connects to `url` (`ws://…`). */
  static connect(url: string): Promise<BareSocket> {
    const socket = new WebSocket(url);
    return new Promise((resolve, reject) => {
      socket.onopen = () => resolve(new BareSocket(socket));
      socket.onerror = () => reject(new Error(`cannot connect to ${url}`));
    });
  }

  /** Sends one text frame. */
  send(frame: string): void {
    this.#socket.send(frame);
  }

  /** Closes the connection. */
  close(): void {
    this.#socket.close();
  }

  /** Sends `request` and counts frames until one starts with `last`; rejects when the connection ends. */
  countUntil(request: string, last: string): Promise<number> {
    return new Promise((resolve, reject) => {
      let frames = 0;
      this.onEnd = (reason) => reject(new Error(reason));
      this.onFrame = (frame) => {
        frames++;
        if (frame.startsWith(last)) resolve(frames);
      };
      this.send(request);
    });
  }
}

/**
 * Sends frames of `["EVENT", …]`, at most `window` unanswered, and waits for as many OKs. Rejects at
 * the first refusal, or when the connection ends.
 */
export function publishAll(socket: BareSocket, frames: readonly string[], window: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let sent = 0;
    let answered = 0;
    socket.onEnd = (reason) => reject(new Error(reason));
    socket.onFrame = (frame) => {
      // ["OK","<64 digits>",true,""]
      if (!frame.startsWith('["OK",') || !frame.startsWith("true", 73)) return reject(new Error(frame));
      answered++;
      if (sent < frames.length) socket.send(frames[sent++]!);
      if (answered === frames.length) resolve();
    };
    while (sent < Math.min(window, frames.length)) socket.send(frames[sent++]!);
    if (frames.length === 0) resolve();
  });
}

/** Opens `count` subscriptions and waits for their EOSE. */
export async function subscribe(
  socket: BareSocket,
  count: number,
  filter: Readonly<Record<string, unknown>>,
): Promise<void> {
  for (let n = 1; n <= count; n++) {
    await socket.countUntil(JSON.stringify(["REQ", `s${n}`, filter]), '["EOSE"');
  }
}
