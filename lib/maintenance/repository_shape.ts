import { createHash } from "node:crypto";

/** Bytes of a mtimes file before its table: signature, version, hash function. */
const MTIMES_HEADER = 12;
/** Bytes of a mtimes file behind its table: two SHA-1 sums. */
const MTIMES_TRAILER = 40;
/** Entries looked at per repository when loose refs are counted. */
const MAX_REFS = 200_000;

/** What lies in a repository, as far as maintenance decides by it. */
export interface RepositoryShape {
  /** Names of packs with served objects, without suffix. */
  readonly packs: readonly string[];
  /** Names of cruft packs: they hold unreachable objects, each with its own age. */
  readonly cruft: readonly string[];
  /** Number of loose objects. */
  readonly loose: number;
  /** Changes whenever objects or refs do. */
  readonly fingerprint: string;
}

/** Looks at the repository in directory `path`; one that is gone has nothing in it. */
export async function readShape(path: string): Promise<RepositoryShape> {
  const names = (await namesIn(`${path}/objects/pack`)).sort();
  const stems = names.filter((name) => /^pack-[0-9a-f]+\.pack$/.test(name)).map((name) => name.slice(0, -5));
  const aged = new Set(names.filter((name) => name.endsWith(".mtimes")).map((name) => name.slice(0, -7)));
  const loose = (await looseObjects(path)).length;
  const packed = await Deno.stat(`${path}/packed-refs`).catch(() => undefined);
  const refs = await looseRefs(`${path}/refs`);
  const facts = [stems, loose, refs, packed?.size ?? 0, packed?.mtime?.getTime() ?? 0];
  return {
    packs: stems.filter((stem) => !aged.has(stem)),
    cruft: stems.filter((stem) => aged.has(stem)),
    loose,
    fingerprint: createHash("sha256").update(JSON.stringify(facts)).digest("hex").slice(0, 32),
  };
}

/** Files of loose objects, below the directory `path`. */
export async function looseObjects(path: string): Promise<string[]> {
  const found: string[] = [];
  for (const folder of await namesIn(`${path}/objects`)) {
    if (!/^[0-9a-f]{2}$/.test(folder)) continue;
    for (const name of await namesIn(`${path}/objects/${folder}`)) {
      if (/^[0-9a-f]{38}$/.test(name)) found.push(`objects/${folder}/${name}`);
    }
  }
  return found;
}

/** When the oldest unreachable object was last wanted, in milliseconds; undefined without any. */
export async function oldestCruft(path: string, { cruft }: RepositoryShape): Promise<number | undefined> {
  let oldest: number | undefined;
  for (const stem of cruft) {
    const bytes = await Deno.readFile(`${path}/objects/pack/${stem}.mtimes`).catch(() => undefined);
    if (!bytes) continue;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = MTIMES_HEADER; at + 4 <= bytes.length - MTIMES_TRAILER; at += 4) {
      const time = view.getUint32(at) * 1000;
      if (oldest === undefined || time < oldest) oldest = time;
    }
  }
  return oldest;
}

/** Names and contents of refs that have a file of their own. */
async function looseRefs(root: string): Promise<string[]> {
  const found: string[] = [];
  const folders = [root];
  for (let looked = 0; folders.length > 0 && looked < MAX_REFS;) {
    const folder = folders.pop()!;
    for await (const entry of readable(folder)) {
      looked++;
      if (entry.isDirectory) folders.push(`${folder}/${entry.name}`);
      else {
        const text = await Deno.readTextFile(`${folder}/${entry.name}`).catch(() => "");
        found.push(`${folder.slice(root.length)}/${entry.name} ${text.slice(0, 64).trim()}`);
      }
    }
  }
  return found.sort();
}

async function namesIn(path: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of readable(path)) names.push(name);
  return names;
}

async function* readable(path: string): AsyncGenerator<Deno.DirEntry> {
  try {
    yield* Deno.readDir(path);
  } catch {
    // Nothing there, or gone meanwhile.
  }
}
