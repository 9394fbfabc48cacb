import type {
  AlignmentResult,
  AlignmentTarget,
  GitData,
  RefChange,
  RepositoryRefs,
} from "../../lib/git/mod.ts";
import type { ObjectType, RemovalResult, RepositoryRef } from "../../lib/git/mod.ts";
import { ZERO_OID } from "../../lib/nostr/mod.ts";
import type { Clock } from "../../lib/world/mod.ts";
import type { Commits } from "./commits.ts";

/** One repository on a simulated disk. */
export interface SimRepository {
  readonly ref: RepositoryRef;
  readonly objects: Set<string>;
  readonly refs: Map<string, string>;
  head: string;
}

/** What a machine's disk holds; it outlives the machine. */
export class SimDisk {
  readonly repositories = new Map<string, SimRepository>();
  readonly archive = new Map<string, SimRepository>();
  #archived = 0;

  /** A name for one more archived repository. */
  nextArchiveName(): string {
    return `archive/${String(++this.#archived).padStart(8, "0")}`;
  }

  /** The repository, if it is served. */
  find(ref: RepositoryRef): SimRepository | undefined {
    return this.repositories.get(keyOf(ref));
  }
}

/** How long a change of refs or a copy takes, in milliseconds: long enough to be cut off by a kill. */
const WRITE_MS = 3;

/** The git data of one running machine: commits instead of packs, everything else like on a real disk. */
export class SimGit implements GitData {
  readonly #disk: SimDisk;
  readonly #commits: Commits;
  readonly #clock: Clock;
  readonly #uses = new Map<string, number>();

  constructor(disk: SimDisk, commits: Commits, clock: Clock) {
    this.#disk = disk;
    this.#commits = commits;
    this.#clock = clock;
  }

  /** See `Repositories.exists`. */
  exists(ref: RepositoryRef): Promise<boolean> {
    return Promise.resolve(this.#disk.find(ref) !== undefined);
  }

  /** See `Repositories.ensure`. */
  ensure(ref: RepositoryRef): Promise<"created" | "present"> {
    if (this.#disk.find(ref)) return Promise.resolve("present");
    const created: SimRepository = { ref, objects: new Set(), refs: new Map(), head: "refs/heads/master" };
    this.#disk.repositories.set(keyOf(ref), created);
    return Promise.resolve("created");
  }

  /** See `Repositories.remove`. */
  remove(ref: RepositoryRef, options: { readonly force: boolean }): Promise<RemovalResult> {
    const repository = this.#disk.find(ref);
    if (!repository) return Promise.resolve("absent");
    if (this.uses(ref) > 0) return Promise.resolve("in-use");
    if (!options.force && [...repository.refs.keys()].some(isGoverned)) return Promise.resolve("has-refs");
    this.#disk.repositories.delete(keyOf(ref));
    return Promise.resolve("removed");
  }

  /** See `Repositories.retire`. */
  async retire(ref: RepositoryRef): Promise<string> {
    const repository = this.#disk.find(ref);
    if (!repository) return "";
    await this.#clock.sleep(WRITE_MS);
    const directory = this.#disk.nextArchiveName();
    this.#disk.repositories.delete(keyOf(ref));
    this.#disk.archive.set(directory, repository);
    return directory;
  }

  /** See `Repositories.restore`. */
  restore(ref: RepositoryRef, directory: string): Promise<boolean> {
    const repository = this.#disk.archive.get(directory);
    if (!repository || this.#disk.find(ref)) return Promise.resolve(false);
    this.#disk.archive.delete(directory);
    this.#disk.repositories.set(keyOf(ref), repository);
    return Promise.resolve(true);
  }

  /** See `Repositories.archived`. */
  archived(ref: RepositoryRef): Promise<string[]> {
    const own = [...this.#disk.archive].filter(([, repository]) => keyOf(repository.ref) === keyOf(ref));
    return Promise.resolve(own.map(([directory]) => directory));
  }

  /** See `Repositories.discardRetired`. */
  discardRetired(directory: string): Promise<void> {
    this.#disk.archive.delete(directory);
    return Promise.resolve();
  }

  /** See `Repositories.use`. */
  use(ref: RepositoryRef): () => void {
    const key = keyOf(ref);
    this.#uses.set(key, (this.#uses.get(key) ?? 0) + 1);
    let used = true;
    return () => {
      if (!used) return;
      used = false;
      this.#uses.set(key, this.#uses.get(key)! - 1);
    };
  }

  /** See `Repositories.uses`. */
  uses(ref: RepositoryRef): number {
    return this.#uses.get(keyOf(ref)) ?? 0;
  }

  /** See `Repositories.readRefs`. */
  readRefs(ref: RepositoryRef): Promise<RepositoryRefs> {
    const { refs, head } = this.#open(ref);
    return Promise.resolve({ refs: new Map(refs), head });
  }

  /** See `Repositories.present`. */
  present(ref: RepositoryRef, oids: Iterable<string>): Promise<ReadonlyMap<string, ObjectType>> {
    const { objects } = this.#open(ref);
    return Promise.resolve(
      new Map([...oids].filter((oid) => objects.has(oid)).map((oid) => [oid, "commit"])),
    );
  }

  /** See `Repositories.complete`. */
  complete(ref: RepositoryRef, oids: Iterable<string>): Promise<ReadonlySet<string>> {
    const { objects } = this.#open(ref);
    const isComplete = (oid: string) => objects.has(oid) && this.#commits.closure([oid]).isSubsetOf(objects);
    return Promise.resolve(new Set([...oids].filter(isComplete)));
  }

  /** See `Repositories.copyObjects`. */
  async copyObjects(
    from: RepositoryRef,
    to: RepositoryRef,
    oids: Iterable<string>,
    signal?: AbortSignal,
  ): Promise<boolean> {
    const wanted = this.#commits.closure(oids);
    await this.#clock.sleep(WRITE_MS, signal);
    const [source, target] = [this.#disk.find(from), this.#disk.find(to)];
    if (!source || !target || !wanted.isSubsetOf(source.objects)) return false;
    for (const oid of wanted) target.objects.add(oid);
    return true;
  }

  /** See `Repositories.align`. */
  async align(ref: RepositoryRef, target: AlignmentTarget): Promise<AlignmentResult> {
    await this.#clock.sleep(WRITE_MS);
    const repository = this.#open(ref);
    const { refs, objects } = repository;
    const before = `${repository.head} ${[...refs].join()}`;
    const failed: string[] = [];
    for (const name of [...refs.keys()]) {
      if (isGoverned(name) && !target.refs.has(name) && !target.symbolic.has(name)) refs.delete(name);
    }
    for (const [name, oid] of target.refs) {
      if (!isGoverned(name)) continue;
      if (objects.has(oid)) refs.set(name, oid);
      else failed.push(name);
    }
    const branches = [...refs.keys()].filter((name) => name.startsWith("refs/heads/"));
    if (target.head !== undefined && refs.has(target.head)) repository.head = target.head;
    else if (branches.length > 0 && !refs.has(repository.head)) {
      repository.head = ["refs/heads/main", "refs/heads/master", ...branches].find((name) => refs.has(name))!;
    }
    return { changed: before !== `${repository.head} ${[...refs].join()}`, failed };
  }

  /** See `Repositories.changeRefs`. */
  async changeRefs(ref: RepositoryRef, changes: readonly RefChange[]): Promise<readonly string[]> {
    await this.#clock.sleep(WRITE_MS);
    const { refs, objects } = this.#open(ref);
    const failed: string[] = [];
    for (const { ref: name, oldOid, newOid } of changes) {
      if ((refs.get(name) ?? ZERO_OID) !== oldOid) failed.push(name);
      else if (newOid === ZERO_OID) refs.delete(name);
      else if (objects.has(newOid)) refs.set(name, newOid);
      else failed.push(name);
    }
    return failed;
  }

  /** Nothing is ever left over here: changes of this disk are atomic. */
  cleanLeftovers(): Promise<void> {
    return Promise.resolve();
  }

  /** See {@link cleanLeftovers}. */
  cleanAfterCrash(): Promise<void> {
    return Promise.resolve();
  }

  /** See `Repositories.list`. */
  list(): Promise<RepositoryRef[]> {
    return Promise.resolve([...this.#disk.repositories.values()].map(({ ref }) => ref));
  }

  #open(ref: RepositoryRef): SimRepository {
    const repository = this.#disk.find(ref);
    if (!repository) throw new Error("no such repository");
    return repository;
  }
}

function keyOf({ owner, identifier }: RepositoryRef): string {
  return `${owner}:${identifier}`;
}

function isGoverned(ref: string): boolean {
  return ref.startsWith("refs/heads/") || ref.startsWith("refs/tags/");
}
