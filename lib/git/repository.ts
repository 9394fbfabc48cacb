import { encodeNpub, identifierProblem, isHex64 } from "../nostr/mod.ts";
import type { Logger } from "../observe/mod.ts";
import { type Clock, type Random, randomHex } from "../world/mod.ts";
import { type AlignmentResult, type AlignmentTarget, alignRepository } from "./alignment.ts";
import {
  type Contribution,
  CONTRIBUTIONS,
  directoryBytes,
  listContributions,
  refWrittenAt,
  removeEmptySubmitters,
} from "./contribution_files.ts";
import type { Git } from "./git.ts";
import { withoutHostPaths } from "./host_paths.ts";
import { emptyRepository, initialiseRepository } from "./initialise.ts";
import { hasLocks, removeLeftovers, removeStaleCreations, STALE_LOCK_MS } from "./leftovers.ts";
import { completeObjects, copyObjects, type ObjectType, presentObjects } from "./objects.ts";
import { changeRefs, holds, readRefs, type RefChange, RepositoryError, type RepositoryRefs } from "./refs.ts";
import type { RepositoryRef } from "./repository_ref.ts";
import { isTrashName, listRepositories } from "./repository_names.ts";
import { archivedDirectories, deleteFromArchive, moveFromArchive, moveToArchive } from "./retired.ts";

/** What became of a removal (purgatory 2.4). */
export type RemovalResult = "removed" | "absent" | "in-use" | "has-refs" | "failed";

/** What {@link Repositories} needs. */
export interface RepositoriesOptions {
  readonly git: Git;
  /** Absolute; created when missing. */
  readonly gitDataPath: string;
  readonly random: Random;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How long a git child of a killed server may need to end. */
const ORPHAN_GRACE_MS = 1_000;

/**
 * What purgatory and sync need of {@link Repositories}: git data by repository, refs and objects.
 * A simulated network holds the same in memory.
 */
export type GitData = Pick<
  Repositories,
  | "exists"
  | "ensure"
  | "remove"
  | "retire"
  | "restore"
  | "archived"
  | "discardRetired"
  | "use"
  | "uses"
  | "readRefs"
  | "present"
  | "complete"
  | "copyObjects"
  | "align"
  | "changeRefs"
  | "cleanLeftovers"
  | "cleanAfterCrash"
  | "list"
>;

/**
 * The bare repositories on disk: `<gitDataPath>/<npub>/<identifier>.git`, and contributors' below
 * `<gitDataPath>/prs/<hex>/`. Whoever changes one holds the lock of its identifier.
 */
export class Repositories {
  readonly #options: RepositoriesOptions;
  readonly #root: string;
  readonly #uses = new Map<string, number>();
  readonly #background = new Set<Promise<void>>();
  readonly #counts = { hosted: 0, prs: 0 };
  /** Told the directory of each repository that goes out of service, or is found damaged. */
  onGone: (path: string) => void = () => {};

  constructor(options: RepositoriesOptions) {
    if (!options.gitDataPath.startsWith("/")) throw new Error("the git data path must be absolute");
    this.#options = options;
    this.#root = options.gitDataPath.replace(/\/+$/, "");
  }

  /** The directory that holds all repositories. */
  get root(): string {
    return this.#root;
  }

  /** The directory of a repository, existing or not. Throws when `ref` is no repository name. */
  path(ref: RepositoryRef): string {
    if (!isHex64(ref.owner) || identifierProblem(ref.identifier) !== undefined) {
      throw new RepositoryError("not a repository name");
    }
    const folder = ref.space === "prs"
      ? `${this.#root}/${CONTRIBUTIONS}/${ref.owner}`
      : `${this.#root}/${encodeNpub(ref.owner)}`;
    const path = `${folder}/${ref.identifier}.git`;
    if (path.slice(0, path.lastIndexOf("/")) !== folder) throw new RepositoryError("not a repository name");
    return path;
  }

  /** True when the repository has a HEAD file and an objects directory. */
  async exists(ref: RepositoryRef): Promise<boolean> {
    const path = this.path(ref);
    const [head, objects] = await Promise.all([
      Deno.lstat(`${path}/HEAD`).catch(() => undefined),
      Deno.stat(`${path}/objects`).catch(() => undefined),
    ]);
    return head !== undefined && !head.isDirectory && objects?.isDirectory === true;
  }

  /**
   * Creates the empty repository unless it exists: SHA-1, HEAD `refs/heads/master`, complete before it
   * becomes visible. Throws {@link RepositoryError} when the disk does not allow it.
   */
  async ensure(ref: RepositoryRef): Promise<"created" | "present"> {
    if (await this.exists(ref)) return "present";
    const path = this.path(ref);
    const folder = path.slice(0, path.lastIndexOf("/"));
    const temporary = `${folder}/.new-${randomHex(this.#options.random, 16)}`;
    try {
      await Deno.mkdir(folder, { recursive: true, mode: 0o750 });
      await initialiseRepository(this.#options.git, temporary);
      await Deno.rename(temporary, path);
      this.#counts[ref.space ?? "hosted"]++;
      return "created";
    } catch (error) {
      await Deno.remove(temporary, { recursive: true }).catch(() => {});
      if (await this.exists(ref)) return "present"; // somebody else was faster
      const text = error instanceof RepositoryError
        ? error.message
        : `a repository could not be created: ${error}`;
      throw new RepositoryError(this.clean(text));
    }
  }

  /**
   * Moves the repository away and deletes it in the background. Refuses while others than `ownUses` use
   * it and, unless `force`, while it holds branches or tags; a contributor's, while it holds any ref.
   */
  async remove(
    ref: RepositoryRef,
    options: { readonly force: boolean; readonly ownUses?: number },
  ): Promise<RemovalResult> {
    const isUsed = () => this.uses(ref) > (options.ownUses ?? 0);
    const path = this.path(ref);
    const entry = await Deno.lstat(path).catch(() => undefined);
    if (entry === undefined) return "absent";
    if (!entry.isDirectory || entry.isSymlink) return "failed";
    if (isUsed()) return "in-use";
    if (!options.force) {
      const counts = ref.space === "prs" ? /^/ : /^refs\/(heads|tags)\//;
      const isNeeded = await holds(this.#options.git, path, counts).catch(() => "failed" as const);
      if (isNeeded) return isNeeded === "failed" ? "failed" : "has-refs";
    }
    const grave = `${this.#root}/.trash/${randomHex(this.#options.random, 16)}`;
    const mkdir = await Deno.mkdir(`${this.#root}/.trash`, { recursive: true, mode: 0o750 }).catch(() =>
      "failed"
    );
    if (mkdir === "failed") return "failed";
    if (isUsed()) return "in-use";
    if (!renameNow(path, grave)) return "failed";
    this.#counts[ref.space ?? "hosted"]--;
    this.onGone(path);
    this.#inBackground(grave);
    await Deno.remove(path.slice(0, path.lastIndexOf("/"))).catch(() => {}); // only when empty
    return "removed";
  }

  /**
   * Takes a repository out of service and keeps its data: "" when there is none, else the directory
   * below the root that {@link restore} and {@link discardRetired} take. Throws {@link RepositoryError}.
   *
   * @param record told the directory before the repository is moved there
   */
  async retire(
    ref: RepositoryRef,
    reason: string,
    record?: (directory: string) => Promise<void>,
  ): Promise<string> {
    if (!await this.exists(ref)) return "";
    const { owner, identifier, space } = ref;
    // A contributor's has no announcement: its note must not be taken for that of a hosted one.
    const coordinate = space ? `${space}/${owner}/${identifier}` : `30617:${owner}:${identifier}`;
    const note = { coordinate, reason, retiredAt: this.#options.clock.now() };
    const stem = space ? `${space}-${identifier}` : identifier;
    const place = { path: this.path(ref), npub: encodeNpub(owner), stem };
    const directory = await moveToArchive(this.#root, place, note, record);
    this.#counts[space ?? "hosted"]--;
    this.onGone(place.path);
    return directory;
  }

  /** Brings a retired repository back; false when its data is gone. */
  async restore(ref: RepositoryRef, directory: string): Promise<boolean> {
    if (directory === "" || await this.exists(ref)) return false;
    const restored = await moveFromArchive(this.#root, directory, this.path(ref));
    if (restored) this.#counts.hosted++;
    return restored;
  }

  /** Directories with retired data of this repository, recorded or not. */
  async archived({ owner, identifier }: RepositoryRef): Promise<string[]> {
    return await archivedDirectories(this.#root, encodeNpub(owner), `30617:${owner}:${identifier}`);
  }

  /** Deletes a retired repository for good. */
  async discardRetired(directory: string): Promise<void> {
    if (directory !== "") await deleteFromArchive(this.#root, directory);
  }

  /** Protects the directory from removal until the returned function is called (idempotent). */
  use(ref: RepositoryRef): () => void {
    const path = this.path(ref);
    this.#uses.set(path, (this.#uses.get(path) ?? 0) + 1);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      const left = (this.#uses.get(path) ?? 1) - 1;
      if (left > 0) this.#uses.set(path, left);
      else this.#uses.delete(path);
    };
  }

  /** How many uses are open. */
  uses(ref: RepositoryRef): number {
    return this.#uses.get(this.path(ref)) ?? 0;
  }

  /** All refs and HEAD. Throws {@link RepositoryError}. */
  async readRefs(ref: RepositoryRef): Promise<RepositoryRefs> {
    return await readRefs(this.#options.git, this.path(ref));
  }

  /** Types of the objects that exist (existence only). */
  async present(ref: RepositoryRef, oids: Iterable<string>): Promise<ReadonlyMap<string, ObjectType>> {
    return await presentObjects(this.#options.git, this.path(ref), oids);
  }

  /** The objects that exist with everything they reach (purgatory 4.4). */
  async complete(ref: RepositoryRef, oids: Iterable<string>): Promise<ReadonlySet<string>> {
    return await completeObjects(this.#options.git, this.path(ref), oids);
  }

  /**
   * Copies objects with their history; false when git refused (then nothing may be assumed about the
   * target). Written refs: none. Both repositories count as used meanwhile.
   */
  async copyObjects(
    from: RepositoryRef,
    to: RepositoryRef,
    oids: Iterable<string>,
    signal?: AbortSignal,
  ): Promise<boolean> {
    const releases = [this.use(from), this.use(to)];
    try {
      const result = await copyObjects(this.#options.git, this.path(from), this.path(to), oids, signal);
      if (result.code === 0) return true;
      this.#options.log.warn("copying objects between repositories failed", {
        code: result.code,
        text: this.clean(result.stderr).slice(-500),
      });
      return false;
    } finally {
      releases.forEach((release) => release());
    }
  }

  /** Makes branches, tags and HEAD equal to a state (git-http 2.12). Throws {@link RepositoryError}. */
  async align(ref: RepositoryRef, target: AlignmentTarget): Promise<AlignmentResult> {
    return await alignRepository(this.#options.git, this.path(ref), target);
  }

  /** Changes single refs of any namespace, each guarded by its old value; returns the refused ones. */
  async changeRefs(ref: RepositoryRef, changes: readonly RefChange[]): Promise<readonly string[]> {
    return await changeRefs(this.#options.git, this.path(ref), changes);
  }

  /** Removes what killed children left behind, unless others than `ownUses` use the repository. */
  async cleanLeftovers(ref: RepositoryRef, ownUses = 0): Promise<void> {
    const isIdle = () => this.uses(ref) <= ownUses;
    if (isIdle()) await removeLeftovers(this.path(ref), this.#options.clock.now() - STALE_LOCK_MS, isIdle);
  }

  /**
   * The same at start, when every lock is left over: a child of the killed server outlives it only
   * until it notices that nobody listens, so locks get a moment to go by themselves.
   */
  async cleanAfterCrash(ref: RepositoryRef): Promise<void> {
    const path = this.path(ref);
    if (await hasLocks(path)) await this.#options.clock.sleep(ORPHAN_GRACE_MS);
    await removeLeftovers(path, Infinity, () => true);
  }

  /** Number of hosted repositories on disk, kept in memory since {@link recount}. */
  get count(): number {
    return this.#counts.hosted;
  }

  /** Number of contributors' repositories, kept in memory since {@link listContributions}. */
  get contributionCount(): number {
    return this.#counts.prs;
  }

  /** Counts the repositories by walking the disk; once, at start. */
  async recount(): Promise<void> {
    this.#counts.hosted = (await this.list()).length;
  }

  /** All contributors' repositories, counted by this walk; folders with nothing in them go. At start. */
  async listContributions(): Promise<Contribution[]> {
    await removeEmptySubmitters(this.#root);
    const found = await listContributions(this.#root);
    this.#counts.prs = found.length;
    return found;
  }

  /** All contributors' repositories, in no particular order; nothing is counted or removed. */
  async contributions(): Promise<Contribution[]> {
    return await listContributions(this.#root);
  }

  /** Bytes on disk; 0 when it does not exist. */
  async bytes(ref: RepositoryRef): Promise<number> {
    return await directoryBytes(this.path(ref));
  }

  /** When a ref was last written (ms), as far as the disk tells. */
  async refWrittenAt(ref: RepositoryRef, name: string): Promise<number | undefined> {
    return await refWrittenAt(this.path(ref), name);
  }

  /** The directory of a repository that stays empty; created when missing. Throws {@link RepositoryError}. */
  async emptyRepository(): Promise<string> {
    return await emptyRepository(this.#options.git, this.#root, this.#options.random);
  }

  /** All hosted repositories, in no particular order. */
  async list(): Promise<RepositoryRef[]> {
    return await listRepositories(this.#root);
  }

  /** At start: deletes what earlier runs moved away or left half created. Dated clean-up folders stay. */
  async emptyTrash(): Promise<void> {
    const trash = `${this.#root}/.trash`;
    const names: string[] = [];
    try {
      for await (const entry of Deno.readDir(trash)) if (isTrashName(entry.name)) names.push(entry.name);
    } catch {
      // No trash yet.
    }
    for (const name of names) await this.#delete(`${trash}/${name}`);
    await removeStaleCreations(this.#root);
  }

  /** Resolves when background deletions are done. */
  async settled(): Promise<void> {
    await Promise.all(this.#background);
  }

  /** `text` without host paths, fit for clients. */
  clean(text: string, ref?: RepositoryRef): string {
    return withoutHostPaths(text, this.knownPaths(ref));
  }

  /** The paths {@link clean} removes, longest first. */
  knownPaths(ref?: RepositoryRef): readonly string[] {
    return [...(ref ? [this.path(ref)] : []), this.#root, this.#options.git.homePath];
  }

  #inBackground(path: string): void {
    const work: Promise<void> = this.#delete(path).finally(() => this.#background.delete(work));
    this.#background.add(work);
  }

  async #delete(path: string): Promise<void> {
    await Deno.remove(path, { recursive: true }).catch((error) => {
      this.#options.log.warn("a removed repository could not be deleted from the trash", {
        error: this.clean(String(error)),
      });
    });
  }
}

/** Synchronous, so that no use can begin between the last check and the move. */
function renameNow(from: string, to: string): boolean {
  try {
    Deno.renameSync(from, to);
    return true;
  } catch {
    return false;
  }
}
