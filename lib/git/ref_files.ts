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
 * as a lock file that it renames, which stamps the folder. Those of them that people edit are watched
 * themselves. A new pack may bring the object that a broken ref lacked.
 */
const WATCHED = ["", "/HEAD", "/config", "/packed-refs", "/objects/info", "/objects/pack", "/refs"];
/** Where these exist, a listing of refs is not all that git advertises, or they are kept elsewhere. */
const ODDITIES = ["shallow", "commondir", "objects/info/alternates"];

/** The files of a repository that tell whether its refs are as they were. */
export class RefFiles {
  readonly #path: string;
  readonly #names: readonly string[];
  readonly #stamps: Float64Array;

  private constructor(path: string, names: readonly string[], stamps: Float64Array) {
    this.#path = path;
    this.#names = names;
    this.#stamps = stamps;
  }

  /**
   * Looks at the repository at `path`; undefined when only git itself can speak for it: it is not
   * plain, has very many folders of refs, or is not there.
   */
  static async look(path: string): Promise<RefFiles | undefined> {
    const names = [...WATCHED];
    // Stamps come before what they stand for: a change in between shows as a change.
    const stamps = names.flatMap((name) => stampOf(path + name));
    if (!await isPlain(path)) return undefined;
    for (let index = names.indexOf("/refs"), looked = 0; index < names.length; index++) {
      try {
        for await (const { name, isDirectory, isSymlink } of Deno.readDir(path + names[index])) {
          if (isSymlink || ++looked > MAX_ENTRIES) return undefined;
          if (!isDirectory) continue;
          names.push(`${names[index]}/${name}`);
          if (names.length > MAX_FOLDERS) return undefined;
          stamps.push(...stampOf(path + names.at(-1)));
        }
      } catch {
        return undefined; // gone meanwhile, or never there
      }
    }
    return new RefFiles(path, names, new Float64Array(stamps));
  }

  /**
   * True when nothing has changed since. Synchronous: a look at a file costs a microsecond this way,
   * a tenth of what waiting for a thread costs the event loop.
   */
  areCurrent(): boolean {
    return this.#names.every((name, index) => {
      const stamp = stampOf(this.#path + name);
      return stamp.every((value, field) => value === this.#stamps[index * FIELDS + field]);
    });
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
    const [head, config] = [await Deno.lstat(`${path}/HEAD`), await Deno.stat(`${path}/config`)];
    if (!head.isFile || config.size > MAX_CONFIG_BYTES) return false;
    return isPlainConfig(await Deno.readTextFile(`${path}/config`));
  } catch {
    return false;
  }
}

/** Modification time (ms), inode and size; zeros when it is not there. */
function stampOf(path: string): [number, number, number] {
  try {
    const { mtime, ino, size } = Deno.statSync(path);
    return [mtime?.getTime() ?? 0, ino ?? 0, size];
  } catch {
    return [0, 0, 0];
  }
}
