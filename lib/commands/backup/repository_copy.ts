import type { Archive } from "./archive.ts";

/** Passes over the objects of one repository that a repack may disturb. */
const MAX_PASSES = 5;
/** Most bytes of refs held while the objects of their repository are copied. */
const MAX_REF_BYTES = 256 * 1024 * 1024;
/** Parts of a pack; derived files that name several packs are made again by maintenance. */
const PACK_FILE = /^(pack-[0-9a-f]{40,64})\.(pack|idx|rev|bitmap|mtimes|keep|promisor)$/;
const LOOSE_OBJECT = /^[0-9a-f]{38}([0-9a-f]{24})?$/;
/** What a bare repository holds beside objects and refs, as far as a copy needs it. */
const PLAIN_FILES = ["config", "description", "shallow", "info/exclude", "info/attributes"];

/** What the copy of a repository took. */
export interface CopiedRepository {
  readonly files: number;
  readonly bytes: number;
  readonly linkedBytes: number;
}

/** A small file that changes: taken into memory first, written last. */
interface Kept {
  readonly path: string;
  readonly content: Uint8Array;
}

/**
 * Copies the bare repository at `source` to `target` of the archive while it is pushed to. Refs are read
 * before the objects, so that whatever they reach is there by then, and written after them, so that a
 * copy cut short has none. Loose refs are read before packed ones: git packs in that direction.
 * Rejects when something cannot be read.
 */
export async function copyRepository(
  archive: Archive,
  source: string,
  target: string,
): Promise<CopiedRepository> {
  const kept = await readRefFiles(source);
  for (const folder of ["objects/pack", "objects/info", "refs/heads", "refs/tags", "info"]) {
    await archive.folder(`${target}/${folder}`);
  }
  const total = { files: 0, bytes: 0, linkedBytes: 0 };
  const copied = new Set<string>();
  for (let pass = 1; !await copyObjects(archive, source, target, copied, total); pass++) {
    if (pass === MAX_PASSES) throw new Error("its packs are rewritten faster than they can be copied");
  }
  for (const { path, content } of kept) {
    const slash = path.lastIndexOf("/");
    if (slash > 0) await archive.folder(`${target}/${path.slice(0, slash)}`);
    await archive.bytes(`${target}/${path}`, content);
    total.files++;
    total.bytes += content.length;
  }
  return total;
}

/** HEAD comes last of all: without it nothing takes the directory for a repository. */
async function readRefFiles(source: string): Promise<Kept[]> {
  const head = await Deno.readFile(`${source}/HEAD`);
  const kept: Kept[] = [];
  let bytes = 0;
  const keep = async (path: string) => {
    const content = await ifThere(Deno.readFile(`${source}/${path}`));
    if (!content) return;
    bytes += content.length;
    if (bytes > MAX_REF_BYTES) throw new Error("its refs are larger than 256 MiB");
    kept.push({ path, content });
  };
  const folders = ["refs"];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const { name, isDirectory, isFile } of await entriesOf(`${source}/${folder}`)) {
      if (isDirectory) folders.push(`${folder}/${name}`);
      else if (isFile && !name.endsWith(".lock")) await keep(`${folder}/${name}`);
    }
  }
  for (const path of ["packed-refs", ...PLAIN_FILES]) await keep(path);
  return [...kept, { path: "HEAD", content: head }];
}

/** False when something vanished: it lies in another pack by now. */
async function copyObjects(
  archive: Archive,
  source: string,
  target: string,
  copied: Set<string>,
  total: { files: number; bytes: number; linkedBytes: number },
): Promise<boolean> {
  const names = await objectFiles(source);
  let isWhole = true;
  for (const name of names) {
    if (copied.has(name)) continue;
    try {
      const { bytes, linked } = await archive.file(`${target}/objects/${name}`, `${source}/objects/${name}`);
      copied.add(name);
      total.files++;
      total.bytes += bytes;
      if (linked) total.linkedBytes += bytes;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      isWhole = false;
    }
  }
  return isWhole;
}

/** Complete packs and loose objects; what is still being written was not reachable when refs were read. */
async function objectFiles(source: string): Promise<string[]> {
  const found: string[] = [];
  const entries = await Array.fromAsync(Deno.readDir(`${source}/objects`));
  for (const { name, isDirectory } of entries) {
    if (!isDirectory || !/^[0-9a-f]{2}$/.test(name)) continue;
    for (const file of await entriesOf(`${source}/objects/${name}`)) {
      if (!LOOSE_OBJECT.test(file.name)) continue;
      found.push(`${name}/${file.name}`);
    }
  }
  const packs = (await entriesOf(`${source}/objects/pack`)).map(({ name }) => name);
  const present = new Set(packs);
  for (const name of packs) {
    const stem = PACK_FILE.exec(name)?.[1];
    if (stem === undefined || !present.has(`${stem}.pack`) || !present.has(`${stem}.idx`)) continue;
    found.push(`pack/${name}`);
  }
  if (await ifThere(Deno.lstat(`${source}/objects/info/alternates`))) found.push("info/alternates");
  return found;
}

/** The entries of a folder; none when it is not there. */
async function entriesOf(path: string): Promise<Deno.DirEntry[]> {
  return await ifThere(Array.fromAsync(Deno.readDir(path))) ?? [];
}

async function ifThere<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
