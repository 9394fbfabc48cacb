import { dirname, resolve } from "node:path";
import type { Archive } from "./archive.ts";

/** Passes over the objects of one repository that a repack may disturb. */
const MAX_PASSES = 5;
/** Most bytes of refs held while the objects of their repository are copied. */
const MAX_REF_BYTES = 256 * 1024 * 1024;
/**
 * Parts of a pack. Derived files that name several packs are made again by maintenance, and `.keep` is of
 * a push under way: in a copy it would stay.
 */
const PACK_FILE = /^(pack-[0-9a-f]{40,64})\.(pack|idx|rev|bitmap|mtimes|promisor)$/;
const LOOSE_OBJECT = /^[0-9a-f]{38}([0-9a-f]{24})?$/;
/** What a bare repository holds beside objects and refs, as far as a copy needs it. */
const PLAIN_FILES = ["config", "description", "shallow", "info/exclude", "info/attributes"];

/** What the copy of a repository took. */
export interface CopiedRepository {
  readonly files: number;
  readonly bytes: number;
  readonly linkedBytes: number;
}

/** Directories of objects that one repository may use: its own, and those it borrows from. */
const MAX_OBJECT_FOLDERS = 16;

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
  const head = await readPlain(`${source}/HEAD`);
  const kept: Kept[] = [];
  let bytes = 0;
  const keep = async (path: string) => {
    const content = await ifThere(readPlain(`${source}/${path}`));
    if (!content) return;
    bytes += content.length;
    if (bytes > MAX_REF_BYTES) throw new Error("its refs are larger than 256 MiB");
    kept.push({ path, content });
  };
  const folders = ["refs"];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const { name, isDirectory } of await entriesOf(`${source}/${folder}`)) {
      if (isDirectory) folders.push(`${folder}/${name}`);
      else if (!name.endsWith(".lock")) await keep(`${folder}/${name}`);
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
  const files = (await Promise.all((await objectFolders(source)).map(objectFiles))).flat();
  const folders = new Set(files.map(({ name }) => dirname(name)));
  for (const folder of folders) await archive.folder(`${target}/objects/${folder}`);
  let isWhole = true;
  for (const { folder, name } of files) {
    if (copied.has(name)) continue;
    try {
      const { bytes, linked } = await archive.file(`${target}/objects/${name}`, `${folder}/${name}`);
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

/** Where its objects lie: borrowed ones become the copy's own, so that it needs no other repository. */
async function objectFolders(source: string): Promise<string[]> {
  const folders = [`${source}/objects`];
  for (const folder of folders) {
    const text = await ifThere(readPlain(`${folder}/info/alternates`));
    for (const line of new TextDecoder().decode(text).split("\n")) {
      const lender = resolve(folder, line);
      if (line === "" || line.startsWith("#") || folders.includes(lender)) continue;
      if (folders.push(lender) > MAX_OBJECT_FOLDERS) {
        throw new Error("it borrows objects from too many others");
      }
    }
  }
  return folders;
}

/** Complete packs and loose objects; what is still being written was not reachable when refs were read. */
async function objectFiles(folder: string): Promise<{ readonly folder: string; readonly name: string }[]> {
  const found: string[] = [];
  const entries = await Array.fromAsync(Deno.readDir(folder));
  for (const { name } of entries) {
    if (!/^[0-9a-f]{2}$/.test(name)) continue;
    for (const file of await entriesOf(`${folder}/${name}`)) {
      if (LOOSE_OBJECT.test(file.name)) found.push(plainName(`${name}/${file.name}`, file));
    }
  }
  const packs = await entriesOf(`${folder}/pack`);
  const present = new Set(packs.map(({ name }) => name));
  for (const file of packs) {
    const stem = PACK_FILE.exec(file.name)?.[1];
    if (stem === undefined || !present.has(`${stem}.pack`) || !present.has(`${stem}.idx`)) continue;
    found.push(plainName(`pack/${file.name}`, file));
  }
  return found.map((name) => ({ folder, name }));
}

/** A link would be copied as one, and a pipe would never end. */
function plainName(name: string, { isFile }: { readonly isFile: boolean }): string {
  if (!isFile) throw new Error(`${name} is no plain file`);
  return name;
}

async function readPlain(path: string): Promise<Uint8Array> {
  plainName(path, await Deno.lstat(path));
  return await Deno.readFile(path);
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
