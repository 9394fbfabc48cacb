/** One line of a source. */
export type Line =
  | { readonly number: number; readonly text: string }
  | { readonly number: number; readonly problem: string };

/** Longest line, in bytes; relays accept far smaller events. */
const MAX_LINE_BYTES = 4 << 20;

/** The lines of a byte stream without blank ones; a line that is too long or no UTF-8 is a problem. */
export async function* linesOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Line> {
  let pieces: Uint8Array[] = [];
  let length = 0;
  let number = 1;
  const add = (piece: Uint8Array) => {
    length += piece.length;
    if (length <= MAX_LINE_BYTES) pieces.push(piece);
    else pieces = [];
  };
  const take = (): Line | undefined => {
    const line = lineOf(number++, pieces, length);
    pieces = [];
    length = 0;
    return line;
  };
  for await (const chunk of stream) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      add(chunk.subarray(start, end));
      start = end + 1;
      const line = take();
      if (line) yield line;
    }
    add(chunk.slice(start));
  }
  const last = take();
  if (last) yield last;
}

function lineOf(number: number, pieces: readonly Uint8Array[], length: number): Line | undefined {
  if (length > MAX_LINE_BYTES) return { number, problem: `longer than ${MAX_LINE_BYTES >> 20} MiB` };
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes).trim();
    return text === "" ? undefined : { number, text };
  } catch {
    return { number, problem: "not UTF-8" };
  }
}
