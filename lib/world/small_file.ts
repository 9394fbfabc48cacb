/** A file that is there but is not what a setting is read from; the message says why. */
export class UnsuitableFile extends Error {}

/**
 * Text of a regular file (or of /dev/null) of at most `maxBytes`. Rejects with {@link UnsuitableFile} for
 * anything else: a pipe may never end, or be empty when it is read again.
 */
export async function readSmallFile(path: string, maxBytes: number): Promise<string> {
  if (!(await Deno.stat(path)).isFile && path !== "/dev/null") throw new UnsuitableFile("not a regular file");
  using file = await Deno.open(path, { read: true });
  const buffer = new Uint8Array(maxBytes + 1);
  let length = 0;
  for (let read: number | null; (read = await file.read(buffer.subarray(length))) !== null;) {
    length += read;
    if (length > maxBytes) throw new UnsuitableFile(`larger than ${maxBytes} bytes`);
  }
  return new TextDecoder().decode(buffer.subarray(0, length));
}
