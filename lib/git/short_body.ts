import { BodyError, type BodyLimits, type BodyReader } from "./received_body.ts";

/** Longest body that is taken in as a whole. Within the time a client may be silent, any line brings that much. */
const MAX_BYTES = 8 * 1024;

/** True for a body of a known length that {@link ShortBody} takes. */
export function isShort({ headers }: Request, declared: number): boolean {
  return declared > 0 && declared <= MAX_BYTES && !headers.has("transfer-encoding");
}

/** A body that arrives in one go, mostly together with its request: read as a whole, with one deadline for all of it. */
export class ShortBody implements BodyReader {
  #content: Promise<Uint8Array | BodyError> | undefined;

  constructor(request: Request, { deadlines, maxBytes, onBytes }: BodyLimits) {
    this.#content = new Promise((resolve) => {
      const arrived = deadlines.begin(() => resolve(new BodyError("idle")));
      request.bytes().then((bytes) => {
        arrived();
        onBytes?.(bytes.length);
        resolve(bytes.length > maxBytes ? new BodyError("too-large") : bytes);
      }, () => {
        arrived();
        resolve(new BodyError("gone"));
      });
    });
  }

  async read(): Promise<ReadableStreamReadResult<Uint8Array>> {
    const value = await this.#content;
    if (value instanceof BodyError) throw value;
    this.#content = undefined;
    return value ? { done: false, value } : { done: true };
  }

  /** What arrives still is dropped. */
  cancel(): Promise<void> {
    this.#content = undefined;
    return Promise.resolve();
  }
}
