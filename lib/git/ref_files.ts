import { isPlainConfig } from "./plain_config.ts";

/** Most folders of loose refs that are watched; each costs microseconds per request. */
const MAX_FOLDERS = 256;
/** Most files of loose refs passed by while looking for folders. */
const MAX_ENTRIES = 50_000;
const MAX_CONFIG_BYTES = 64 << 10;
/** Changes of the same tick of the clock that stamps files cannot be told apart; ticks are 10 ms at most. */
const FINE_TICK_MS = 50;
/** The same where stamps are whole seconds. */
const COARSE_TICK_MS = 2_500;
/** Numbers kept per watched file. */
const FIELDS = 3;

/**
 * What changes on disk when refs change. git writes every ref, HEAD, packed-refs and the configuration
 * as a lock file that it renames, which stamps the folder: also when there was none before. Those of them
 * that people edit are watched themselves, while they are there. A new pack may bring the object that a
 * broken ref lacked.
 */
const WATCHED = ["", "/HEAD", "/config", "/objects/info", "/objects/pack", "/packed-refs", "/refs"];
/** The first of them tell whether the repository is plain: all that advertisements without refs rest on. */
const PLAIN_COUNT = 4;
/** Where these exist, a listing of refs is not all that git advertises, or they are kept elsewhere. */
const ODDITIES = ["shallow", "commondir", "objects/info/alternates"];

/** The files of a repository that tell whether its refs are as they were. */
export class RefFiles {
  readonly #paths: readonly string[];
  readonly #stamps: Float64Array;

  private constructor(paths: readonly string[], stamps: Float64Array) {
    this.#paths = paths;
    this.#stamps = stamps;
  }

  /**
   * Looks at the repository at `path`; undefined when only git itself can speak for it: it is not
   * plain, has very many folders of refs, or is not there.
   */
  static async look(path: string): Promise<RefFiles | undefined> {
    // Stamps come before what they stand for: a change in between shows as a change.
    const stamps = WATCHED.map((name) => stampOf(path + name));
    const paths = WATCHED.map((name) => path + name);
    if (!await isPlain(path)) return undefined;
    const packed = WATCHED.indexOf("/packed-refs");
    if (stamps[packed] === ABSENT) {
      paths.splice(packed, 1);
      stamps.splice(packed, 1);
    }
    for (let index = paths.length - 1, looked = 0; index < paths.length; index++) {
      try {
        for await (const { name, isDirectory, isSymlink } of Deno.readDir(paths[index]!)) {
          if (isSymlink || ++looked > MAX_ENTRIES) return undefined;
          if (!isDirectory) continue;
          paths.push(`${paths[index]}/${name}`);
          if (paths.length > MAX_FOLDERS) return undefined;
          stamps.push(stampOf(paths.at(-1)!));
        }
      } catch {
        return undefined; // gone meanwhile, or never there
      }
    }
    return new RefFiles(paths, new Float64Array(stamps.flat()));
  }

  /** True when the repository is still there: its folder is the same, with the same entries. */
  get areThere(): boolean {
    return this.#areCurrent(1);
  }

  /** True when what is advertised beside refs is unchanged; refs may have changed. */
  get arePlain(): boolean {
    return this.#areCurrent(PLAIN_COUNT);
  }

  /** True when nothing has changed since. */
  get areCurrent(): boolean {
    return this.#areCurrent(this.#paths.length);
  }

  /**
   * Whether the first `count` are unchanged. Synchronous: a look at a file costs a microsecond this way,
   * a tenth of what waiting for a thread costs the event loop.
   */
  #areCurrent(count: number): boolean {
    for (let index = 0; index < count; index++) {
      const [modified, inode, size] = stampOf(this.#paths[index]!);
      const at = index * FIELDS;
      if (modified !== this.#stamps[at] || inode !== this.#stamps[at + 1] || size !== this.#stamps[at + 2]) {
        return false;
      }
    }
    return true;
  }

  /** How long after they were looked at unchanged stamps prove that nothing has changed, in milliseconds. */
  get tickMs(): number {
    const modified = this.#stamps.filter((_, index) => index % FIELDS === 0);
    return modified.some((ms) => ms > 0 && ms % 1000 === 0) ? COARSE_TICK_MS : FINE_TICK_MS;
  }
}

/** True when git's advertisements of the repository at `path` are its refs and what every repository's say. */
async function isPlain(path: string): Promise<boolean> {
  const oddities = await Promise.all(
    ODDITIES.map((name) => Deno.lstat(`${path}/${name}`).catch(() => undefined)),
  );
  if (oddities.some((entry) => entry !== undefined)) return false;
  try {
    const [head, objects, config] = await Promise.all([
      Deno.lstat(`${path}/HEAD`),
      Deno.stat(`${path}/objects`),
      Deno.stat(`${path}/config`),
    ]);
    if (!head.isFile || !objects.isDirectory || config.size > MAX_CONFIG_BYTES) return false;
    return isPlainConfig(await Deno.readTextFile(`${path}/config`));
  } catch {
    return false;
  }
}

/** Modification time (ms), inode and size. */
type Stamp = readonly [number, number, number];

const ABSENT: Stamp = [0, 0, 0];

function stampOf(path: string): Stamp {
  try {
    const { mtime, ino, size } = Deno.statSync(path);
    return [mtime?.getTime() ?? 0, ino ?? 0, size];
  } catch {
    return ABSENT;
  }
}
