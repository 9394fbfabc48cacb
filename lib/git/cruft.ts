import { Buffer } from "node:buffer";
import type { Git } from "./git.ts";

/** First bytes of a pack index, and the sizes of what comes before its ids. */
const INDEX_SIGNATURE = 0xff744f63;
const INDEX_HEADER = 8;
const INDEX_COUNTS = 1_024;
const OID_BYTES = 20;
const TIMEOUT_MS = 60_000;

/**
 * Those `oids` that a cruft pack holds (all, when that cannot be told). Its index is: signature and version
 * (8 bytes), 256 counts of ids by first byte, then the ids in order.
 */
export async function heldByCruft(path: string, oids: Iterable<string>): Promise<string[]> {
  const wanted = [...new Set(oids)];
  const held = new Set<string>();
  for (const stem of wanted.length > 0 ? await cruftPacks(path) : []) {
    const index = await Deno.readFile(`${path}/objects/pack/${stem}.idx`).then(Buffer.from, () => undefined);
    for (const oid of wanted) if (!index || indexHolds(index, Buffer.from(oid, "hex"))) held.add(oid);
  }
  return [...held];
}

/**
 * Begins anew the age of objects that refs name, or are about to, although they were found unreachable: a copy
 * outside the cruft pack counts as wanted until it is found unreachable, and so does all that it reaches.
 */
export async function wantAgain(git: Git, path: string, oids: Iterable<string>): Promise<void> {
  const held = await heldByCruft(path, oids);
  if (held.length === 0) return;
  await git.run([`--git-dir=${path}`, "pack-objects", "--quiet", `${path}/objects/pack/pack`], {
    input: held.map((oid) => `${oid}\n`).join(""),
    timeoutMs: TIMEOUT_MS,
  });
}

async function cruftPacks(path: string): Promise<string[]> {
  const stems: string[] = [];
  try {
    for await (const { name } of Deno.readDir(`${path}/objects/pack`)) {
      if (name.endsWith(".mtimes")) stems.push(name.slice(0, -".mtimes".length));
    }
  } catch {
    // No packs.
  }
  return stems;
}

/** True also when the index is none, or cut off. */
function indexHolds(index: Buffer, oid: Buffer): boolean {
  const size = index.length < INDEX_HEADER + INDEX_COUNTS
    ? 0
    : index.readUInt32BE(INDEX_HEADER + INDEX_COUNTS - 4);
  const isWhole = index.length >= INDEX_HEADER + INDEX_COUNTS + OID_BYTES * size;
  if (size === 0 || !isWhole || index.readUInt32BE(0) !== INDEX_SIGNATURE) return true;
  const before = (byte: number) => byte < 0 ? 0 : index.readUInt32BE(INDEX_HEADER + 4 * byte);
  let [low, high] = [before(oid[0]! - 1), before(oid[0]!)];
  while (low < high) {
    const middle = (low + high) >> 1;
    const at = INDEX_HEADER + INDEX_COUNTS + OID_BYTES * middle;
    const order = index.compare(oid, 0, OID_BYTES, at, at + OID_BYTES);
    if (order === 0) return true;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return false;
}
