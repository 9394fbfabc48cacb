import { dirname } from "node:path";
import { createTarPacker, type TarPackController } from "modern-tar";
import type { Archive, Written } from "./archive.ts";

/** The runtime loses what it holds back when its own stream of a file is not closed; it has to be synced first. */
function into(file: Deno.FsFile): WritableStream<Uint8Array<ArrayBuffer>> {
  return new WritableStream({
    write: async (chunk) => {
      for (let rest = chunk; rest.length > 0;) rest = rest.subarray(await file.write(rest));
    },
  });
}

/**
 * A backup as one tar file, gzipped when its name ends in `.gz` or `.tgz`. It is written from front to
 * back while things are read, so it needs no second copy; what could not be completed stays in it
 * without HEAD.
 */
export class TarArchive implements Archive {
  readonly #target: string;
  readonly #controller: TarPackController;
  readonly #written: Promise<void>;
  readonly #file: Deno.FsFile;
  readonly #folders = new Set<string>();
  #failure: unknown;

  private constructor(target: string, file: Deno.FsFile) {
    this.#target = target;
    this.#file = file;
    const { readable, controller } = createTarPacker();
    this.#controller = controller;
    const bytes: ReadableStream<Uint8Array<ArrayBuffer>> = readable;
    const packed = /\.t?gz$/.test(target) ? bytes.pipeThrough(new CompressionStream("gzip")) : bytes;
    this.#written = packed.pipeTo(into(file));
    this.#written.catch((error) => this.#failure = error);
  }

  /** Starts `<target>.partial`; `isSecret`: for nobody but its owner to read. */
  static async create(target: string, isSecret: boolean): Promise<TarArchive> {
    await Deno.mkdir(dirname(target), { recursive: true });
    const mode = isSecret ? 0o600 : 0o640;
    const file = await Deno.open(`${target}.partial`, { write: true, createNew: true, mode });
    return new TarArchive(target, file);
  }

  async folder(path: string): Promise<void> {
    const parts = path.split("/");
    for (let depth = 1; depth <= parts.length; depth++) {
      const name = parts.slice(0, depth).join("/");
      if (this.#folders.has(name)) continue;
      this.#folders.add(name);
      await this.#controller.add({ name: `${name}/`, type: "directory", size: 0, mode: 0o750 }).close();
    }
  }

  async file(path: string, source: string): Promise<Written> {
    using file = await Deno.open(source);
    const { size, mtime } = await file.stat();
    const header = { name: path, size, mode: 0o640, ...(mtime && { mtime }) };
    await this.#add(header, file.readable);
    return { bytes: size, linked: false };
  }

  async bytes(path: string, content: Uint8Array<ArrayBuffer>, mode = 0o640): Promise<void> {
    await this.#add({ name: path, size: content.length, mode }, new Blob([content]).stream());
  }

  async adopt(path: string, source: string): Promise<void> {
    await this.file(path, source);
    await Deno.remove(source);
  }

  workPath(name: string): string {
    return `${this.#target}.partial.${name.replaceAll("/", "-")}`;
  }

  discard(): Promise<void> {
    return Promise.resolve();
  }

  async finish(): Promise<void> {
    this.#controller.finalize();
    await this.#written;
    await this.#file.sync();
    this.#file.close();
    await Deno.rename(`${this.#target}.partial`, this.#target);
  }

  async abandon(): Promise<void> {
    this.#controller.error(new Error("the backup was given up"));
    await this.#written.catch(() => {});
    this.#file.close();
  }

  /** A body that cannot be read to its announced end, or a full disk, ends the archive as a whole. */
  async #add(
    header: Parameters<TarPackController["add"]>[0],
    body: ReadableStream<Uint8Array>,
  ): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    await body.pipeTo(this.#controller.add(header));
  }
}
