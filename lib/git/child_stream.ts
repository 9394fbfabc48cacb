import type { FetchOutputFilter } from "./fetch_output.ts";
import type { GitChild, GitExit } from "./git_process.ts";
import type { OutputReader } from "./output_reader.ts";

/** Parts of a streamed answer made from a child's output. */
export interface ChildStreamOptions {
  readonly child: GitChild;
  readonly reader: OutputReader;
  /** Sent first. */
  readonly head: Uint8Array;
  readonly filter?: FetchOutputFilter;
  readonly onBytes: (count: number) => void;
  /** Awaited before the answer ends, e.g. until the request body is read. */
  readonly before?: Promise<unknown>;
  /** Called once when the child is gone, with `cut` when the client saw no clean end. */
  readonly onEnd: (exit: GitExit, cut: boolean) => void;
}

/**
 * Streams the rest of a child's output as the client reads it. A killed child breaks the answer off,
 * so that no client takes half a pack for a whole one; a client that leaves ends the child.
 */
export function childStream(options: ChildStreamOptions): ReadableStream<Uint8Array> {
  const { child, reader, filter, onBytes } = options;
  let pending: Uint8Array | undefined = options.head;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const send = (bytes: Uint8Array) => {
        onBytes(bytes.length);
        controller.enqueue(bytes);
      };
      while (true) {
        const chunk: Uint8Array | undefined = pending ?? await reader.read();
        pending = undefined;
        if (chunk === undefined) break;
        const bytes = filter ? filter.push(chunk) : chunk;
        if (bytes.length > 0) return send(bytes);
      }
      const exit = await child.ended;
      const rest = filter?.end() ?? new Uint8Array();
      if (rest.length > 0) send(rest);
      await options.before;
      const cut = exit.signal !== undefined;
      options.onEnd(exit, cut);
      if (cut) controller.error(new Error("git was ended"));
      else controller.close();
    },
    async cancel() {
      child.kill();
      await reader.cancel();
      options.onEnd(await child.ended, true);
    },
  }, { highWaterMark: 0 });
}
