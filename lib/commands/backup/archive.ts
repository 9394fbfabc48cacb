import { dirname } from "node:path";

/** Bytes written, and how many of them cost no space because the file is shared with its source. */
export interface Written {
  readonly bytes: number;
  readonly linked: boolean;
}

/**
 * Where a backup goes. Paths are relative to its top, without `..`. Everything lies under a name that
 * says it is incomplete until {@link Archive.finish}.
 */
export interface Archive {
  /** A folder, and those above it. */
  folder(path: string): Promise<void>;
  /** A file nobody changes again. Rejects with NotFound when the source is gone. */
  file(path: string, source: string): Promise<Written>;
  /** A small file from memory. */
  bytes(path: string, content: Uint8Array, mode?: number): Promise<void>;
  /** A file made for the backup, at a path of the machine; it is moved in. */
  adopt(path: string, source: string): Promise<void>;
  /** Where a file for {@link adopt} can be made without crossing file systems. */
  workPath(name: string): string;
  /** Takes out a folder that could not be completed, where the form of the archive allows it. */
  discard(path: string): Promise<void>;
  /** Everything is on disk: gives the archive its name. */
  finish(): Promise<void>;
  /** Leaves what was written, under the name that says it is incomplete. */
  abandon(): Promise<void>;
}

/** A backup as a directory. */
export class DirectoryArchive implements Archive {
  readonly #target: string;
  readonly #partial: string;
  #mayLink: boolean;

  private constructor(target: string, mayLink: boolean) {
    this.#target = target;
    this.#partial = `${target}.partial`;
    this.#mayLink = mayLink;
  }

  /** Starts `<target>.partial`. `mayLink`: share immutable files with their source where possible. */
  static async create(target: string, mayLink: boolean): Promise<DirectoryArchive> {
    const archive = new DirectoryArchive(target, mayLink);
    await Deno.mkdir(dirname(target), { recursive: true });
    await Deno.mkdir(archive.#partial, { mode: 0o750 });
    return archive;
  }

  async folder(path: string): Promise<void> {
    await Deno.mkdir(this.#inside(path), { recursive: true, mode: 0o750 });
  }

  async file(path: string, source: string): Promise<Written> {
    const target = this.#inside(path);
    if (this.#mayLink) {
      try {
        await Deno.link(source, target);
        return { bytes: (await Deno.stat(target)).size, linked: true };
      } catch (error) {
        // A copy over a link would overwrite its source.
        if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.AlreadyExists) throw error;
        // Another file system, or files of another user: copied like every other from here on.
        this.#mayLink = false;
      }
    }
    await Deno.copyFile(source, target);
    await Deno.chmod(target, 0o640);
    return { bytes: await synced(target), linked: false };
  }

  async bytes(path: string, content: Uint8Array, mode = 0o640): Promise<void> {
    const target = this.#inside(path);
    await Deno.writeFile(target, content, { mode, createNew: true });
    await synced(target);
  }

  async adopt(path: string, source: string): Promise<void> {
    await synced(source);
    await Deno.rename(source, this.#inside(path));
  }

  workPath(name: string): string {
    return this.#inside(name);
  }

  async discard(path: string): Promise<void> {
    await Deno.remove(this.#inside(path), { recursive: true }).catch(() => {});
  }

  async finish(): Promise<void> {
    await Deno.rename(this.#partial, this.#target);
  }

  abandon(): Promise<void> {
    return Promise.resolve();
  }

  #inside(path: string): string {
    return `${this.#partial}/${path}`;
  }
}

/** Waits until the file is on disk; returns its size. */
async function synced(path: string): Promise<number> {
  using file = await Deno.open(path, { read: true, write: true });
  await file.sync();
  return (await file.stat()).size;
}
